/* SPDX-License-Identifier: MIT */
/* Which CPU executes this: the one thing that code for several CPUs has to ask the machine. */
#ifndef LIBOS_CPU_SELECTOR_H
#define LIBOS_CPU_SELECTOR_H

#include <exo/abi.h>
#include <stdint.h>

/* EXO_CPU_SELECTOR + (number << EXO_CPU_SELECTOR_SHIFT) */
static inline uint64_t cpu_selector(void)
{
	uint64_t selector;

	__asm__ volatile("movq %%es, %0" : "=r"(selector));
	return selector;
}

#endif
