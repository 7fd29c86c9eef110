/* SPDX-License-Identifier: MIT */
/*
 * timer_create and its family.  An expiry sends a signal whose queue entry is part of the timer,
 * so that it needs no memory; while it is still queued later expiries only count as overruns.
 *
 * A timer on CLOCK_REALTIME is turned into monotonic time when it is set.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/time.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/process_timers.h"
#include "time/timespec.h"

#define OVERRUN_MAX 0x7fffffff

struct posix_timer {
	struct timer timer;

	/* Fixed after timer_create. */
	struct process *process;
	struct task *target; /* SIGEV_THREAD_ID: counted; else NULL */
	int clock;
	bool silent;         /* SIGEV_NONE */

	/* Under process_tree_lock. */
	struct signal_entry entry;
	bool is_made;        /* until then no call knows its number */
	uint64_t expiry_ns;  /* monotonic; 0: disarmed */
	uint64_t interval_ns;
};

/* Linux's struct sigevent, as far as it is used; 64 bytes. */
struct user_event {
	uint64_t value;
	int32_t signal, notify, thread;
	int32_t pad[11];
};
_Static_assert(sizeof(struct user_event) == 64, "Linux's struct sigevent");

/* Event context. */
static void fire(struct timer *timer)
{
	struct posix_timer *pt = container_of(timer, struct posix_timer, timer);
	uint64_t now = time_now_ns(), missed;

	lock_acquire(&process_tree_lock);
	if (pt->expiry_ns != 0 && now >= pt->expiry_ns) {
		missed = timer_advance(&pt->expiry_ns, pt->interval_ns, now);
		if (!pt->silent)
			signal_send_entry_locked(pt->process, pt->target, &pt->entry,
						 (int)(missed < OVERRUN_MAX ? missed : OVERRUN_MAX));
	}
	if (pt->expiry_ns != 0)
		timer_arm_after_pause(&pt->timer, pt->expiry_ns, now);
	lock_release(&process_tree_lock);
}

/* The timer is in no table any more. */
static void timer_end(struct posix_timer *pt)
{
	lock_acquire(&process_tree_lock);
	pt->expiry_ns = 0;
	lock_release(&process_tree_lock);
	timer_cancel(&pt->timer);
	lock_acquire(&process_tree_lock);
	signal_entry_withdraw_locked(&pt->entry);
	lock_release(&process_tree_lock);
	if (pt->target != NULL)
		task_put(pt->target);
	heap_free(pt);
}

/* NULL: there is none, or none that is made yet. */
static struct posix_timer *timer_take(struct process_timers *timers, int id)
{
	struct posix_timer *pt;

	lock_acquire(&process_tree_lock);
	pt = timers->posix[id];
	if (pt != NULL && !pt->is_made)
		pt = NULL;
	if (pt != NULL)
		timers->posix[id] = NULL;
	lock_release(&process_tree_lock);
	return pt;
}

void posix_timers_end(struct process_timers *timers)
{
	for (int id = 0; id < POSIX_TIMERS_MAX; id++) {
		struct posix_timer *pt = timer_take(timers, id);

		if (pt != NULL)
			timer_end(pt);
	}
}

/* A free place in the table is the timer's; its number, or -EAGAIN. */
static int timer_place(struct process_timers *timers, struct posix_timer *pt)
{
	int id;

	lock_acquire(&process_tree_lock);
	for (id = 0; id < POSIX_TIMERS_MAX && timers->posix[id] != NULL; id++)
		;
	if (id < POSIX_TIMERS_MAX) {
		timers->posix[id] = pt;
		pt->entry.info.timer.id = id;
	}
	lock_release(&process_tree_lock);
	return id < POSIX_TIMERS_MAX ? id : -EAGAIN;
}

/* The program knows its number, or could not be told it: then its place is free again. */
static void timer_is_made(struct process_timers *timers, int id, bool told)
{
	lock_acquire(&process_tree_lock);
	if (told)
		timers->posix[id]->is_made = true;
	else
		timers->posix[id] = NULL;
	lock_release(&process_tree_lock);
}

/* What the event asks for; the default is SIGALRM with the timer's number as value. */
static int decode_event(const struct user_event *event, struct posix_timer *pt)
{
	bool to_thread = (event->notify & SIGEV_THREAD_ID) != 0;

	switch (event->notify & ~SIGEV_THREAD_ID) {
	case SIGEV_NONE:
		pt->silent = true;
		return to_thread ? -EINVAL : 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	default:
		return -EINVAL;
	}
	if (event->signal < 1 || event->signal > SIGNAL_COUNT)
		return -EINVAL;
	pt->entry.info.number = event->signal;
	pt->entry.info.timer.value = event->value;
	if (!to_thread)
		return 0;
	pt->target = thread_find((uint32_t)event->thread);
	if (pt->target != NULL && pt->target->process == current_process())
		return 0;
	return -EINVAL;
}

