/* SPDX-License-Identifier: MIT */
/* In place of libos/core/cpu_selector.h: each thread of the explorer is a CPU. */
#ifndef LIBOS_CPU_SELECTOR_H
#define LIBOS_CPU_SELECTOR_H

#include <exo/abi.h>
#include <stdint.h>
#include "explore.h"

static inline uint64_t cpu_selector(void)
{
	unsigned cpu = explore_self() % EXPLORE_THREADS_MAX; /* setup and check: any */

	return EXO_CPU_SELECTOR + (cpu << EXO_CPU_SELECTOR_SHIFT);
}

#endif
