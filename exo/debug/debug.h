/* SPDX-License-Identifier: MIT */
/* What only the debug build does: in the others these are nothing, and their files are not compiled. */
#ifndef EXO_DEBUG_DEBUG_H
#define EXO_DEBUG_DEBUG_H

#include <stdbool.h>
#include <stdint.h>
#include "cpu.h"
#include "frame.h"
#include "invariant.h"

/* entry_time.c, poison.c */
void entry_begins(uint64_t vector);
void entry_ends(void);
void frame_poison(uint64_t frame);
/* inject.c */
void inject_init(const char *command_line);
void inject_entry(uint64_t vector);
bool inject_interrupt(const struct cpu *target, unsigned vector);
uint64_t inject_timer(uint64_t next, uint64_t now);
/* nmi.c */
struct exo_regs;
void nmi_init(const char *command_line);
uint32_t nmi_pin(uint32_t masked);
void nmi_taken(const struct exo_regs *regs);
void nmi_report(void);

/* This CPU has entered the kernel, or has something to do again after it was idle.  `vector` is that
 * of the entry, for the report. */
static inline void debug_entry_begins(uint64_t vector)
{
	if (EXO_DEBUG) {
		entry_begins(vector);
		nmi_report();
		inject_entry(vector);
	}
}

/* It leaves the kernel, or is idle. */
static inline void debug_entry_ends(void)
{
	if (EXO_DEBUG)
		entry_ends();
}

/* Who holds a lock, and how many of each rank a CPU has: only assertions ask. */
static inline void debug_lock_taken(struct lock *lock, struct cpu *self)
{
	if (EXO_DEBUG) {
		atomic_store_explicit(&lock->owner, self->number + 1, memory_order_relaxed);
		self->locks_held[lock->rank]++;
	}
}

static inline void debug_lock_given_back(struct lock *lock, struct cpu *self)
{
	if (EXO_DEBUG) {
		self->locks_held[lock->rank]--;
		atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
	}
}

/* An object's frame is about to be given back: whoever still reads it finds no pointer in it. */
static inline void debug_poison(uint64_t frame)
{
	if (EXO_DEBUG)
		frame_poison(frame);
}

/* frame_release() for an object's frame. */
static inline void debug_release(uint64_t frame)
{
	debug_poison(frame);
	frame_release(frame);
}

/* Nothing of an object is left in its frame, which goes to another domain. */
static inline void debug_scrub(uint64_t frame)
{
	if (EXO_DEBUG)
		frame_poison(frame);
	else
		frame_zero(frame);
}

/* Which interrupts go wrong on purpose. */
static inline void debug_init(const char *command_line)
{
	if (EXO_DEBUG) {
		inject_init(command_line);
		nmi_init(command_line);
	}
}

/* What a CPU's table of local interrupts has for the pin LINT1, which otherwise is masked. */
static inline uint32_t debug_nmi_pin(uint32_t masked)
{
	return EXO_DEBUG ? nmi_pin(masked) : masked;
}

/* This CPU has met an NMI. */
static inline void debug_nmi_taken(const struct exo_regs *regs)
{
	if (EXO_DEBUG)
		nmi_taken(regs);
}

/* Is this one not to be sent? */
static inline bool debug_interrupt_lost(const struct cpu *target, unsigned vector)
{
	return EXO_DEBUG && inject_interrupt(target, vector);
}

/* When the timer is to go off, for what it should go off at `next`. */
static inline uint64_t debug_timer(uint64_t next, uint64_t now)
{
	return EXO_DEBUG ? inject_timer(next, now) : next;
}

#endif
