/* SPDX-License-Identifier: MIT */
/*
 * The core's side of one CPU's queue: what must be right whatever the library does.
 *
 *	ready    the core's own list of the tasks queued here, oldest first.  It is what the
 *	         library's answers are checked against, and it is the built-in FIFO: that takes the
 *	         first of them while it is in force, otherwise the first that the library refused to
 *	         attach.  So the FIFO rests on nothing that a library can reach.
 *	instance the library whose callbacks this CPU calls.  Each CPU changes it by itself, when it
 *	         sees that another is in force (library.c).
 */
#ifndef LIBOS_RUN_QUEUE_H
#define LIBOS_RUN_QUEUE_H

#include <libos/sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/list.h"
#include "sched/guard.h"

struct sched_instance;
struct vcore;

struct run_queue {
	/* This CPU. */
	struct sched_instance *instance;
	/* The instance's, and what a switch wants to know of them, so that it reads no more of that. */
	const struct sched_ops *ops;
	bool asked_about_gifts; /* it has donate() or select_cpu() */
	bool charged;           /* it has charge() */
	bool has_refused;       /* there may be tasks in `ready` that it has refused */
	uint32_t generation;    /* of the instance, when this CPU came to it; 0: it takes no part */
	struct sched_instance *visited; /* whose init() or exit() runs on this CPU now, or NULL */
	struct list ready;      /* struct task.ready_link */
	struct sched_guard guard;
	uint64_t random;        /* state of sched_random() */
	uint64_t granted;       /* ticks that this CPU has been given: stall.c */
	uint64_t looked_tsc;    /* when that was last brought up to date */
	uint64_t longest_slice_ns; /* that pick() has answered with, of the instance, on this CPU */
	uint64_t uneven_since_tsc; /* since when fewer wait elsewhere (balance.c), 0: they do not */

	/* This CPU; others read it as a hint. */
	_Atomic uint32_t count; /* tasks in `ready` */
};

void run_queue_init(struct run_queue *q, unsigned cpu);

/* This CPU: whose callbacks it calls from now on. */
static inline void run_queue_set_ops(struct run_queue *q, const struct sched_ops *ops)
{
	q->ops = ops;
	q->asked_about_gifts = ops->donate || ops->select_cpu;
	q->charged = ops->charge;
}

/* All of these: the owner, masked, no lock held. */

/* t is RUNNABLE and QUEUED, home here, in no list. */
void run_queue_add(struct vcore *v, struct task *t, enum sched_why why);
/* Takes a queued task out of all lists again; it stays QUEUED in name until the caller moves it. */
void run_queue_remove(struct vcore *v, struct task *t);
/* The task to be run next, taken out likewise, or {NULL} when none is queued.  `prev` is the task
 * that ran last, if it was runnable. */
struct sched_run run_queue_pick(struct vcore *v, struct task *prev);
/* A task that `thief` may run, taken out likewise, or NULL. */
struct task *run_queue_steal(struct vcore *v, unsigned thief);
/* The running task used the CPU.  False: nobody wants to know. */
bool run_queue_charge(struct vcore *v, struct task *t, uint64_t ns);
/* t, which is this CPU's or in its hands, is made known to the library. */
void run_queue_admit(struct vcore *v, struct task *t);
/* May `from`, which runs here or has just stopped, give its slice to `to`?  That one is queued, on
 * whatever CPU, or in flight in the hands of this one.  Answers as sched_ops.donate(): below 0, no. */
int run_queue_may_donate(struct vcore *v, struct task *from, struct task *to);
/* Where the library wants t, which is in flight, to be queued; -1 when it has no opinion. */
int run_queue_select_cpu(struct vcore *v, struct task *t, int prev, enum sched_why why);
bool run_queue_has_opinion(const struct vcore *v); /* it has select_cpu() */
/* The task has ended. */
void run_queue_forget(struct vcore *v, struct task *t);
/* Of a queue that is not empty. */
struct task *run_queue_oldest(const struct vcore *v);
/* All queued tasks go to another instance's queue. */
void run_queue_hand_over(struct vcore *v, struct sched_instance *to);
/* The queue is empty and stays so: the library is told. */
void run_queue_leave(struct vcore *v);
void run_queue_dump(struct vcore *v, sched_printf print);
/* Is t queued here?  For pointers that a library made up, too. */
bool run_queue_holds(const struct vcore *v, const struct task *t);

#endif
