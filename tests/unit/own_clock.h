/* SPDX-License-Identifier: MIT */
/* The CPU is the test's, and so is its TSC: a tick is a nanosecond.  To be included before what knows of
 * CPUs. */
#ifndef TESTS_UNIT_OWN_CLOCK_H
#define TESTS_UNIT_OWN_CLOCK_H

#define LIBOS_CPU_SELECTOR_H
#include <exo/abi.h>
static inline uint64_t cpu_selector(void)
{
	return EXO_CPU_SELECTOR;
}

#define LIBOS_CPU_H
#include <stdint.h>
static uint64_t tsc;

static uint64_t rdtsc(void)
{
	return tsc;
}

#endif
