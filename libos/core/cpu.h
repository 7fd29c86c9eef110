/* SPDX-License-Identifier: MIT */
/* Instructions of the processor that C cannot say. */
#ifndef LIBOS_CPU_H
#define LIBOS_CPU_H

#include <exo/abi.h>
#include <stdint.h>

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t read_fs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static inline uint64_t read_gs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static inline void write_fs_base(uint64_t base)
{
	__asm__ volatile("wrfsbase %0" : : "r"(base));
}

static inline void write_gs_base(uint64_t base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base));
}

#define MXCSR_INITIAL 0x1f80u       /* all exceptions masked, round to nearest */
#define X87_CONTROL_INITIAL 0x37fu  /* the same, with 64-bit precision */

static inline uint32_t read_mxcsr(void)
{
	uint32_t value;

	__asm__ volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static inline void write_mxcsr(uint32_t value)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static inline uint16_t read_x87_control(void)
{
	uint16_t value;

	__asm__ volatile("fnstcw %0" : "=m"(value));
	return value;
}

/* The stack is empty, as before and after every call, whatever another task has left in it. */
static inline void write_x87_control(uint16_t value)
{
	__asm__ volatile("fninit\n\tfldcw %0" : : "m"(value));
}

/* The control words of both, to and from where a switch keeps them; as write_x87_control() otherwise. */
static inline void control_save(uint32_t *mxcsr, uint16_t *x87)
{
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(*mxcsr), "=m"(*x87));
}

static inline void control_load(const uint32_t *mxcsr, const uint16_t *x87)
{
	__asm__ volatile("ldmxcsr %0\n\tfninit\n\tfldcw %1" : : "m"(*mxcsr), "m"(*x87));
}

/* x87, SSE, AVX and what else the kernel has enabled; `area` is 64-byte aligned, and its header zeroed before
 * its first use. */
static inline void vector_save(void *area)
{
	uint64_t features = ((const struct exo_info *)EXO_INFO_BASE)->vector_features;

	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)features), "d"((uint32_t)(features >> 32))
			 : "memory");
}

static inline void vector_load(const void *area)
{
	uint64_t features = ((const struct exo_info *)EXO_INFO_BASE)->vector_features;

	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)features), "d"((uint32_t)(features >> 32))
			 : "memory");
}

#endif
