/* SPDX-License-Identifier: MIT */
/* Waking: from "this task may go on" to "it is in a run queue". */
#ifndef LIBOS_WAKE_H
#define LIBOS_WAKE_H

#include <stdint.h>
#include "sched/stats.h"

struct task;
struct vcore;

/* Any CPU, masked: ends t's sleep, with the rest of the running slice if `gift` says for what.  It is
 * delivered when this CPU's mask count falls to zero, or before it schedules. */
void wake_later(struct task *t, enum donation_kind gift);

/* This CPU, masked, no lock held: passes on the tasks woken since the last call. */
void wakes_deliver(struct vcore *v);

/* This CPU, masked, no lock held, off t's stack: t, which is BLOCKING, sleeps from now on, or goes on
 * at once if a wake has come meanwhile. */
void leave_blocked(struct vcore *v, struct task *t);

/* The owner of a task in flight (MAILBOX), masked, no lock held: to the CPU's queue or mailbox. */
void task_send(struct vcore *v, struct task *t, unsigned cpu);

/* The same, of an heir that is not to run next after all: its wake is in the trace already, and now names the
 * wrong CPU at most. */
void task_send_heir(struct vcore *v, struct task *t, unsigned cpu);

/* This CPU, masked, no lock held: a task out of this CPU's mailbox, or sent to itself. */
void task_accept(struct vcore *v, struct task *t);

#endif
