/* SPDX-License-Identifier: MIT */
/* What exo/x86 offers the rest of the kernel, file by file. */
#ifndef EXO_X86_MACHINE_H
#define EXO_X86_MACHINE_H

#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include "acpi.h"
#include "instructions.h"

struct cpu;

/* -------------------------------------------------------- trap.c */

/*
 * Entering and leaving the kernel.
 *
 * From ring 3 every entry builds a struct exo_regs at the top of the CPU's kernel stack, calls C,
 * and leaves with the registers that C returns, which may be another vcore's.  Whatever they say,
 * the stubs load user segments, flags that ring 3 may have, and an instruction pointer in the
 * user half (an impossible one becomes a fault of the vcore, not of the kernel).
 */

/* Vectors.  Below 32 are the processor's; 0x20 .. 0x2f is the masked PIC, should it ever speak. */
enum vector {
	VECTOR_DEBUG = 1, VECTOR_NMI = 2, VECTOR_BREAKPOINT = 3, VECTOR_OVERFLOW = 4,
	VECTOR_DOUBLE_FAULT = 8, VECTOR_PAGE_FAULT = 14, VECTOR_MACHINE_CHECK = 18, VECTOR_EXCEPTIONS = 32,
	VECTOR_TIMER = 0x30,      /* this CPU's LAPIC timer */
	VECTOR_RESCHEDULE = 0x31, /* IPI: look at what other CPUs have asked for */
	VECTOR_TLB = 0x32,        /* IPI: a space's generation has moved on */
	VECTOR_DEVICE_FIRST = 0x40, /* + line; above the lines come message-signalled interrupts */
	VECTOR_DEVICE_LAST = 0xef, VECTOR_SPURIOUS = 0xff,
	VECTOR_EXO_CALL = 0x100,  /* regs->vector of an entry by SYSCALL */
};

/* What LGDT and LIDT load. */
struct table_pointer {
	uint16_t limit;
	const void *base;
} __attribute__((packed));

#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS 0x28

/* ------------------------------------------------------- what this directory calls upwards */

/* An exo call: SYSCALL from the libos's text range.  Of *regs only RAX to R11 are there.  True: run_exit() is
 * to be called, with all of them. */
bool exo_call_entry(struct exo_regs *regs);

/* A processor exception in ring 3; regs->vector and regs->error say which, `address` is CR2 if it
 * is a page fault. */
struct exo_regs *fault_entry(struct exo_regs *regs, uint64_t address);

/* The way out after an interrupt that came in ring 3. */
struct exo_regs *run_exit(struct exo_regs *regs);

/* ------------------------------------------------------------------- what is offered */

/* Leaves the kernel with these registers, abandoning what is on the kernel stack. */
_Noreturn void trap_return(struct exo_regs *regs);

/* Sleeps until the next interrupt, which is latched, with interrupts off before and after.
 * The interrupt cannot come between the caller's last look and the sleep unnoticed: STI takes
 * effect only after the HLT has begun, or after an NMI, which does not go back to the HLT (trap.c). */
void cpu_idle_wait(void);

/* ------------------------------------------------------------------- inside exo/x86 */

void idt_init(void);  /* once */
void idt_load(void);  /* on each CPU */
struct exo_regs *trap_entry(struct exo_regs *regs);
void trap_paranoid(struct exo_regs *regs); /* NMI, #DF, #MC */

/* ---------------------------------------------------- features.c */

/* What the processor can do, and switching it on. */

/* Found on the boot CPU, the same on all; fixed afterwards. */
struct cpu_features {
	bool gigabyte_pages, smep, smap, umip, xsaveopt, x2apic, tsc_deadline;
	unsigned physical_bits;   /* width of a physical address */
	uint64_t vector_features; /* for XCR0 */
	uint32_t vector_size;     /* bytes of save area for them */
};
extern struct cpu_features cpu_features;

/* On the boot CPU, first of all. */
void features_detect(void) __attribute__((cold));

/* On the boot CPU, while the kernel's text can still be written: adapts it to the processor. */
void features_patch(void);

/* On each CPU: control registers, EFER and XCR0. */
void features_enable(void);

/* ------------------------------------------------- page_zero.asm */

/* Clears a page, however this processor does it best; the vector registers stay as they are. */
void page_zero(void *page);

/* Written by features_enable(), with the same on each CPU: before, YMM0 cannot be used. */
extern bool page_zero_by_vectors;

/* ------------------------------------------------------- lapic.c */

/* This CPU's local APIC: timer, interrupts between CPUs, end of interrupt. */

