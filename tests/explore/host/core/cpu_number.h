/* SPDX-License-Identifier: MIT */
/* In place of libos/core/cpu_number.h: each thread of the explorer is a CPU. */
#ifndef LIBOS_CPU_NUMBER_H
#define LIBOS_CPU_NUMBER_H

#include <stdint.h>
#include "explore.h"

static inline uint64_t cpu_number(void)
{
	return explore_self() % EXPLORE_THREADS_MAX; /* setup and check: any */
}

#endif
