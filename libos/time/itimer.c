/* SPDX-License-Identifier: MIT */
/*
 * setitimer, getitimer and alarm.
 *
 * ITIMER_VIRTUAL and ITIMER_PROF count CPU time, which cannot pass faster than real time on each
 * CPU: a timer on real time looks at the CPU time used at the earliest moment at which the expiry can
 * have been reached, and looks again if it has not.  That is, if from now on all CPUs run tasks of the
 * process: it may have one only, and make others before we look.
 */
#include <asm/signal.h>
#include <linux/time.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/vcore.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/cpu_clock.h"
#include "time/process_timers.h"
#include "time/timespec.h"

#define TIMERS 3
/* CPU time is charged slice by slice: looking more often than this shows nothing new; at a process that
 * sleeps less and less often, so that thousands of those do not keep a CPU from others. */
#define CPU_LOOK_NS 1000000ul
#define SLEEPER_LOOK_NS (10 * CPU_LOOK_NS)
#define SLEPT_MAX 4

static const int timer_signal[TIMERS] = {
	[ITIMER_REAL] = SIGALRM,
	[ITIMER_VIRTUAL] = SIGVTALRM,
	[ITIMER_PROF] = SIGPROF,
};

/* The timer's own clock.  Under process_tree_lock, like all that follows. */
static uint64_t clock_now(const struct interval_timer *it)
{
	uint64_t user_ns, total_ns;

	if (it->which == ITIMER_REAL)
		return time_now_ns();
	cpu_time_locked(it->process, &user_ns, &total_ns);
	return it->which == ITIMER_VIRTUAL ? user_ns : total_ns;
}

/* Looks again when the expiry can have been reached at the earliest. */
static void look_later(struct interval_timer *it, uint64_t now)
{
	uint64_t left = it->expiry_ns > now ? it->expiry_ns - now : 0;

	if (it->which != ITIMER_REAL) {
		bool slept = now == it->looked_ns;
		uint64_t least = slept ? SLEEPER_LOOK_NS << it->slept : CPU_LOOK_NS;

		it->slept = slept ? it->slept + (it->slept < SLEPT_MAX) : 0;
		it->looked_ns = now;
		left /= vcore_count;
		if (left < least)
			left = least;
	}
	timer_arm_after_pause(&it->timer, deadline_after(left), it->unheard);
}

static bool alarm_is_pending(const struct interval_timer *it)
{
	return (it->process->signal_pending & SIGNAL_BIT(SIGALRM)) != 0;
}

/* Nobody hears of one that comes while the last is still pending, or that is ignored. */
static void send_alarm(struct interval_timer *it)
{
	bool was_pending = alarm_is_pending(it);

	signal_send_process_locked(it->process, SIGALRM, NULL);
	if (!was_pending && alarm_is_pending(it))
		it->unheard = 0;
	else if (it->unheard < TIMER_UNHEARD_MAX)
		it->unheard++;
}

static void expire(struct interval_timer *it, uint64_t now)
{
	if (it->which == CPU_LIMIT_TIMER) {
		it->expiry_ns = cpu_limit_reached_locked(it->process, now);
		return;
	}
	if (it->which == ITIMER_REAL)
		send_alarm(it);
	else
		signal_send_process_locked(it->process, timer_signal[it->which], NULL);
	timer_advance(&it->expiry_ns, it->interval_ns, now);
}

/* What has expired since the signal was sent is in it; the next may come when it is due. */
void interval_timer_heard_locked(struct process_timers *timers)
{
	struct interval_timer *it = &timers->interval[ITIMER_REAL];
	uint64_t now = time_now_ns();

	if (it->unheard == 0)
		return;
	it->unheard = 0;
	if (it->expiry_ns != 0 && now >= it->expiry_ns)
		timer_advance(&it->expiry_ns, it->interval_ns, now);
	if (it->expiry_ns != 0)
		look_later(it, now);
}

/* Event context. */
static void fire(struct timer *timer)
{
	struct interval_timer *it = container_of(timer, struct interval_timer, timer);
	uint64_t now;

	lock_acquire(&process_tree_lock);
	if (it->expiry_ns != 0) {
		now = clock_now(it);
		if (now >= it->expiry_ns)
			expire(it, now);
		if (it->expiry_ns != 0)
			look_later(it, now);
	}
	lock_release(&process_tree_lock);
}

