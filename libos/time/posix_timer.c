/* SPDX-License-Identifier: MIT */
/*
 * timer_create and its family.  An expiry sends a signal whose queue entry is part of the timer,
 * so that it needs no memory; while it is still queued later expiries only count as overruns.  So nobody
 * has to look for them then: the timer is armed again when its signal is taken, and counts what has passed.
 * A process that takes no signals costs nobody anything, however short its intervals are.
 *
 * A timer that is set to a time of day keeps that as what it is, and is armed for the monotonic time at
 * which the clock will say so.  When the clock is set, all of these are armed anew:
 *
 *	who sets the clock:  the clock, process_tree_lock { all day_timers become old_timers },
 *	                     process_tree_lock { arm some of these, day_timers again } until there are none
 *	who sets a timer:    process_tree_lock { day_timers, look at the clock, arm }
 *
 * So a timer is either in a list by then, or is armed by the clock as it is now.  One that fires for a
 * time that was meanwhile put off looks at its clock once more (fire).  They are armed a few at a time, since
 * there may be ten thousands.  Who sets the clock meanwhile makes all of them old once more, and arms them
 * with whoever is at it: so he waits for nobody, and on his return all are armed by his clock or a later one.
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
	struct list day_link; /* day_timers or old_timers if expiry_ns is a time of day; else monotonic */
	uint64_t expiry_ns;   /* 0: disarmed */
	uint64_t interval_ns;
	unsigned unheard; /* expiries in a row whose signal was ignored */
};

/* Under process_tree_lock. */
static struct list day_timers = LIST_INIT(day_timers);
static struct list old_timers = LIST_INIT(old_timers); /* may be armed by what the clock was before */
#define ARMED_AT_ONCE_MAX 64 /* bounds masked time */

/* Linux's struct sigevent, as far as it is used; 64 bytes. */
struct user_event {
	uint64_t value;
	int32_t signal, notify, thread;
	int32_t pad[11];
};
_Static_assert(sizeof(struct user_event) == 64, "Linux's struct sigevent");

static bool is_by_day(const struct posix_timer *pt)
{
	return !list_empty(&pt->day_link);
}

/* Now, on the clock that expiry_ns is a time of. */
static uint64_t clock_of(const struct posix_timer *pt)
{
	return is_by_day(pt) ? time_real_ns() : time_now_ns();
}

/* When it expires, as monotonic time.  The clock is read first, so that it says no less when the timer
 * fires. */
static uint64_t monotonic_expiry(const struct posix_timer *pt)
{
	uint64_t now = clock_of(pt);

	if (!is_by_day(pt))
		return pt->expiry_ns;
	return deadline_after(pt->expiry_ns > now ? pt->expiry_ns - now : 0);
}

static bool has_receiver(const struct posix_timer *pt)
{
	return !pt->silent && (pt->target == NULL || !list_empty(&pt->target->thread_link));
}

static void arm_again(struct posix_timer *pt)
{
	if (pt->expiry_ns != 0 && has_receiver(pt))
		timer_arm_after_pause(&pt->timer, monotonic_expiry(pt), pt->unheard);
}

/* Event context.  When the signal is queued what follows is up to taken(). */
static void fire(struct timer *timer)
{
	struct posix_timer *pt = container_of(timer, struct posix_timer, timer);
	bool is_queued = false;
	uint64_t now, missed;

	lock_acquire(&process_tree_lock);
	now = clock_of(pt);
	if (pt->expiry_ns != 0 && now >= pt->expiry_ns) {
		missed = timer_advance(&pt->expiry_ns, pt->interval_ns, now);
		is_queued = signal_send_entry_locked(pt->process, pt->target, &pt->entry, missed);
		pt->unheard = is_queued ? 0 : pt->unheard + (pt->unheard < TIMER_UNHEARD_MAX);
	}
	if (!is_queued)
		arm_again(pt);
	lock_release(&process_tree_lock);
}

