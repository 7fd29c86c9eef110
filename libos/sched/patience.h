/* SPDX-License-Identifier: MIT */
/*
 * How long a library may let a task wait, in time that its CPU was given.
 *
 *	|<---- timeout ---->|<- a turn for each that is queued ->|
 *	queued                   late ...                            ... and starved
 *	                    |<- till its weight alone has earned a turn ->|
 *
 * A turn is what one task may take before the next: sixteen of the longest slices that the library has
 * given, since one that draws lots gives many in a row to the same.
 *
 * Who weighs a tenth of another may wait for ten of its turns, and who is SCHED_IDLE for 341 of each of nice
 * 0: anybody can make such tasks, and no library is ejected for what it is asked to do.  So of who is late
 * it is added up what is due to it: of each stretch of time the part that its weight is of all that could
 * run then.  That is right as well when heavy ones come and go.
 *
 * Any unit of time: ticks in the core (stall.c), nanoseconds in the simulator.
 */
#ifndef LIBOS_SCHED_PATIENCE_H
#define LIBOS_SCHED_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Of one CPU's queue, and that CPU's. */
struct patience {
	uint64_t timeout, look; /* fixed for a library; a look is the least turn */
	uint64_t turn;          /* by the longest slice so far */
	uint64_t looked;        /* when `due` was last brought up to date */
	uint64_t due;           /* to a task of weight 1 since ever, in parts of a unit of time */
};

/* Of a task that waits; where it is queued owns it. */
struct lateness {
	uint64_t queued_at; /* the wait that `due` is about: an earlier one's does not count */
	uint64_t due;       /* patience.due when it was first seen to be late */
};

/* Another library comes into force. */
void patience_begin(struct patience *p, uint64_t timeout, uint64_t look);

/* pick() has answered with a slice that is longer than all before. */
void patience_learn(struct patience *p, uint64_t slice);

static inline bool patience_is_late(const struct patience *p, uint64_t waited)
{
	return waited > p->timeout;
}

/* `passed` has passed since the last time; all that could run weigh so much together. */
void patience_pass(struct patience *p, uint64_t passed, uint64_t weight);

/* One of `count` that are queued is late: has it been starved?  `slice` is what it asks for, or 0. */
bool patience_is_over(const struct patience *p, struct lateness *l, uint64_t queued_at, uint64_t waited,
		      uint64_t count, unsigned weight, uint64_t slice);

/* A task leaves the queue, late or not, for another that its wait goes on in: what was due to it so far. */
uint64_t patience_due(const struct patience *p, const struct lateness *l, uint64_t queued_at);
/* There, where it has been queued since queued_at, as if it had waited here all the time. */
void patience_go_on(const struct patience *p, struct lateness *l, uint64_t queued_at, uint64_t due);

#endif
