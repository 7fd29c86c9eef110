/* SPDX-License-Identifier: MIT */
/*
 * Segmentation, as far as 64-bit mode still has it.  The one unusual descriptor tells ring 3 which
 * CPU it is on: its limit is the CPU's number, and the LSL instruction reads it.  No application
 * can change it, and it works where RDPID is missing.
 */
#include "kernel.h"

#define DESCRIPTOR_KERNEL_CODE 0x00af9b000000fffful
#define DESCRIPTOR_KERNEL_DATA 0x00cf93000000fffful
#define DESCRIPTOR_USER_DATA 0x00cff3000000fffful
#define DESCRIPTOR_USER_CODE 0x00affb000000fffful
#define DESCRIPTOR_CPU_NUMBER 0x0040f10000000000ul /* DPL 3, read-only data, limit in bytes */
#define DESCRIPTOR_TSS 0x0000890000000000ul
#define GDT_ENTRIES 8

/* SDM vol. 3A, figure 8-11. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map; /* beyond the limit: ring 3 may use no port directly */
} __attribute__((packed));

extern char syscall_entry[];

void segments_set_block(struct cpu *cpu)
{
	cpu->self = cpu;
	msr_write(MSR_GS_BASE, (uint64_t)cpu);
	msr_write(MSR_KERNEL_GS_BASE, 0);
}

static void fill_tss(struct tss *tss, const struct cpu *cpu)
{
	uint64_t area = (uint64_t)cpu - CPU_AREA_BLOCK;

	*tss = (struct tss){ .io_map = sizeof(*tss) };
	tss->rsp[0] = cpu->stack_top;
	for (unsigned i = 0; i < IST_COUNT; i++)
		tss->ist[i] = area + CPU_AREA_IST + i * CPU_AREA_IST_STRIDE + CPU_AREA_IST_SIZE;
}

static void fill_gdt(uint64_t *gdt, uint64_t tss, unsigned number)
{
	gdt[SELECTOR_KERNEL_CODE / 8] = DESCRIPTOR_KERNEL_CODE;
	gdt[SELECTOR_KERNEL_DATA / 8] = DESCRIPTOR_KERNEL_DATA;
	gdt[SELECTOR_USER_DATA / 8] = DESCRIPTOR_USER_DATA;
	gdt[SELECTOR_USER_CODE / 8] = DESCRIPTOR_USER_CODE;
	gdt[SELECTOR_TSS / 8] = DESCRIPTOR_TSS | (sizeof(struct tss) - 1) |
				(tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
	gdt[EXO_CPU_SELECTOR / 8] = DESCRIPTOR_CPU_NUMBER | number;
}

/* What boot/ has loaded, selectors and descriptors, is the same in this table: nothing is reloaded. */
static void load_gdt(const uint64_t *gdt)
{
	struct table_pointer pointer = { GDT_ENTRIES * sizeof(*gdt) - 1, gdt };

	asm volatile("lgdt %0" : : "m"(pointer));
	asm volatile("ltr %w0" : : "r"(SELECTOR_TSS));
}

static void enable_syscall(void)
{
	/* SYSRET's base is there so that its selectors come out right; exits use IRETQ. */
	msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_DATA << 48 |
				    (uint64_t)SELECTOR_KERNEL_CODE << 32);
	msr_write(MSR_LSTAR, (uint64_t)syscall_entry);
	msr_write(MSR_SFMASK, RFLAGS_AC | RFLAGS_DF | RFLAGS_IF | RFLAGS_TF | RFLAGS_NT |
				      RFLAGS_IOPL);
}

void segments_init(struct cpu *cpu)
{
	uint64_t area = (uint64_t)cpu - CPU_AREA_BLOCK;

	fill_tss((struct tss *)(area + CPU_AREA_TSS), cpu);
	fill_gdt((uint64_t *)(area + CPU_AREA_GDT), area + CPU_AREA_TSS, cpu->number);
	load_gdt((const uint64_t *)(area + CPU_AREA_GDT));
	segments_set_block(cpu);
	enable_syscall();
}
