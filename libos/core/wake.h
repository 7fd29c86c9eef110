/* SPDX-License-Identifier: MIT */
/* Waking: from "this task may go on" to "it is in a run queue". */
#ifndef LIBOS_WAKE_H
#define LIBOS_WAKE_H

#include <stdbool.h>
#include <stdint.h>
#include "core/task_state.h"
#include "sched/stats.h"

struct task;
struct vcore;

/* Any CPU, masked: ends t's sleep, with the rest of the running slice if `gift` says for what.  It is
 * delivered when this CPU's mask count falls to zero, or before it schedules. */
void wake_later(struct task *t, enum donation_kind gift);

/* This CPU, masked, no lock held: passes on the tasks woken since the last call. */
void wakes_deliver(struct vcore *v);

/* The owner of a task in flight (MAILBOX), masked, no lock held: to the CPU's queue or mailbox. */
void task_send(struct vcore *v, struct task *t, unsigned cpu);

/* The same, of an heir that is not to run next after all: its wake is in the trace already, and now names the
 * wrong CPU at most. */
void task_send_heir(struct vcore *v, struct task *t, unsigned cpu);

/* This CPU, masked, no lock held: a task out of this CPU's mailbox, or sent to itself. */
void task_accept(struct vcore *v, struct task *t);

/* For leave_blocked() only: t has been claimed, and its wake has come before its sleep. */
void wake_at_once(struct vcore *v, struct task *t);

/*
 * This CPU, masked, no lock held, off t's stack: t, which is BLOCKING, sleeps from now on; or is queued, if a
 * wake has come meanwhile, and that is true.
 *
 * The stack has been left: from here on anyone may wake the task, and another CPU may run it.
 *
 * Why no wake is lost, and none acts twice: we store `where` = WAITING, then look at wake_pending.
 * A waker sets wake_pending, then looks at `where` (wake_later).  All four are sequentially consistent,
 * so at least one of the two sees the other's store; if both do, the compare-and-swap in
 * task_claim() lets one of them have the task.
 *
 * I12: on_cpu falls before `where` is stored, so who claims the task finds its stack left.
 *
 * If our host CPU stalls between the store and the look, the task may have run elsewhere meanwhile
 * and be asleep again, even as another task in the same slot.  Then the wake that we find is meant
 * for that sleep, and the claim as good as the waker's; but its home is not here any more.  Hence
 * task_send(), which makes it so.
 */
__attribute__((always_inline)) static inline bool leave_blocked(struct vcore *v, struct task *t)
{
	atomic_store_explicit(&t->on_cpu, false, memory_order_release);
	task_set_state(t, TASK_BLOCKED);
	task_move(t, PLACE_RUNNING, PLACE_WAITING);
	if (!atomic_load(&t->wake_pending) || !task_claim(t))
		return false;
	wake_at_once(v, t);
	return true;
}

#endif
