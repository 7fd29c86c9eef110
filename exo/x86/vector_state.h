/* SPDX-License-Identifier: MIT */
/*
 * x87, SSE and AVX registers.  The kernel itself never uses them; it saves them only when a CPU
 * changes to another vcore.  Save areas are kernel memory, so what is in them came from the
 * processor and needs no checking.  They are cpu_features.vector_size bytes, 64-byte aligned.
 */
#ifndef EXO_X86_VECTOR_STATE_H
#define EXO_X86_VECTOR_STATE_H

#define MXCSR_INITIAL 0x1f80u /* every exception masked, round to nearest */
#define X87_CONTROL_INITIAL 0x37fu

/* Makes an area from which vector_restore() loads the state after a reset. */
static inline void vector_init(void *area)
{
	memset(area, 0, cpu_features.vector_size);
	*(uint16_t *)area = X87_CONTROL_INITIAL;
	*(uint32_t *)((char *)area + 24) = MXCSR_INITIAL;
}

static inline void vector_save(void *area)
{
	if (cpu_features.xsaveopt)
		asm volatile("xsaveopt64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		asm volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

static inline void vector_restore(const void *area)
{
	asm volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

#endif
