/* SPDX-License-Identifier: MIT */
/*
 * timerfd_create(2): a timer whose expiries are counted, and read as from a file.
 *
 *	armed, nothing expired --fire--> expired, not armed --read--> armed for the next expiry
 *
 * A timer that has expired is not armed again until somebody reads the count, which then is made of the
 * time that has passed: so what nobody reads costs nobody anything, however short its interval is.
 *
 * Why no wake is lost: who waits looks at the count and is put into the queue under one hold of the
 * timer's lock. While the count is 0 and there is another expiry, the timer is armed for that, or fire()
 * is about to take the lock; whoever makes one of the two so (sets it, reads it, sets the clock) arms it
 * under the lock.  fire() counts, and wakes the queue, under the lock; if there is nothing to count, as
 * the timer or the clock has been set since it went off, it arms it once more.  Who counts without being
 * fire() wakes nobody, and need not: he has not disarmed the timer, so fire() comes, and finds the
 * count, or another has read it.
 *
 * One that is set to a time of day keeps that as what it is, and is armed for the monotonic time at
 * which the clock will say so.  Who sets such a one arms it by the clock and puts it into the list, with
 * the mutex held; who sets the clock does that, and then arms all in the list anew, with the mutex
 * held.  So either he finds it there, or it is armed by the clock as he has set it.
 */
#include <linux/time.h>
#include <linux/timerfd.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "fs/poll.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/process_timers.h"
#include "time/timespec.h"

struct timer_file {
	int clock; /* fixed */

	struct lock lock; /* RANK_PIPE; guards: */
	struct timer timer;
	uint64_t expiry_ns;   /* the next, on the clock that it is set by; 0: there is none */
	uint64_t interval_ns; /* 0: once */
	uint64_t expired;     /* how often, since it was set or read */
	bool is_by_day;       /* expiry_ns is a time of day; else monotonic */
	bool is_cancelable;   /* TFD_TIMER_CANCEL_ON_SET */
	bool is_cancelled;    /* and the clock has been set, which nobody has read yet */
	struct wait_queue wait;

	struct list day_link; /* under day_mutex: in day_files if is_by_day */
};

static struct mutex day_mutex = {
	.lock = LOCK_INIT("timers by time of day", RANK_MUTEX),
	.queue = { LIST_INIT(day_mutex.queue.waiters) },
	.rank = MUTEX_DAY,
};
static struct list day_files =
	LIST_INIT(day_files); /* under day_mutex: struct timer_file.day_link */

static bool is_real(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

/* ---------------------------------------------------------------- under the timer's lock */

/* Now, on the clock that expiry_ns is a time of. */
static uint64_t clock_of(const struct timer_file *t)
{
	return t->is_by_day ? time_real_ns() : time_now_ns();
}

/* For the next expiry, if there is one.  The clock is read first, so that it says no less when the timer
 * fires. */
static void arm(struct timer_file *t)
{
	uint64_t now = clock_of(t), expiry = t->expiry_ns;

	if (!expiry)
		return;
	if (t->is_by_day)
		expiry = deadline_after(expiry > now ? expiry - now : 0);
	timer_arm(&t->timer, expiry);
}

/* What has passed is counted. */
static void count(struct timer_file *t)
{
	uint64_t now = clock_of(t);

	if (t->expiry_ns && now >= t->expiry_ns)
		t->expired += 1 + timer_advance(&t->expiry_ns, t->interval_ns, now);
}

static bool is_ready(const struct timer_file *t)
{
	return t->expired || t->is_cancelled;
}

/* Event context. */
static void fire(struct timer *timer)
{
	struct timer_file *t = container_of(timer, struct timer_file, timer);

	lock_acquire(&t->lock);
	count(t);
	if (is_ready(t))
		wake_all(&t->wait, POLLIN);
	if (!t->expired)
		arm(t);
	lock_release(&t->lock);
}

/* -> what read() gives: how often it has expired, or -ECANCELED. */
static int take(struct timer_file *t, uint64_t *expired)
{
	int error = t->is_cancelled ? -ECANCELED : 0;

	*expired = t->expired;
	t->expired = 0;
	t->is_cancelled = false;
	arm(t);
	return error;
}

/* ---------------------------------------------------------------- the file */

static long timer_file_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct timer_file *t = f->private;
	uint64_t expired = 0;
	int error = 0;

	if (n < sizeof(expired))
		return -EINVAL;
	lock_acquire(&t->lock);
	for (count(t); !is_ready(t) && !error; count(t)) {
		if (f->flags & O_NONBLOCK)
			error = -EAGAIN;
		else if (wait_on(&t->wait, &t->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR)
			error = -ERESTARTSYS;
	}
	if (is_ready(t))
		error = take(t, &expired);
	lock_release(&t->lock);
	if (!error)
		error = copy_to_user(user, &expired, sizeof(expired));
	return error ? error : (long)sizeof(expired);
}

static uint32_t timer_file_poll(struct file *f, struct poll_waiter *w)
{
	struct timer_file *t = f->private;
	bool ready;

	lock_acquire(&t->lock);
	if (w)
		poll_wait(w, &t->wait, &t->lock);
	ready = is_ready(t);
	lock_release(&t->lock);
	return ready ? POLLIN : 0;
}

static void timer_file_release(struct file *f)
{
	struct timer_file *t = f->private;

	mutex_lock(&day_mutex);
	list_remove(&t->day_link);
	mutex_unlock(&day_mutex);
	/* A fire() that has begun, and waits for the lock, must not arm it once more. */
	lock_acquire(&t->lock);
	t->expiry_ns = 0;
	lock_release(&t->lock);
	timer_cancel(&t->timer);
	heap_free(t);
}

static const struct file_ops timer_file_ops = {
	.read = timer_file_read,
	.poll = timer_file_poll,
	.name = "[timerfd]",
	.release = timer_file_release,
};

/* ---------------------------------------------------------------- the clock is set */

void timer_files_clock_set(void)
{
	mutex_lock(&day_mutex);
	list_for_each(node, &day_files) {
		struct timer_file *t = list_entry(node, struct timer_file, day_link);

		lock_acquire(&t->lock);
		t->is_cancelled = t->is_cancelable;
		if (t->is_cancelled)
			wake_all(&t->wait, POLLIN);
		if (!t->expired)
			arm(t);
		lock_release(&t->lock);
	}
	mutex_unlock(&day_mutex);
}

/* ---------------------------------------------------------------- the calls */

/* 0, -EINVAL, or -EPERM: that a machine is awake by then is the super-user's to say. */
static int clock_check(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return current_process()->euid == 0 ? 0 : -EPERM;
	default:
		return -EINVAL;
	}
}

