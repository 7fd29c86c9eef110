/* SPDX-License-Identifier: MIT */
/* Going to sleep: see wait.h. */
#include "core/wait.h"
#include "abi/errno.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "proc/signal.h"
#include "time/time.h"

struct sleep_timer {
	struct timer timer;
	struct task *task;
};

static void sleep_timer_fire(struct timer *timer)
{
	wake_later(container_of(timer, struct sleep_timer, timer)->task, DONATION_NONE);
}

void waiter_init(struct waiter *w, uint32_t key)
{
	list_init(&w->link);
	w->task = current();
	w->woken = false;
	w->key = key;
}

void waiter_add(struct wait_queue *q, struct waiter *w)
{
	w->woken = false;
	list_push_back(&q->waiters, &w->link);
}

void waiter_remove(struct waiter *w)
{
	list_remove(&w->link);
}

/* From here on a wake is remembered, even one that comes before the sleep. */
void wait_begin(void)
{
	struct task *t = current();

	atomic_store(&t->wake_pending, false);
	task_set_state(t, TASK_BLOCKING);
}

void wait_cancel(void)
{
	task_set_state(current(), TASK_RUNNING);
}

static bool interrupted(const struct task *t, unsigned flags)
{
	if ((flags & (WAIT_INTERRUPTIBLE | WAIT_KILLABLE)) && (atomic_load(&t->work) & WORK_EXIT))
		return true;
	return (flags & WAIT_INTERRUPTIBLE) && signal_is_pending();
}

static __attribute__((noinline)) void sleep_until(struct task *t, uint64_t deadline_ns)
{
	struct sleep_timer s = { .timer = { .fire = sleep_timer_fire }, .task = t };

	timer_arm(&s.timer, deadline_ns);
	switch_away(SCHED_YIELDED);
	timer_cancel(&s.timer);
}

/*
 * BLOCKING, masked once, no lock held.
 *
 * Why a signal is not missed: wake_task_signal() in wake.c.
 */
static int sleep_masked(unsigned flags, uint64_t deadline_ns)
{
	struct task *t = current();
	bool expired = deadline_ns && time_now_ns() >= deadline_ns;

	ASSERT_INVARIANT(task_state(t) == TASK_BLOCKING);
	atomic_store(&t->wait_flags, flags);
	atomic_thread_fence(memory_order_seq_cst);
	if (expired || interrupted(t, flags) || atomic_load(&t->wake_pending))
		wait_cancel();
	else if (deadline_ns)
		sleep_until(t, deadline_ns);
	else
		switch_away(SCHED_YIELDED);
	atomic_store_explicit(&t->wait_flags, 0, memory_order_relaxed);
	if (interrupted(t, flags))
		return -EINTR;
	if (deadline_ns && time_now_ns() >= deadline_ns)
		return -ETIMEDOUT;
	return 0;
}

int wait_sleep(unsigned flags, uint64_t deadline_ns)
{
	int r;

	upcalls_mask();
	r = sleep_masked(flags, deadline_ns);
	upcalls_unmask();
	return r;
}

int wait_on(struct wait_queue *q, struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	struct waiter w;
	int r;

	ASSERT_INVARIANT(lock_held(lock));
	waiter_init(&w, WAKE_ANY);
	wait_begin();
	waiter_add(q, &w);
	/* Stay masked across the release: no reason to look for events when we are about to leave. */
	upcalls_mask();
	lock_release(lock);
	r = sleep_masked(flags, deadline_ns);
	upcalls_unmask();
	lock_acquire(lock);
	waiter_remove(&w);
	return w.woken ? 0 : r;
}