long sys_timer_create(int clock, uint64_t event_user, uint64_t id_user)
{
	struct process_timers *timers = process_timers_get(current_process());
	struct user_event event = { .signal = SIGALRM, .notify = SIGEV_SIGNAL };
	struct posix_timer *pt;
	int32_t id;
	int r;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_TAI)
		return clock_refused(clock);
	if (event_user != 0 && copy_from_user(&event, event_user, sizeof(event)) != 0)
		return -EFAULT;
	pt = timers != NULL ? heap_alloc(sizeof(*pt)) : NULL;
	if (pt == NULL)
		return -EAGAIN;
	pt->timer.fire = fire;
	pt->process = current_process();
	pt->clock = clock;
	pt->entry.info.code = SI_TIMER;
	list_init(&pt->entry.link);
	r = decode_event(&event, pt);
	if (r == 0)
		r = id = timer_place(timers, pt);
	if (r >= 0 && event_user == 0)
		pt->entry.info.timer.value = (uint64_t)id;
	if (r >= 0) {
		r = copy_to_user(id_user, &id, sizeof(id));
		timer_is_made(timers, id, r == 0);
	}
	if (r < 0)
		timer_end(pt);
	return r;
}

/* The caller's timer `id`, with process_tree_lock held on success; else NULL, not held. */
static struct posix_timer *timer_lock(int id)
{
	struct process_timers *timers = process_timers_get(current_process());
	struct posix_timer *pt;

	if (timers == NULL || id < 0 || id >= POSIX_TIMERS_MAX)
		return NULL;
	lock_acquire(&process_tree_lock);
	pt = timers->posix[id];
	if (pt != NULL && pt->is_made)
		return pt;
	lock_release(&process_tree_lock);
	return NULL;
}

struct user_timer_setting {
	struct linux_timespec interval, left;
};

static void encode_setting(const struct posix_timer *pt, struct user_timer_setting *out)
{
	uint64_t now = time_now_ns(), left = 0;

	if (pt->expiry_ns != 0)
		left = pt->expiry_ns > now ? pt->expiry_ns - now : 1;
	out->interval = timespec_from_ns(pt->interval_ns);
	out->left = timespec_from_ns(left);
}

/* When the timer is to expire, on the monotonic clock; 0 if it is to be disarmed. */
static uint64_t expiry_of(const struct posix_timer *pt, uint64_t ns, bool absolute)
{
	uint64_t now = time_now_ns(), real;

	if (ns == 0)
		return 0;
	if (!absolute)
		return deadline_after(ns);
	if (pt->clock != CLOCK_REALTIME && pt->clock != CLOCK_TAI)
		return ns;
	real = time_real_ns();
	if (ns > real)
		return now + (ns - real);
	/* What repeats keeps in step with the time that has passed. */
	ns = pt->interval_ns != 0 ? (real - ns) % pt->interval_ns : 0;
	return now > ns ? now - ns : now;
}

long sys_timer_settime(int id, int flags, uint64_t new_user, uint64_t old_user)
{
	struct user_timer_setting new, old;
	struct posix_timer *pt;

	if (new_user == 0)
		return -EINVAL;
	if (copy_from_user(&new, new_user, sizeof(new)) != 0)
		return -EFAULT;
	if (!timespec_is_valid(&new.interval) || !timespec_is_valid(&new.left))
		return -EINVAL;
	pt = timer_lock(id);
	if (pt == NULL)
		return -EINVAL;
	encode_setting(pt, &old);
	pt->interval_ns = timespec_to_ns(&new.interval);
	pt->expiry_ns = expiry_of(pt, timespec_to_ns(&new.left), (flags & TIMER_ABSTIME) != 0);
	if (pt->expiry_ns != 0)
		timer_arm(&pt->timer, pt->expiry_ns);
	lock_release(&process_tree_lock);
	if (old_user != 0 && copy_to_user(old_user, &old, sizeof(old)) != 0)
		return -EFAULT;
	return 0;
}

long sys_timer_gettime(int id, uint64_t user)
{
	struct user_timer_setting now;
	struct posix_timer *pt = timer_lock(id);

	if (pt == NULL)
		return -EINVAL;
	encode_setting(pt, &now);
	lock_release(&process_tree_lock);
	return copy_to_user(user, &now, sizeof(now));
}

long sys_timer_getoverrun(int id)
{
	struct posix_timer *pt = timer_lock(id);
	int overrun;

	if (pt == NULL)
		return -EINVAL;
	overrun = pt->entry.taken_overrun;
	lock_release(&process_tree_lock);
	return overrun;
}

long sys_timer_delete(int id)
{
	struct process_timers *timers = process_timers_get(current_process());
	struct posix_timer *pt;

	if (timers == NULL || id < 0 || id >= POSIX_TIMERS_MAX)
		return -EINVAL;
	pt = timer_take(timers, id);
	if (pt == NULL)
		return -EINVAL;
	timer_end(pt);
	return 0;
}
