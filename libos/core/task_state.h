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
 * The heir of a slice (sched/donate.c) goes from MAILBOX to RUNNING: its mailbox is vcore->heir.
 *
 * `state` is written by the CPU that owns the task.  `where` says which queue it is in (I3); moving
 * it away from WAITING is a compare-and-swap, which one waker wins: the winner owns the task until
 * it has passed it on.
 */
#ifndef LIBOS_TASK_STATE_H
#define LIBOS_TASK_STATE_H

#include <stdbool.h>
#include "core/task.h"

/* The owner. */
void task_set_state(struct task *t, enum task_state to);
/* The owner: from where it is known to be. */
void task_move(struct task *t, enum task_place from, enum task_place to);
/* Any CPU: true if it was WAITING; then the caller owns it, and it is in flight (MAILBOX). */
bool task_claim(struct task *t);

static inline enum task_state task_state(const struct task *t)
{
	return (enum task_state)atomic_load_explicit(&t->state, memory_order_relaxed);
}

static inline enum task_place task_place(const struct task *t)
{
	/* Sequentially consistent: notice_in_queue() in proc/sched_parameters.c looks here. */
	return (enum task_place)atomic_load(&t->where);
}

/* A task between wait_begin() and its sleep is about to leave the CPU by itself. */
static inline bool task_may_be_preempted(const struct task *t)
{
	return t && task_state(t) == TASK_RUNNING;
}

#endif
