/* SPDX-License-Identifier: MIT */
/*
 * Waiting and waking.
 *
 * A wait queue is guarded by the lock of the thing it belongs to.  A task that must wait
 * registers itself and turns BLOCKING while it holds that lock, then drops it and leaves the CPU.
 * Why no wake is lost: the waker changes the condition and looks at the queue under the same
 * lock, so it comes either before the check (the waiter sees the condition) or after the
 * registration (the waker sees the waiter).  A wake that meets a task still BLOCKING, with its
 * stack in use, sets wake_pending; the switch path looks at it after it has published BLOCKED.
 */
#ifndef LIBOS_WAIT_H
#define LIBOS_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include "list.h"
#include "lock.h"
#include "sched/stats.h"

struct task;

struct wait_queue {
	struct list waiters; /* struct waiter.link; under the owner's lock */
};

struct waiter {
	struct list link;
	struct task *task; /* NULL: this is a struct called_waiter */
	bool woken; /* set by the waker, under the owner's lock */
	/* poll registers one waiter per file; key says which events it wants. */
	uint32_t key;
};

/*
 * A waiter that is called instead of woken, and stays in its queue: its `task` is NULL.  Only in queues of
 * pollers (fs/poll.h), whose wakes are all made by wake_all().
 */
struct wait_callback {
	/* Under the queue's lock, any context: allocates nothing, and leaves the queue alone.  Has it woken a
	 * task? */
	bool (*call)(struct wait_callback *c, uint32_t key);
	/* It need not be called if another such in the queue has woken a task, unless the key is WAKE_ANY. */
	bool exclusive;
};

struct called_waiter {
	struct waiter waiter;
	struct wait_callback *callback;
};

static inline void wait_queue_init(struct wait_queue *q) { list_init(&q->waiters); }

enum wait_flags {
	WAIT_INTERRUPTIBLE = 1 << 0, /* a deliverable signal ends the wait with -EINTR */
	WAIT_KILLABLE = 1 << 1,      /* only what ends the task (WORK_EXIT) does, with -EINTR */
};

/*
 * wait_on - sleep on a queue, like a condition variable
 *
 * Called in task context with exactly `lock` held; it is dropped while asleep and held again on
 * return.  deadline_ns is monotonic time, 0 for none.  Returns 0 (woken), -EINTR or -ETIMEDOUT.
 * The caller looks at its condition again whatever is returned.
 */
int wait_on(struct wait_queue *q, struct lock *lock, unsigned flags, uint64_t deadline_ns);

/*
 * The pieces, for poll and the like, which wait on several queues.
 *   waiter_add(q, w)       under q's lock
 *   wait_begin()           after all are registered or before; turns the task BLOCKING
 *   wait_sleep(...)        no lock held; returns as wait_on
 *   wait_sleep_masked(...) the same, masked once, without a deadline
 *   wait_sleep_unlock(...) the same with one lock held, which is dropped first
 *   waiter_remove(w)       under q's lock; harmless if already removed by a wake
 * Order: wait_begin(); register everywhere, checking conditions; if one is true wait_cancel(),
 * else wait_sleep(); then unregister everywhere.  Or, where looking at a condition may itself sleep: register
 * and check; wait_begin(); if `woken` of a waiter is set, under its queue's lock, wait_cancel().
 */
void waiter_init(struct waiter *w, uint32_t key);
void waiter_add(struct wait_queue *q, struct waiter *w);
void waiter_remove(struct waiter *w);
void wait_begin(void);
void wait_cancel(void);
int wait_sleep(unsigned flags, uint64_t deadline_ns);
int wait_sleep_masked(unsigned flags);
int wait_sleep_unlock(struct lock *lock, unsigned flags, uint64_t deadline_ns);
/* Task context, no lock held: sleeps until then, whatever comes; for who looks again from time to time. */
void wait_until(uint64_t deadline_ns);

/* Under the queue's lock; any context.  Wakes are delivered when the last lock is dropped. */
void wake_all(struct wait_queue *q, uint32_t key);
/* As wake_all, but for the first waiter whose key intersects; returns it, or NULL.
 * The donating form gives the woken task the rest of the caller's slice (sched/donate.c). */
struct task *wake_one(struct wait_queue *q, uint32_t key);
struct task *wake_one_donate(struct wait_queue *q, uint32_t key, enum donation_kind gift);
#define WAKE_ANY 0xffffffffu

/* Wake one task by pointer whatever it waits for, if its sleep may be ended by a signal.  A
 * reference or a lock must keep the task alive. */
void wake_task_signal(struct task *t);

#endif