/* Once, on the boot CPU: where the registers are (xAPIC). */
void lapic_init(uint64_t address);

/* On each CPU. */
void lapic_enable(void);
uint32_t lapic_id(void);

void lapic_end_of_interrupt(void);

/* Interrupts a CPU by APIC ID: a vector, or one of these (STARTUP | number of the page to start
 * in).  Bounded; false if the previous one is still on its way after that, or without x2APIC the CPU is
 * out of reach. */
enum lapic_command { LAPIC_NMI = 4 << 8, LAPIC_INIT = 5 << 8, LAPIC_STARTUP = 6 << 8 };
bool lapic_send(uint32_t apic_id, uint32_t command);

/* One-shot: VECTOR_TIMER once the TSC has reached the deadline; at once if it has already.  It
 * may come early when the deadline is further off than the timer can count; the caller looks at
 * the time and arms it again.  Replaces the previous deadline. */
void lapic_timer_arm(uint64_t deadline_tsc);
void lapic_timer_stop(void); /* after lapic_timer_free_run(), and makes it ready to be armed */

/* For calibration: let the timer count down without interrupting, and read it. */
void lapic_timer_free_run(void);
uint32_t lapic_timer_count(void);

/* ------------------------------------------------------ ioapic.c */

/*
 * Interrupt lines.  A line below 16 is an ISA line and goes wherever the MADT says; any other is a
 * global system interrupt number.  Each call may be made on any CPU.
 */

/* At boot: maps the controllers, masks every line, and silences the PIC. */
void ioapic_init(const struct acpi_info *acpi) __attribute__((cold));

/* Sends the line to a CPU as `vector`; leaves it masked.  -EINVAL if no IO APIC has it. */
int ioapic_route(unsigned line, unsigned vector, uint32_t apic_id);
void ioapic_set_mask(unsigned line, bool masked); /* nothing for a line that is not there */

/* --------------------------------------------------- calibrate.c */

/* Each CPU measures its own clocks: neither TSCs nor LAPIC timers have to agree. */

#define CALIBRATION_US 10000ul

/* On each CPU: fills in tsc_khz, timer_khz and timer_scale of its block.  Takes CALIBRATION_US at least. */
void calibrate_cpu(void);

/* Waits, by this CPU's calibrated TSC. */
void wait_us(uint64_t us);

/* ---------------------------------------------------- segments.c */

/* Each CPU's own GDT and TSS, and the registers that SYSCALL uses. */

/* On the CPU itself: load segments, GS base, TSS and the SYSCALL registers. */
void segments_init(struct cpu *cpu);

/* Makes a block this CPU's own, before it has an area of its own. */
void segments_set_block(struct cpu *cpu);

/* --------------------------------------------------------- smp.c */

/* Bringing up CPUs. */

/* Below 1 MiB, as a start-up interrupt demands; RAM on every PC, and nobody's (MACHINE_FRAMES_END).  The
 * loader may have put something there, so the page is only borrowed. */
#define TRAMPOLINE_PAGE 0x8000ul

/* Makes the boot CPU number 0, with an area of its own; then starts every other CPU that ACPI lists, one
 * after the other, and sets cpu_count.  One that does not come up is reported and left out.  Those that
 * do sleep in cpu_run(). */
void smp_init(const struct acpi_info *acpi) __attribute__((cold));

/* ---------------------------------------------------- usercopy.asm */

/*
 * The only way in which the kernel touches user memory by its user address (K5, K7).  Copy a value
 * once, then check the copy.
 */

#define USER_END 0x800000000000ul /* one past the user half */

/* Return 0, or -EFAULT (-14): part of the range is in the kernel half, not mapped, or not allowed.
 * Part of the copy may have been made then. */
int copy_from_user(void *to, uint64_t from, size_t size);
int copy_to_user(uint64_t to, const void *from, size_t size);

/* --------------------------------------------------- user_iret.c */

/* IRETQ in ring 3, where the processor gets it wrong. */

/*
 * If this fault is that of an IRETQ from ring 3 to ring 3 which should not have faulted, does what
 * the instruction would have done and returns true: regs are where it leads.  Otherwise the fault
 * is a real one.
 */
bool user_iret_repair(struct exo_regs *regs);

/* --------------------------------------------------------- this CPU's TLB */

/* This CPU's TLB.  Kernel translations are global and never change after boot. */

/* Drops every translation of the user half. */
static inline void tlb_flush_all(void)
{
	cr3_write(cr3_read());
}

/* Drops the translation of one address, whatever the page's size. */
static inline void tlb_flush_page(uint64_t address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

#endif
