/* SPDX-License-Identifier: MIT */
/*
 * What other CPUs ask of a CPU.  Only a CPU touches its own run queue; everything else comes
 * through here.
 *
 *	tasks    WAKE, DONATE, MIGRATE: the message is the task, linked by task->mailbox_next;
 *	         task->message says which.  A task is in at most one mailbox (I5), so the box
 *	         cannot overflow and a sender never waits.
 *	calls    CALL: run a function there; the message is the caller's struct mailbox_call
 *	thieves  STEAL: bit per CPU that would like a task
 *	refused  bit per CPU that had none to give
 *	flags    RESCHED and the like, one bit each: asking twice is asking once
 *
 * Each list is pushed by compare-and-swap and taken as a whole by exchange, so there is no ABA.
 *
 * Who has sent rings, unless the owner watches its mailbox: then it finds by itself what comes, and no
 * interrupt is needed.
 *
 * Why nothing is missed when it stops watching: a sender pushes, then looks at `watched`; the owner clears
 * that, then looks into the mailbox (mailbox_unwatch).  All four are sequentially consistent, so that either
 * the sender sees that it must ring, or the owner sees what was sent.
 */
#ifndef LIBOS_MAILBOX_H
#define LIBOS_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct task;

/* Why a task is in a mailbox: task->message.  The numbers are enum trace_wake's. */
enum mailbox_message {
	MESSAGE_WAKE = 1, /* it was blocked and is to run */
	MESSAGE_START,    /* it is new */
	MESSAGE_DONATE,   /* as WAKE, to the head of the queue, with task->donated_ns */
	MESSAGE_MIGRATE,  /* it was queued or ran elsewhere, and may not any more */
	MESSAGE_STOLEN,   /* it was queued elsewhere: the answer to STEAL */
};

enum mailbox_flag {
	MAILBOX_RESCHED = 1 << 0, /* look for something better to run, or for work bits */
	MAILBOX_PULL = 1 << 1,    /* an idle CPU: somebody has tasks waiting, ask for one */
	MAILBOX_PARAMETERS = 1 << 2, /* sched_changed of a task that is queued there was set */
};

/* Owned by the sender until done() has been called. */
struct mailbox_call {
	struct mailbox_call *next;
	/* On the target CPU, masked, on whatever stack it is; must not sleep. */
	void (*function)(struct mailbox_call *call);
};

struct mailbox {
	struct task *_Atomic tasks;
	struct mailbox_call *_Atomic calls;
	_Atomic uint64_t thieves, refused;
	_Atomic uint32_t flags;
	_Atomic bool watched; /* the owner writes it, senders read it */
};

/* Any CPU, masked.  True: the box part was empty, so the target must be told. */
bool mailbox_push_task(struct mailbox *m, struct task *t);
bool mailbox_push_call(struct mailbox *m, struct mailbox_call *call);

/* The owner.  Oldest first; NULL when there is none. */
struct task *mailbox_take_tasks(struct mailbox *m);
struct mailbox_call *mailbox_take_calls(struct mailbox *m);

/* Any CPU: something is in it. */
static inline bool mailbox_has_mail(const struct mailbox *m)
{
	return (uint64_t)atomic_load(&m->tasks) | (uint64_t)atomic_load(&m->calls) |
	       atomic_load(&m->thieves) | atomic_load(&m->refused) | atomic_load(&m->flags);
}

/* Any CPU, after a push that found a part of it empty, or not: must the target be rung? */
static inline bool mailbox_must_ring(const struct mailbox *m, bool first)
{
	return first && !atomic_load(&m->watched);
}

/* The owner: from here on it looks into the mailbox again and again. */
static inline void mailbox_watch(struct mailbox *m)
{
	atomic_store(&m->watched, true);
}

/* The owner, which is going to look no more.  True: something has come. */
static inline bool mailbox_unwatch(struct mailbox *m)
{
	atomic_store(&m->watched, false);
	return mailbox_has_mail(m);
}

#endif
