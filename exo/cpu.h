/* SPDX-License-Identifier: MIT */
/*
 * What each CPU has of its own.  Every CPU has an area of CPU_AREA_SIZE bytes in the kernel half,
 * with unmapped guard pages between its parts:
 *
 *	block with GDT and TSS | kernel stack | IST stacks: #DF, NMI, #MC | trace ring
 *
 * The areas are aligned to their size, so that an IST stack's address gives the block's: the
 * entries for NMI, #DF and #MC cannot trust GS.
 */
#ifndef EXO_CPU_H
#define EXO_CPU_H

#include "lock.h"
#include "run.h"

#define CPU_AREAS_BASE 0xffffff0000000000ul
#define CPU_AREA_SIZE 0x40000ul
#define CPU_AREA_BLOCK 0x00000ul
#define CPU_AREA_STACK 0x06000ul
#define CPU_AREA_STACK_SIZE 0x4000ul
#define CPU_AREA_IST 0x0c000ul         /* the first IST stack; the others follow ... */
#define CPU_AREA_IST_STRIDE 0x4000ul   /* ... at this distance */
#define CPU_AREA_IST_SIZE 0x2000ul
#define CPU_AREA_TRACE 0x20000ul
#define CPU_AREA_TRACE_SIZE 0x10000ul

enum cpu_ist { IST_DOUBLE_FAULT = 1, IST_NMI = 2, IST_MACHINE_CHECK = 3, IST_COUNT = 3 };

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

struct trace_ring;

/* The per-CPU block.  Its first page and its GS base belong to one CPU for good. */
struct cpu {
	/* Fixed after cpu_init(); the entry stubs use most of them. */
	struct cpu *self;
	uint64_t stack_top;    /* of the kernel stack */
	uint32_t number;       /* 0 .. cpu_count - 1 */
	uint32_t apic_id;
	uint64_t tsc_khz;      /* measured by this CPU */
	uint64_t timer_khz;    /* LAPIC timer ticks per millisecond, measured by this CPU */
	uint64_t timer_scale;  /* timer ticks per TSC tick, as a fraction of 2^32 */
	struct trace_ring *trace; /* CPU_AREA_TRACE_SIZE bytes, zeroed at boot */
	uint64_t gdt[8];
	struct tss tss;

	/* This CPU, in the SYSCALL stub and in trap_entry. */
	uint64_t user_rsp;     /* of the SYSCALL in progress */

	/* This CPU, when it changes to another vcore; read by the SYSCALL stub. */
	uint64_t text_start, text_end; /* exo calls come from here */
	uint64_t foreign_entry;        /* every other SYSCALL goes there */
	struct vcore *current;         /* the vcore on this CPU, NULL when idle */

	/* This CPU, except for what run.h says is anyone's. */
	struct run run;

	/* This CPU: how many locks of each rank it holds (I11). */
	uint8_t locks_held[LOCK_RANKS];

	/* This CPU, around its `sti; hlt`; read by others before they decide to send an IPI. */
	atomic_bool idle;

	/* Any CPU, set once: stop at the next NMI, another CPU reports a panic. */
	atomic_bool panic_stop;
	_Atomic uint64_t panic_stopped_at; /* this CPU, when it stops: where it was */

	/* This CPU; others may read them at any time. */
	struct exo_cpu_stats stats;
};
_Static_assert(sizeof(struct cpu) <= EXO_PAGE_SIZE, "the block is one page");

/* Number of CPUs that came up.  Fixed once the first domain starts. */
extern unsigned cpu_count;

/* The calling CPU's block. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* The block of CPU `number` < cpu_count. */
static inline struct cpu *cpu_by_number(unsigned number)
{
	return (struct cpu *)(CPU_AREAS_BASE + number * CPU_AREA_SIZE + CPU_AREA_BLOCK);
}

/* rung.c: an interrupt to another CPU, from this one. */
void cpu_interrupt(const struct cpu *target, unsigned vector);

#endif
