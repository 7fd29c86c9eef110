/* SPDX-License-Identifier: MIT */
/*
 * What each CPU has of its own.  Every CPU has an area of CPU_AREA_SIZE bytes in the kernel half,
 * with unmapped guard pages between its parts:
 *
 *	kernel stack, block with GDT, TSS and trace | IST stacks: #DF, NMI, #MC
 *
 * The block lies where its stack begins, as each entry needs both: they share a page.  The areas are
 * aligned to their size, 64 KiB, so that an IST stack's address gives the block's: the entries for NMI,
 * #DF and #MC cannot trust GS.
 */
#ifndef EXO_CPU_H
#define EXO_CPU_H

#include "lock.h"
#include "run.h"
#include "x86/instructions.h"

/* Behind the image (exo.ld asserts it, with the number), whose page tables serve the first areas as well:
 * each entry needs both, and what walks the tables after a change of address space has fewer of them to look
 * at. */
#define CPU_AREAS_BASE 0xffffffff80180000ul
#define CPU_AREA_SIZE 0x10000ul
/* Whatever is used as a stack ends where a multiple of CPU_AREA_IST_STRIDE does. */
#define CPU_AREA_STACK 0x1000ul      /* of which the deepest call takes 3.9K */
#define CPU_AREA_STACK_SIZE 0x3000ul /* with the block */
#define CPU_AREA_BLOCK 0x3700ul
#define CPU_AREA_IST 0x7000ul        /* the first IST stack; the others follow ... */
#define CPU_AREA_IST_STRIDE 0x4000ul /* ... at this distance */
#define CPU_AREA_IST_SIZE 0x1000ul

enum cpu_ist { IST_DOUBLE_FAULT = 1, IST_NMI = 2, IST_MACHINE_CHECK = 3, IST_COUNT = 3 };

/* SDM vol. 3A, figure 8-11. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map; /* beyond the limit: ring 3 may use no port directly */
} __attribute__((packed));

#define TRACE_EVENTS 32

/* One of the last things that a CPU did, for the report of a panic. */
struct trace_event {
	uint64_t tsc;
	const char *what;
	uint64_t a, b;
};

/* The per-CPU block.  Its page and its GS base belong to one CPU for good. */
struct cpu {
	/* Written by this CPU before smp_init() is over, and never since; the entries use most of them. */
	struct cpu *self;
	uint64_t stack_top;    /* of the kernel stack */
	uint32_t number;       /* 0 .. cpu_count - 1 */
	uint32_t apic_id;
	uint64_t tsc_khz;      /* measured by this CPU */
	uint64_t timer_khz;    /* LAPIC timer ticks per millisecond, measured by this CPU */
	uint64_t timer_scale;  /* timer ticks per TSC tick, as a fraction of 2^32 */
	/* Of the last descriptors, which are numbers of CPUs, only the CPU's own is there. */
	uint64_t gdt[EXO_CPU_SELECTOR / 8 + EXO_CPUS_MAX];
	struct tss tss;
	/* Written by the boot CPU until smp_init() is over: a bit for each CPU that came up, but its own. */
	uint64_t others;

	/* This CPU, in syscall_entry. */
	uint64_t user_rsp;     /* of the SYSCALL in progress */

	/* This CPU, when it changes to another vcore. */
	struct exo_entries entries; /* of its domain, for trap.asm */
	struct vcore *current;      /* the vcore on this CPU, NULL when idle */

	/* This CPU, except for what run.h says is anyone's. */
	struct run run;

	/* This CPU, in debug builds: how many locks of each rank it holds (I11). */
	uint8_t locks_held[LOCK_RANKS];

	/* This CPU, around its `sti; hlt`; read by others before they decide to send an IPI. */
	atomic_bool idle;

	/* This CPU, set once (release: the rates above are there). */
	atomic_bool is_calibrated;

	/* Any CPU, set once: stop at the next NMI, another CPU reports a panic. */
	atomic_bool panic_stop;
	_Atomic uint64_t panic_stopped_at; /* this CPU, when it stops: where it was */

	/* This CPU; others may read them at any time. */
	struct exo_cpu_stats stats;

	/* This CPU, by trace(): events so far, of which the next goes to traced % TRACE_EVENTS. */
	uint64_t traced;
	struct trace_event trace[TRACE_EVENTS];
};
_Static_assert(CPU_AREA_BLOCK + sizeof(struct cpu) <= CPU_AREA_IST_STRIDE, "it is mapped");

/* Number of CPUs that came up.  Fixed once the first domain starts. */
extern unsigned cpu_count;

/* The calling CPU's block. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Only slow paths are traced: a TSC read and four stores each. */
static inline void trace(const char *what, uint64_t a, uint64_t b)
{
	struct cpu *cpu = this_cpu();

	cpu->trace[cpu->traced++ % TRACE_EVENTS] = (struct trace_event){ tsc_read(), what, a, b };
}

/* Does the current vcore remember the space that it runs in by this handle?  handle_view() would find that
 * then, with the SPACE_NAME_RIGHTS; and it stays until the vcore goes elsewhere, which ends a call. */
static inline bool handle_names_loaded(const struct cpu *cpu, exo_handle h)
{
	const struct space_name *name = vcore_name(cpu->current, h);

	return name->handle == h && name->space == cpu->run.space && name->clock == atomic_load(&stale_clock);
}

/* The block of CPU `number` < cpu_count. */
static inline struct cpu *cpu_by_number(unsigned number)
{
	return (struct cpu *)(CPU_AREAS_BASE + number * CPU_AREA_SIZE + CPU_AREA_BLOCK);
}

/* rung.c: an interrupt to another CPU, from this one. */
void cpu_interrupt(const struct cpu *target, unsigned vector);

#endif
