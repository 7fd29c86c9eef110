/* SPDX-License-Identifier: MIT */
/* The interrupt descriptor table, and what comes in through it. */
#include "kernel.h"

#define ENTRY_SIZE 16
#define GATE_KERNEL 0x8e00u /* an interrupt gate (interrupts off on entry), DPL 0 */
#define GATE_USER 0xee00u   /* the same, but ring 3 may use the INT instruction */

struct gate {
	uint16_t offset_low, selector, ist_and_type, offset_middle;
	uint32_t offset_high, reserved;
};

/* A kernel instruction that may fault, and where to go on if it does. */
struct fixup { uint64_t fault, resume; };

static struct gate idt[256] __attribute__((aligned(16))) READ_ONLY_AFTER_BOOT;

extern char trap_entries[];
extern const struct fixup kernel_ex_table_start[], kernel_ex_table_end[];

static const char *const exception_names[VECTOR_EXCEPTIONS] = {
	[0] = "division error", [1] = "debug exception", [2] = "NMI", [3] = "breakpoint", [4] = "overflow",
	[5] = "bound exceeded", [6] = "invalid instruction", [7] = "vector unit not available",
	[8] = "double fault", [10] = "invalid TSS", [11] = "segment not present", [12] = "stack fault",
	[13] = "general protection fault", [14] = "page fault", [16] = "x87 error", [17] = "alignment check",
	[18] = "machine check", [19] = "SIMD floating-point error",
};

void idt_init(void)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		uint64_t entry = (uint64_t)trap_entries + vector * ENTRY_SIZE;
		bool user = vector == VECTOR_BREAKPOINT || vector == VECTOR_OVERFLOW;
		uint16_t low = entry, mid = entry >> 16, type = user ? GATE_USER : GATE_KERNEL;

		idt[vector] = (struct gate){ low, SELECTOR_KERNEL_CODE, type, mid, entry >> 32, 0 };
	}
	idt[VECTOR_DOUBLE_FAULT].ist_and_type |= IST_DOUBLE_FAULT;
	idt[VECTOR_NMI].ist_and_type |= IST_NMI;
	idt[VECTOR_MACHINE_CHECK].ist_and_type |= IST_MACHINE_CHECK;
}

void idt_load(void)
{
	struct table_pointer pointer = { sizeof(idt) - 1, idt };

	asm volatile("lidt %0" : : "m"(pointer));
}

/* Charges the time so far and leaves a mark; run_exit() does the rest. */
static void dispatch_interrupt(unsigned vector)
{
	struct cpu *cpu = this_cpu();
	uint64_t now = tsc_read();

	if (vector == VECTOR_SPURIOUS || vector < VECTOR_TIMER)
		return; /* the LAPIC's, or the masked PIC's: no end of interrupt */
	run_account(cpu, now);
	trace("interrupt", vector, 0);
	cpu->stats.interrupts++;
	if (vector == VECTOR_TIMER) {
		cpu->run.attention = true;
		cpu->run.armed = 0;
	} else if (vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST) {
		irq_latch(vector);
	} else {
		cpu->stats.ipis_received++; /* VECTOR_RESCHEDULE: its sender has rung a vcore (rung.c) */
	}
	if (vector == VECTOR_TLB)
		tlb_catch_up();
	lapic_end_of_interrupt();
	run_serve(cpu, now);
}

/* What a page fault's error code and address say, for the report. */
static const char *page_fault_words(uint64_t error)
{
	if (error & 1 << 4)
		return "instruction fetch from";
	return error & 1 << 1 ? "write to" : "read of";
}

static struct exo_regs *kernel_trap(struct exo_regs *regs)
{
	if (regs->vector >= VECTOR_EXCEPTIONS) { /* only the idle loop lets interrupts in */
		dispatch_interrupt((unsigned)regs->vector);
		return regs;
	}
	for (const struct fixup *f = kernel_ex_table_start; f < kernel_ex_table_end; f++)
		if (f->fault == regs->rip) {
			regs->rip = f->resume;
			return regs;
		}
	if (regs->vector == VECTOR_PAGE_FAULT)
		panic_with_regs(regs, "page fault in the kernel: %s %p, %s (error %lx)",
				page_fault_words(regs->error), (void *)cr2_read(),
				regs->error & 1 ? "not allowed there" : "nothing is mapped there",
				regs->error);
	panic_with_regs(regs, "%s in the kernel (vector %lu, error %lx)",
			exception_names[regs->vector] ? exception_names[regs->vector] : "unknown exception",
			regs->vector, regs->error);
}

struct exo_regs *trap_entry(struct exo_regs *regs)
{
	if (!(regs->cs & 3))
		return kernel_trap(regs);
	debug_entry_begins(regs->vector);
	if (regs->vector < VECTOR_EXCEPTIONS)
		return fault_entry(regs, regs->vector == VECTOR_PAGE_FAULT ? cr2_read() : 0);
	dispatch_interrupt((unsigned)regs->vector);
	return run_exit(regs);
}

void trap_paranoid(struct exo_regs *regs)
{
	if (regs->vector != VECTOR_NMI)
		panic_with_regs(regs, "%s", exception_names[regs->vector]);
	this_cpu()->stats.nmis++; /* nobody else writes it, and NMIs do not nest */
	/* Behind us STI does not hold interrupts back any more: who is about to halt looks for work again. */
	if (regs->rip == (uint64_t)cpu_idle_wait + 1)
		regs->rip++;
	debug_nmi_taken(regs);
	panic_stop_if_asked(regs);
}