/* What has expired, of a timer that nobody looks after: it sends none, or its signal has not been taken. */
static void catch_up(struct posix_timer *pt)
{
	bool is_queued = !list_empty(&pt->entry.link);
	uint64_t now = clock_of(pt), missed;

	if (pt->expiry_ns == 0 || now < pt->expiry_ns)
		return;
	if (!pt->silent && (!is_queued || pt->interval_ns == 0))
		return;
	missed = timer_advance(&pt->expiry_ns, pt->interval_ns, now);
	if (is_queued)
		signal_entry_add_overrun(&pt->entry, 1 + missed);
}

static void taken(struct signal_entry *entry)
{
	struct posix_timer *pt = container_of(entry, struct posix_timer, entry);

	catch_up(pt);
	arm_again(pt);
}

static void arm_some_old(void)
{
	struct list *link;

	for (int i = 0; i < ARMED_AT_ONCE_MAX && (link = list_pop_front(&old_timers)); i++) {
		struct posix_timer *pt = list_entry(link, struct posix_timer, day_link);

		list_push_back(&day_timers, link);
		if (pt->expiry_ns != 0 && has_receiver(pt))
			timer_arm(&pt->timer, monotonic_expiry(pt));
	}
}

void posix_timers_clock_set(void)
{
	lock_acquire(&process_tree_lock);
	list_splice_front(&old_timers, &day_timers);
	while (!list_empty(&old_timers)) {
		arm_some_old();
		lock_release(&process_tree_lock);
		lock_acquire(&process_tree_lock);
	}
	lock_release(&process_tree_lock);
}

/* The timer is in no table any more. */
static void timer_end(struct posix_timer *pt, bool revoke)
{
	lock_acquire(&process_tree_lock);
	pt->expiry_ns = 0;
	list_remove(&pt->day_link);
	lock_release(&process_tree_lock);
	timer_cancel(&pt->timer);
	lock_acquire(&process_tree_lock);
	if (revoke)
		signal_entry_revoke_locked(pt->process, pt->target, &pt->entry);
	else
		signal_entry_withdraw_locked(pt->process, pt->target, &pt->entry);
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

void posix_timers_end(struct process_timers *timers, bool revoke)
{
	for (int id = 0; id < POSIX_TIMERS_MAX; id++) {
		struct posix_timer *pt = timer_take(timers, id);

		if (pt != NULL)
			timer_end(pt, revoke);
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
		break;
	case SIGEV_THREAD:
		if (to_thread)
			return -EINVAL;
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
	pt->entry.taken = taken;
	list_init(&pt->entry.link);
	list_init(&pt->day_link);
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
		timer_end(pt, false);
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

static void encode_setting(struct posix_timer *pt, struct linux_itimerspec *out)
{
	catch_up(pt);
	*out = itimerspec_from_ns(pt->expiry_ns, pt->interval_ns, clock_of(pt));
}

/* POSIX, clock_settime(): so long from now is as long as it is, however the clock is set meanwhile. */
static void timer_set_locked(struct posix_timer *pt, uint64_t ns, uint64_t interval_ns,
			     bool absolute)
{
	list_remove(&pt->day_link);
	if (absolute && (pt->clock == CLOCK_REALTIME || pt->clock == CLOCK_TAI))
		list_push_back(&day_timers, &pt->day_link);
	pt->interval_ns = ns == 0 ? 0 : interval_ns; /* as Linux tells it of one that is disarmed */
	pt->expiry_ns = ns == 0 || absolute ? ns : deadline_after(ns);
	pt->unheard = 0;
	pt->entry.taken_overrun = 0;
	if (pt->expiry_ns != 0 && has_receiver(pt))
		timer_arm(&pt->timer, monotonic_expiry(pt));
}

long sys_timer_settime(int id, int flags, uint64_t new_user, uint64_t old_user)
{
	struct linux_itimerspec new, old;
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
	timer_set_locked(pt, timespec_to_ns(&new.left), timespec_to_ns(&new.interval),
			 (flags & TIMER_ABSTIME) != 0);
	lock_release(&process_tree_lock);
	if (old_user != 0 && copy_to_user(old_user, &old, sizeof(old)) != 0)
		return -EFAULT;
	return 0;
}

long sys_timer_gettime(int id, uint64_t user)
{
	struct linux_itimerspec now;
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
	timer_end(pt, false);
	return 0;
}
