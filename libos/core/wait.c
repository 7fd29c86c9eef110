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

/* The bits of task->work that end a sleep with these flags. */
static uint32_t ends_sleep(unsigned flags)
{
	if (flags & WAIT_INTERRUPTIBLE)
		return WORK_ENDS_SLEEP;
	return flags & WAIT_KILLABLE ? WORK_EXIT : 0;
}

static bool interrupted(const struct task *t, unsigned flags)
{
	return atomic_load_explicit(&t->work, memory_order_acquire) & ends_sleep(flags);
}

/* BLOCKING: senders of signals see it from here on.  Why none is missed: wake_task_signal() in wake.c. */
static void announce_sleep(struct task *t, unsigned flags)
{
	ASSERT_INVARIANT(task_state(t) == TASK_BLOCKING);
	atomic_store_explicit(&t->wait_flags, flags, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

/* Is there a reason already to be awake? */
static bool is_woken(const struct task *t, unsigned flags)
{
	return interrupted(t, flags) || atomic_load(&t->wake_pending);
}

/* -> 0 or -EINTR. */
static int end_sleep(struct task *t, unsigned flags)
{
	atomic_store_explicit(&t->wait_flags, 0, memory_order_relaxed);
	return interrupted(t, flags) ? -EINTR : 0;
}

static __attribute__((noinline)) int sleep_until(unsigned flags, uint64_t deadline_ns)
{
	struct task *t = current();
	struct sleep_timer s = { .timer = { .fire = sleep_timer_fire }, .task = t };
	bool expired = time_now_ns() >= deadline_ns;
	int r;

	announce_sleep(t, flags);
	if (expired || is_woken(t, flags)) {
		wait_cancel();
	} else {
		timer_arm(&s.timer, deadline_ns);
		switch_away(SCHED_YIELDED);
		timer_cancel(&s.timer);
	}
	r = end_sleep(t, flags);
	return r == 0 && time_now_ns() >= deadline_ns ? -ETIMEDOUT : r;
}

/* BLOCKING, masked once, no lock held. */
static inline __attribute__((always_inline)) int sleep_masked(unsigned flags, uint64_t deadline_ns)
{
	if (deadline_ns)
		return sleep_until(flags, deadline_ns);
	announce_sleep(current(), flags);
	if (is_woken(current(), flags))
		wait_cancel();
	else
		switch_away(SCHED_YIELDED);
	return end_sleep(current(), flags);
}

int wait_sleep(unsigned flags, uint64_t deadline_ns)
{
	int r;

	upcalls_mask();
	r = sleep_masked(flags, deadline_ns);
	upcalls_unmask();
	return r;
}

int wait_sleep_masked(unsigned flags)
{
	return sleep_masked(flags, 0);
}

void wait_until(uint64_t deadline_ns)
{
	wait_begin();
	(void)wait_sleep(0, deadline_ns);
}

/*
 * Masked from the lock on, and on return.  There is no reason to look for events before the CPU is left, nor
 * between the return and the next lock: what came meanwhile is pending, and dealt with when that is released.
 * If there is no sleep after all, wakes that were made under the lock wait until then, too.
 */
static int sleep_unlock(struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	ASSERT_INVARIANT(lock_held(lock));
	lock_release_masked(lock);
	return sleep_masked(flags, deadline_ns);
}

int wait_sleep_unlock(struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	int r = sleep_unlock(lock, flags, deadline_ns);

	upcalls_unmask();
	return r;
}

int wait_on(struct wait_queue *q, struct lock *lock, unsigned flags, uint64_t deadline_ns)
{
	struct waiter w;
	int r;

	waiter_init(&w, WAKE_ANY);
	wait_begin();
	waiter_add(q, &w);
	r = sleep_unlock(lock, flags, deadline_ns);
	lock_acquire_masked(lock);
	if (w.woken)
		return 0;
	waiter_remove(&w);
	return r;
}
