/* SPDX-License-Identifier: MIT */
/* The cases of the vcore tests, file by file. */
#ifndef TESTS_KERNEL_VCORES_CASES_H
#define TESTS_KERNEL_VCORES_CASES_H

#include "harness.h"

void cases_of_one_domain(void);
void cases_of_several_cpus(void);
void cases_of_two_domains(void);
void row_of_a_call(void); /* of the next */
void rows_of_the_kernel(void); /* no cases: a table of costs */
void rows_of_several_cpus(void); /* likewise; in exo calls with no work */
extern _Atomic int64_t looked_for; /* a handle that the other CPUs use all the time, unless it is 0 */
extern atomic_bool keep_awake; /* the other CPUs execute on, in the space of all, instead of halting */

#endif
