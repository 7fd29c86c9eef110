/* SPDX-License-Identifier: MIT */
/*
 * The state machine of tasks.  Nobody else assigns task->state or task->where.
 *
 *	                 task_start            enter                     wait_begin
 *	BLOCKED, NONE  ------------> RUNNABLE ------> RUNNING, RUNNING ------------> BLOCKING, RUNNING
 *	                  MAILBOX,     ^   ^             |       |  ^                     |      |
 *	                  QUEUED       |   +-------------+       |  +---------------------+      |
 *	                               |      preempted          |        wait_cancel            |
 *	                          wake |                         v                               |
 *	                               |                       ZOMBIE, NONE       stack left     |
 *	                               +------------------- BLOCKED, WAITING <-------------------+
 *
 * The heir of a slice (sched/donate.c) goes from BLOCKED, MAILBOX to RUNNING, RUNNING: its mailbox is
 * vcore->heir.
 *
 * `state` is written by the CPU that owns the task.  `where` says which queue it is in (I3); moving
 * it away from WAITING is a compare-and-swap, which one waker wins: the winner owns the task until
 * it has passed it on.
 */
#ifndef LIBOS_TASK_STATE_H
#define LIBOS_TASK_STATE_H

#include <stdbool.h>
#include "core/task.h"
#include "debug/inject.h"

#define BIT(n) (1u << (n))

static const uint8_t allowed_states[TASK_STATES] = {
	[TASK_RUNNABLE] = BIT(TASK_RUNNING),
	[TASK_RUNNING] = BIT(TASK_RUNNABLE) | BIT(TASK_BLOCKING) | BIT(TASK_ZOMBIE),
	[TASK_BLOCKING] = BIT(TASK_RUNNING) | BIT(TASK_BLOCKED),
	[TASK_BLOCKED] = BIT(TASK_RUNNABLE) | BIT(TASK_RUNNING),
	[TASK_ZOMBIE] = 0,
};

static const uint8_t allowed_places[] = {
	[PLACE_NONE] = BIT(PLACE_MAILBOX),
	[PLACE_QUEUED] = BIT(PLACE_RUNNING) | BIT(PLACE_MAILBOX),
	[PLACE_RUNNING] = BIT(PLACE_QUEUED) | BIT(PLACE_WAITING) | BIT(PLACE_MAILBOX) | BIT(PLACE_NONE),
	[PLACE_MAILBOX] = BIT(PLACE_QUEUED) | BIT(PLACE_MAILBOX) | BIT(PLACE_RUNNING),
	[PLACE_WAITING] = BIT(PLACE_MAILBOX),
};

#undef BIT

/* What the tables do not allow: the end of the domain. */
__attribute__((cold)) _Noreturn void task_state_bug(const struct task *t, enum task_state to);
__attribute__((cold)) _Noreturn void task_place_bug(const struct task *t, enum task_place from,
						     enum task_place to);

static inline enum task_state task_state(const struct task *t)
{
	return (enum task_state)atomic_load_explicit(&t->state, memory_order_relaxed);
}

static inline enum task_place task_place(const struct task *t)
{
	/* Sequentially consistent: notice_in_queue() in proc/sched_parameters.c looks here. */
	return (enum task_place)atomic_load(&t->where);
}

/* The owner. */
__attribute__((always_inline)) static inline void task_set_state(struct task *t, enum task_state to)
{
	if (!(allowed_states[task_state(t)] >> to & 1))
		task_state_bug(t, to);
	/* Release: whoever sees the new state sees what was done before it. */
	atomic_store_explicit(&t->state, (uint8_t)to, memory_order_release);
}

/* The owner: from where it is known to be. */
__attribute__((always_inline)) static inline void task_move(struct task *t, enum task_place from,
							     enum task_place to)
{
	race_point();
	if (task_place(t) != from || !(allowed_places[from] >> to & 1))
		task_place_bug(t, from, to);
	/* Sequentially consistent: leave_blocked() in wake.h argues why. */
	atomic_store(&t->where, (uint8_t)to);
}

/* Any CPU: true if it was WAITING; then the caller owns it, and it is in flight (MAILBOX). */
static inline bool task_claim(struct task *t)
{
	uint8_t expect = PLACE_WAITING;

	race_point();
	return atomic_compare_exchange_strong(&t->where, &expect, PLACE_MAILBOX);
}

/* A task between wait_begin() and its sleep is about to leave the CPU by itself. */
static inline bool task_may_be_preempted(const struct task *t)
{
	return t && task_state(t) == TASK_RUNNING;
}

#endif
