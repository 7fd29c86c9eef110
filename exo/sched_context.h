/* SPDX-License-Identifier: MIT */
/*
 * Scheduling contexts: the right to a share of one CPU.
 *
 * The SCs of a CPU are a tree.  Its root, made at boot, is the whole CPU.  Splitting moves a part
 * of a parent's share to a new child; reclaiming moves it back, and what had been split from the
 * child becomes the parent's.  So the shares of a CPU always sum to exactly one, which is the
 * whole admission test: nobody can hand out what he does not have.
 */
#ifndef EXO_SCHED_CONTEXT_H
#define EXO_SCHED_CONTEXT_H

#include "object.h"
#include "refills.h"

/* Shares are fractions of 2^24, rounded up when they are given out and down when they are turned
 * into a budget, so that the budgets can only sum to less than the CPU. */
#define SC_SHARE_BITS 24
#define SC_SHARE_ONE (1ul << SC_SHARE_BITS)
/* The least share of an SC; it bounds how many there are on a CPU. */
#define SC_SHARE_LEAST (SC_SHARE_ONE / 256)

#define SC_PERIOD_LEAST_NS 1000000ul
#define SC_PERIOD_MOST_NS 10000000000ul
#define SC_BUDGET_LEAST_NS 100000ul
#define SC_ROOT_PERIOD_NS 10000000ul

struct run;
struct vcore;

/* Whose mailbox is told when the budget has run out.  No reference: one that has gone is not told,
 * and nobody can be kept from going by being named here. */
struct timeout {
	uint64_t frame, generation; /* of the handler, a vcore; generation 0 = nobody */
	uint64_t word;
};

struct sched_context {
	struct object object;

	/* Fixed after creation. */
	unsigned cpu;

	/* Its CPU only (I8). */
	struct sched_context *next;   /* run->contexts */
	struct sched_context *parent; /* NULL for the root */
	uint64_t share;               /* of SC_SHARE_ONE */
	struct refills refills;       /* in TSC ticks */
	struct vcore *vcore;          /* bound to it, NULL = none */
	struct timeout timeout;
	uint64_t owed;                /* ticks of interrupts for it, to be charged when it runs */
	bool held;                    /* ran out; the vcore waits until an SC is bound to it again */
	_Atomic uint64_t revoke_by;   /* revoke_due() */

	/* Its CPU writes, any CPU reads. */
	_Atomic uint64_t consumed;    /* ticks */
	atomic_bool detached;         /* reclaimed: in no tree, bound to nothing */
};
_Static_assert(sizeof(struct sched_context) <= EXO_PAGE_SIZE, "the object is one frame");

/* When the share that sc has now should have been had: what run_exit() orders READY by. */
static inline uint64_t sc_deadline(const struct sched_context *sc)
{
	return refills_head(&sc->refills).time + sc->refills.period;
}

/*
 * Its CPU, in the exit function: the budget has run out.  True: its handler has been told, and says
 * what is to be.  False, so that the vcore waits for its replenishment: there is none, it is the
 * vcore itself, its domain is dying, or its mailbox is full.
 */
bool sc_tell_handler(const struct sched_context *sc);

/* The root of a CPU that does not run vcores yet. */
struct sched_context *sc_init_root(struct domain *owner, uint64_t frame, unsigned cpu);

/* Its CPU; sc is bound to nothing and is not the root. */
void sc_detach(struct run *run, struct sched_context *sc, uint64_t now);

/* Its CPU; nobody runs on sc, and its parent is charged up to now. */
void sc_move_share(struct run *run, struct sched_context *sc, const struct sc_share *to, uint64_t now);

#endif
