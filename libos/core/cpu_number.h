/* SPDX-License-Identifier: MIT */
/* Which CPU executes this: the one thing that code for several CPUs has to ask the machine. */
#ifndef LIBOS_CPU_NUMBER_H
#define LIBOS_CPU_NUMBER_H

#include <exo/abi.h>
#include <stdint.h>

static inline uint64_t cpu_number(void)
{
	uint64_t cpu;

	__asm__ volatile("lsl %1, %0" : "=r"(cpu) : "r"((uint64_t)EXO_CPU_SELECTOR) : "cc");
	return cpu;
}

#endif
