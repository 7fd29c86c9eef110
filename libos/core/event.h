/* SPDX-License-Identifier: MIT */
/* What a CPU does when something has happened. */
#ifndef LIBOS_EVENT_H
#define LIBOS_EVENT_H

#include <exo/abi.h>
#include <stdbool.h>
#include "core/task.h"

struct vcore;
struct task;

/*
 * This CPU, masked, no lock held, any stack: takes the pending bits and deals with everything they
 * announce: the kernel's messages, timers, other CPUs' requests, the end of the slice.  Sets
 * v->need_resched rather than switching.
 */
void events_process(struct vcore *v);
/* The same, but leaves the kernel's timer to the caller, who is about to set it (timers_program). */
void events_take(struct vcore *v);

/* Any CPU, masked: makes `cpu` look at its mailbox; only if `first`, else somebody has rung for what
 * was there before, and it has not looked yet; and not if it looks by itself (core/mailbox.h). */
void vcore_ring(unsigned cpu);
void vcore_ring_if(unsigned cpu, bool first);

/* Entered from entry.asm on the event stack, masked. */
_Noreturn void event_upcall(struct exo_vcore_page *page);
_Noreturn void resume_interrupted(struct exo_regs *regs);
_Noreturn void fault_upcall(struct exo_vcore_page *page);
_Noreturn void fault_masked_upcall(struct exo_vcore_page *page);

/*
 * Upcalls, on the event stack: what was interrupted?  Puts regs to where they can be continued (see
 * entry.h) and says whether that is in the program.
 */
bool interrupted_program(const struct task *t, struct exo_regs *regs);

/* The interrupted task's registers go to where they belong: the user frame, or its own stack below
 * its stack pointer (libos code has no red zone).  Returns their place there. */
struct exo_regs *interrupted_save(struct task *t, struct exo_regs *regs, bool program);
/* The same for a program's, which are in the vcore's page. */
static inline void interrupted_save_program(struct task *t, const struct exo_regs *regs)
{
	void *to = t->frame;
	uint64_t words = sizeof(*regs) / sizeof(uint64_t);

	/* The compiler would make twice as many steps of it, of four bytes. */
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(regs), "+c"(words) : : "memory");
	t->entry = ENTRY_FULL;
	t->vector_live = true;
}

#endif
