/* SPDX-License-Identifier: MIT */
/*
 * Segmentation, as far as 64-bit mode still has it.  The one unusual descriptor tells ring 3 which
 * CPU it is on, by its place alone: ES has its selector, and to read that is one plain move.  LSL and
 * RDPID, which tell as much, take as long as a whole system call where they are emulated, or are missing.
 */
#include "kernel.h"

#define DESCRIPTOR_KERNEL_CODE 0x00af9b000000fffful
#define DESCRIPTOR_KERNEL_DATA 0x00cf93000000fffful
#define DESCRIPTOR_USER_DATA 0x00cff3000000fffful
#define DESCRIPTOR_USER_CODE 0x00affb000000fffful
#define DESCRIPTOR_TSS 0x0000890000000000ul

extern char syscall_entry[];

void segments_set_block(struct cpu *cpu)
{
	cpu->self = cpu;
	msr_write(MSR_GS_BASE, (uint64_t)cpu);
	msr_write(MSR_KERNEL_GS_BASE, 0);
}

static void fill_tss(struct cpu *cpu)
{
	uint64_t ist = (uint64_t)cpu - CPU_AREA_BLOCK + CPU_AREA_IST + CPU_AREA_IST_SIZE;

	cpu->tss = (struct tss){ .io_map = sizeof(cpu->tss) };
	cpu->tss.rsp[0] = cpu->stack_top;
	for (unsigned i = 0; i < IST_COUNT; i++)
		cpu->tss.ist[i] = ist + i * CPU_AREA_IST_STRIDE;
}

static void fill_gdt(struct cpu *cpu)
{
	uint64_t *gdt = cpu->gdt, tss = (uint64_t)&cpu->tss;

	gdt[SELECTOR_KERNEL_CODE / 8] = DESCRIPTOR_KERNEL_CODE;
	gdt[SELECTOR_KERNEL_DATA / 8] = DESCRIPTOR_KERNEL_DATA;
	gdt[SELECTOR_USER_DATA / 8] = DESCRIPTOR_USER_DATA;
	gdt[SELECTOR_USER_CODE / 8] = DESCRIPTOR_USER_CODE;
	gdt[SELECTOR_TSS / 8] = DESCRIPTOR_TSS | (sizeof(cpu->tss) - 1) |
				(tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
	gdt[EXO_CPU_SELECTOR / 8 + cpu->number] = DESCRIPTOR_USER_DATA;
}

void segments_init(struct cpu *cpu)
{
	struct table_pointer pointer = { sizeof(cpu->gdt) - 1, cpu->gdt };

	fill_tss(cpu);
	fill_gdt(cpu);
	/* What boot/ has loaded, selectors and descriptors, is the same in this table: none is reloaded. */
	asm volatile("lgdt %0" : : "m"(pointer));
	/* No local table: after a reset there is one at address 0, which user mode might fill. */
	asm volatile("lldt %w1; ltr %w0" : : "r"(SELECTOR_TSS), "r"(0));
	segments_set_block(cpu);
	/* SYSRET adds 8 and 16 to its base, with the privilege that is in it on some processors: a call that
	 * goes on is left by it, all else by IRETQ. */
	msr_write(MSR_STAR, (uint64_t)(SELECTOR_USER_DATA - 8) << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
	msr_write(MSR_LSTAR, (uint64_t)syscall_entry);
	msr_write(MSR_SFMASK, RFLAGS_AC | RFLAGS_DF | RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_IOPL);
}