void interval_timers_init(struct process_timers *timers, struct process *p)
{
	for (int which = 0; which < INTERVAL_TIMERS; which++) {
		struct interval_timer *it = &timers->interval[which];

		it->timer.fire = fire;
		it->process = p;
		it->which = which;
	}
}

void interval_timers_end(struct process_timers *timers)
{
	for (int which = 0; which < INTERVAL_TIMERS; which++) {
		lock_acquire(&process_tree_lock);
		timers->interval[which].expiry_ns = 0;
		lock_release(&process_tree_lock);
		timer_cancel(&timers->interval[which].timer);
	}
}

void interval_timer_set_locked(struct interval_timer *it, uint64_t expiry_ns)
{
	it->expiry_ns = expiry_ns;
	it->unheard = 0;
	if (expiry_ns != 0)
		look_later(it, clock_now(it));
}

struct setting {
	uint64_t interval_ns, left_ns;
};

static struct setting setting_read(const struct interval_timer *it)
{
	struct setting s = { .interval_ns = it->interval_ns };

	if (it->expiry_ns != 0) {
		uint64_t now = clock_now(it);

		/* An armed timer never reads as 0, which means disarmed. */
		s.left_ns = it->expiry_ns > now ? it->expiry_ns - now : NS_PER_US;
	}
	return s;
}

/* Sets it if `new` is not NULL; *old is what it was. */
static int exchange(int which, const struct setting *new, struct setting *old)
{
	struct process_timers *timers = process_timers_get(current_process());
	struct interval_timer *it;

	if (timers == NULL)
		return -ENOMEM;
	it = &timers->interval[which];
	lock_acquire(&process_tree_lock);
	*old = setting_read(it);
	if (new != NULL) {
		uint64_t now = clock_now(it);

		/* As Linux tells it of one that is disarmed. */
		it->interval_ns = new->left_ns == 0 && which == ITIMER_REAL ? 0 : new->interval_ns;
		interval_timer_set_locked(it, new->left_ns != 0 ? now + new->left_ns : 0);
	}
	lock_release(&process_tree_lock);
	return 0;
}

struct user_setting {
	struct linux_timeval interval, left;
};

static int decode_timeval(const struct linux_timeval *t, uint64_t *ns)
{
	if (t->microseconds < 0 || t->microseconds >= 1000000 || t->seconds < 0)
		return -EINVAL;
	*ns = timespec_to_ns(
		&(struct linux_timespec){ t->seconds, t->microseconds * (int64_t)NS_PER_US });
	return 0;
}

static struct linux_timeval encode_timeval(uint64_t ns)
{
	return (struct linux_timeval){ (int64_t)(ns / NS_PER_SECOND),
				       (int64_t)(ns % NS_PER_SECOND / NS_PER_US) };
}

static int write_setting(uint64_t user, const struct setting *s)
{
	struct user_setting out = { encode_timeval(s->interval_ns), encode_timeval(s->left_ns) };

	return copy_to_user(user, &out, sizeof(out));
}

long sys_setitimer(int which, uint64_t new_user, uint64_t old_user)
{
	struct user_setting user = { { 0, 0 }, { 0, 0 } };
	struct setting new, old;
	int r;

	if (which < 0 || which >= TIMERS)
		return -EINVAL;
	if (new_user != 0 && copy_from_user(&user, new_user, sizeof(user)) != 0)
		return -EFAULT;
	if (decode_timeval(&user.interval, &new.interval_ns) != 0 ||
	    decode_timeval(&user.left, &new.left_ns) != 0)
		return -EINVAL;
	r = exchange(which, &new, &old);
	return r == 0 && old_user != 0 ? write_setting(old_user, &old) : r;
}

long sys_getitimer(int which, uint64_t user)
{
	struct setting now;
	int r;

	if (which < 0 || which >= TIMERS)
		return -EINVAL;
	r = exchange(which, NULL, &now);
	return r == 0 ? write_setting(user, &now) : r;
}

/* Seconds that were left, rounded so that an armed alarm never reads as 0. */
long sys_alarm(unsigned seconds)
{
	struct setting new = { .left_ns = seconds * NS_PER_SECOND }, old;
	int r = exchange(ITIMER_REAL, &new, &old);

	if (r != 0)
		return r;
	return (long)((old.left_ns + NS_PER_SECOND / 2) / NS_PER_SECOND) +
	       (old.left_ns != 0 && old.left_ns < NS_PER_SECOND / 2);
}
