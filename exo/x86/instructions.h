/* SPDX-License-Identifier: MIT */
/* Single instructions that C cannot express. */
#ifndef EXO_X86_INSTRUCTIONS_H
#define EXO_X86_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* RFLAGS */
#define RFLAGS_FIXED (1ul << 1)
#define RFLAGS_TF (1ul << 8)
#define RFLAGS_IF (1ul << 9)
#define RFLAGS_DF (1ul << 10)
#define RFLAGS_IOPL (3ul << 12)
#define RFLAGS_NT (1ul << 14)
#define RFLAGS_RF (1ul << 16)
#define RFLAGS_AC (1ul << 18)
#define RFLAGS_ID (1ul << 21)
#define RFLAGS_ARITHMETIC 0x8d5ul /* CF PF AF ZF SF OF */

/* Model-specific registers */
#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

static inline uint64_t msr_read(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

struct cpuid { uint32_t eax, ebx, ecx, edx; };

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

#define DEFINE_PORT(bits, suffix, operand)                                             \
	static inline uint##bits##_t port_in##bits(uint16_t port)                      \
	{                                                                              \
		uint##bits##_t value;                                                  \
		asm volatile("in" suffix " %w1, %" operand "0" : "=a"(value) : "Nd"(port)); \
		return value;                                                          \
	}                                                                              \
	static inline void port_out##bits(uint16_t port, uint##bits##_t value)         \
	{                                                                              \
		asm volatile("out" suffix " %" operand "0, %w1" : : "a"(value), "Nd"(port)); \
	}

DEFINE_PORT(8, "b", "b")
DEFINE_PORT(16, "w", "w")
DEFINE_PORT(32, "l", "k")

/* The time stamp counter, not read before earlier loads have completed. */
static inline uint64_t tsc_read(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

static inline void cpu_pause(void)
{
	asm volatile("pause" : : : "memory");
}

static inline bool interrupts_enabled(void)
{
	uint64_t flags;

	asm volatile("pushfq; popq %0" : "=r"(flags));
	return flags & RFLAGS_IF;
}

_Noreturn static inline void cpu_halt_forever(void)
{
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

#define DEFINE_CONTROL_REGISTER(name)                                                  \
	static inline uint64_t name##_read(void)                                       \
	{                                                                              \
		uint64_t value;                                                        \
		asm volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");        \
		return value;                                                          \
	}                                                                              \
	static inline void name##_write(uint64_t value)                                \
	{                                                                              \
		asm volatile("mov %0, %%" #name : : "r"(value) : "memory");            \
	}

DEFINE_CONTROL_REGISTER(cr0) DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3) DEFINE_CONTROL_REGISTER(cr4)

#endif