long sys_timerfd_create(int clock, int flags)
{
	int error = flags & ~(TFD_CLOEXEC | TFD_NONBLOCK) ? -EINVAL : clock_check(clock);
	struct timer_file *t;
	struct file *f;

	if (error)
		return error;
	t = heap_alloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->clock = clock;
	t->timer.fire = fire;
	lock_init(&t->lock, "timerfd", RANK_PIPE);
	wait_queue_init(&t->wait);
	list_init(&t->day_link);
	f = file_alloc(&timer_file_ops, NULL, t, O_RDWR | (flags & TFD_NONBLOCK));
	if (!f) {
		heap_free(t);
		return -ENOMEM;
	}
	return fd_install(f, 0, flags & TFD_CLOEXEC);
}

/* Under the timer's lock. */
static void encode_setting(struct timer_file *t, struct linux_itimerspec *out)
{
	count(t);
	*out = itimerspec_from_ns(t->expiry_ns, t->interval_ns, clock_of(t));
}

/* POSIX, clock_settime(): so long from now is as long as it is, however the clock is set meanwhile.
 * What was counted, and that it was cancelled, is of the old setting. */
static void set_locked(struct timer_file *t, int flags, const struct linux_itimerspec *new)
{
	uint64_t ns = timespec_to_ns(&new->left);
	bool absolute = flags & TFD_TIMER_ABSTIME;

	t->is_by_day = absolute && is_real(t->clock);
	t->is_cancelable = t->is_by_day && flags & TFD_TIMER_CANCEL_ON_SET;
	t->is_cancelled = false;
	t->expired = 0;
	t->interval_ns = timespec_to_ns(&new->interval);
	t->expiry_ns = !ns || absolute ? ns : deadline_after(ns);
	arm(t);
}

static void set(struct timer_file *t, int flags, const struct linux_itimerspec *new,
		struct linux_itimerspec *old)
{
	mutex_lock(&day_mutex);
	lock_acquire(&t->lock);
	encode_setting(t, old);
	set_locked(t, flags, new);
	lock_release(&t->lock);
	list_remove(&t->day_link);
	if (t->is_by_day)
		list_push_back(&day_files, &t->day_link);
	mutex_unlock(&day_mutex);
}

/* The file, counted, of a descriptor of a timer; or NULL and an error. */
static struct file *timer_file_get(int fd, int *error)
{
	struct file *f = fd_get(fd);

	*error = f ? -EINVAL : -EBADF;
	if (!f || f->ops == &timer_file_ops)
		return f;
	file_put(f);
	return NULL;
}

long sys_timerfd_settime(int fd, int flags, uint64_t new_user, uint64_t old_user)
{
	struct linux_itimerspec new, old;
	struct file *f;
	int error;

	if (copy_from_user(&new, new_user, sizeof(new)) != 0)
		return -EFAULT;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ||
	    !timespec_is_valid(&new.interval) || !timespec_is_valid(&new.left))
		return -EINVAL;
	f = timer_file_get(fd, &error);
	if (!f)
		return error;
	set(f->private, flags, &new, &old);
	file_put(f);
	return old_user ? copy_to_user(old_user, &old, sizeof(old)) : 0;
}

long sys_timerfd_gettime(int fd, uint64_t user)
{
	struct linux_itimerspec now;
	int error;
	struct file *f = timer_file_get(fd, &error);
	struct timer_file *t = f ? f->private : NULL;

	if (!f)
		return error;
	lock_acquire(&t->lock);
	encode_setting(t, &now);
	lock_release(&t->lock);
	file_put(f);
	return copy_to_user(user, &now, sizeof(now));
}
