/* SPDX-License-Identifier: MIT */
/* The armed timers of one CPU: see time/time.h for what they promise, core/timer.c for how. */
#ifndef LIBOS_TIMER_QUEUE_H
#define LIBOS_TIMER_QUEUE_H

#include <libos/ordered.h>
#include <stdatomic.h>
#include "core/lock.h"

struct timer;
struct vcore;

struct timer_queue {
	struct lock lock; /* RANK_TIMER: guards the heap and every armed timer's fields */

	/* Under lock; ordered by deadline_ns.  Only the owner inserts, any CPU removes. */
	struct ordered_heap heap;

	/* Written under lock by who changes the heap: when its first timer is due, 0: none is armed.
	 * The owner reads it at any time: at worst it is of a timer that has just been removed. */
	_Atomic uint64_t first_tsc;

	/* Written under lock by the owner, or who looks after a CPU that is away: the timer whose fire()
	 * runs now; and before that, on which CPU. */
	struct timer *_Atomic firing;
	int32_t firer;
};

void timer_queue_init(struct timer_queue *q);
/* The owner, masked, no lock held: runs what is due. */
void timers_run(struct vcore *v);
/* The owner, masked: makes sure that the kernel's timer fires no later than the next timer or the
 * end of the running slice. */
void timers_program(struct vcore *v);
/* The same after a promise, with nothing else changed since it was last set. */
void timers_program_for_promise(struct vcore *v);

#endif
