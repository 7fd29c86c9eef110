/* SPDX-License-Identifier: MIT */
/* CPUID, and the control registers that follow from it. */
#include "kernel.h"

#define CR0_PE_MP_ET_NE_WP_PG (1ul << 0 | 1ul << 1 | 1ul << 4 | 1ul << 5 | 1ul << 16 | 1ul << 31)
#define CR4_PAE_MCE_PGE (1ul << 5 | 1ul << 6 | 1ul << 7)
#define CR4_OSFXSR_OSXMMEXCPT (1ul << 9 | 1ul << 10)
#define CR4_UMIP (1ul << 11)
#define CR4_FSGSBASE_OSXSAVE (1ul << 16 | 1ul << 18)
#define CR4_SMEP (1ul << 20)
#define CR4_SMAP (1ul << 21)
#define EFER_SCE_LME_LMA_NXE (1ul << 0 | 1ul << 8 | 1ul << 10 | 1ul << 11)

#define EXTENDED_EDX_SYSCALL (1u << 11)
#define EXTENDED_EDX_NX (1u << 20)
#define SEVEN_EBX_FSGSBASE (1u << 0)
#define ONE_ECX_XSAVE (1u << 26)

#define XCR0_X87 (1ul << 0)
#define XCR0_SSE (1ul << 1)
#define XCR0_AVX (1ul << 2)
#define XCR0_AVX512 (7ul << 5) /* opmask, upper halves, upper registers: all or none */

struct cpu_features cpu_features;
bool page_zero_by_vectors;

/* Addresses of STAC and CLAC instructions (smap.inc). */
extern uint8_t *const kernel_smap_sites_start[], *const kernel_smap_sites_end[];

static void xcr0_write(uint64_t value)
{
	asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t supported_vector_features(void)
{
	struct cpuid leaf = cpuid(0xd, 0);
	uint64_t supported = leaf.eax | (uint64_t)leaf.edx << 32;
	uint64_t wanted = XCR0_X87 | XCR0_SSE | XCR0_AVX;

	if ((supported & XCR0_AVX512) == XCR0_AVX512)
		wanted |= XCR0_AVX512;
	return supported & wanted;
}

void features_detect(void)
{
	struct cpu_features *f = &cpu_features;
	struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0), extended = cpuid(0x80000001, 0);

	if (~extended.edx & (EXTENDED_EDX_SYSCALL | EXTENDED_EDX_NX) ||
	    ~seven.ebx & SEVEN_EBX_FSGSBASE || ~one.ecx & ONE_ECX_XSAVE)
		panic("this processor (or its firmware's setup) lacks SYSCALL, NX, FSGSBASE or XSAVE");
	f->x2apic = one.ecx >> 21 & 1;
	f->tsc_deadline = one.ecx >> 24 & 1;
	f->xsaveopt = cpuid(0xd, 1).eax & 1;
	f->smep = seven.ebx >> 7 & 1;
	f->smap = seven.ebx >> 20 & 1;
	f->umip = seven.ecx >> 2 & 1;
	f->gigabyte_pages = extended.edx >> 26 & 1;
	f->physical_bits = cpuid(0x80000008, 0).eax & 0xff;
	f->vector_features = supported_vector_features();
}

void features_patch(void)
{
	static const uint8_t nop[3] = { 0x0f, 0x1f, 0x00 };

	if (cpu_features.smap)
		return;
	for (uint8_t *const *site = kernel_smap_sites_start; site < kernel_smap_sites_end; site++)
		memcpy(*site, nop, sizeof(nop));
}

void features_enable(void)
{
	struct cpu_features *f = &cpu_features;
	uint64_t wanted = (f->umip ? CR4_UMIP : 0) | (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0);

	cr0_write(CR0_PE_MP_ET_NE_WP_PG);
	cr4_write(CR4_PAE_MCE_PGE | CR4_OSFXSR_OSXMMEXCPT | CR4_FSGSBASE_OSXSAVE | wanted);
	msr_write(MSR_EFER, EFER_SCE_LME_LMA_NXE);
	xcr0_write(f->vector_features);
	page_zero_by_vectors = (f->vector_features & (XCR0_AVX | XCR0_AVX512)) == XCR0_AVX;
	/* CPUID tells the size for what has just been enabled: at most 2696 bytes, so a frame holds it. */
	f->vector_size = cpuid(0xd, 0).ebx;
}
