/* SPDX-License-Identifier: MIT */
/*
 * The replenishments of a scheduling context: a bounded sporadic server.
 *
 *	head                     tail
 *	[time, amount] [time, amount] ...        at most REFILLS_MAX, in the order of their times
 *
 * A context with `budget` per `period` always owns replenishments that sum to its budget.  One
 * whose time has come may be consumed; what was consumed comes back one period after the time of
 * the replenishment that it was taken from.  So no sliding window shows more than the budget,
 * and time that a context did not use because it slept is not saved up.  When there is no room
 * for one more, the last two are merged at the later time: the owner is never given time early.
 *
 * budget == period is the round robin case: what was consumed comes back at once.
 *
 * Pure: all times are ticks of one clock, handed in.  Compiles on the host for its tests.
 */
#ifndef EXO_REFILLS_H
#define EXO_REFILLS_H

#include <stdbool.h>
#include <stdint.h>

#define REFILLS_MAX 8

struct refill {
	uint64_t time;   /* usable from here on */
	uint64_t amount; /* ticks, > 0 */
};

/* Written by the CPU of the scheduling context that holds it. */
struct refills {
	uint64_t budget, period; /* ticks, 0 < budget <= period */
	uint64_t least;          /* a head smaller than this is merged with its successor */
	uint32_t head, count;    /* count >= 1 */
	struct refill ring[REFILLS_MAX];
};

/* I6: ordered, none overlaps the next, and they sum to the budget. */
bool refills_ok(const struct refills *refills);

/* One replenishment of the whole budget, usable from `now` on. */
void refills_init(struct refills *refills, uint64_t budget, uint64_t period, uint64_t least, uint64_t now);

/* What can be consumed first. */
struct refill refills_head(const struct refills *refills);

static inline bool refills_round_robin(const struct refills *refills)
{
	return refills->budget == refills->period;
}

static inline bool refills_ready(const struct refills *refills, uint64_t now)
{
	return refills_head(refills).time <= now;
}

/*
 * `used` ticks have been consumed.  More than the head held is an overrun: it is taken from the
 * next ones, and when all are spent, the whole server is put back by whole periods.
 */
void refills_charge(struct refills *refills, uint64_t used, uint64_t now);

/*
 * The owner becomes runnable at `now` after it slept.  A head whose time has passed starts now,
 * and those that would begin before it ends join it.
 */
void refills_unblock(struct refills *refills, uint64_t now);

/* Change the budget: less is taken from the end, more comes one period from now. */
void refills_resize(struct refills *refills, uint64_t budget, uint64_t now);

/*
 * Another budget and period, budget < period, when nobody consumes it.  What could be consumed first stays
 * as far as the budget reaches, but comes at most a new period from now, unless more than an old one is
 * owed; the rest completes the budget one new period later.  So neither what has been used is given
 * again, nor does an owner wait for the end of an old period that was longer.
 */
void refills_change(struct refills *refills, uint64_t budget, uint64_t period, uint64_t now);

#endif
