/* SPDX-License-Identifier: MIT */
/*
 * nanosleep and clock_nanosleep.
 *
 * A relative sleep that is interrupted without a handler (a stop and its continuation) goes on to
 * the end that it had at first: restart_syscall finds it in task->restart.
 */
#include <linux/time.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/task.h"
#include "core/wait.h"
#include "proc/signal.h"
#include "time/timespec.h"

/* How long a sleep for a wall-clock time may go without looking at the wall clock, which may be
 * set meanwhile. */
#define REAL_TIME_LOOK_NS NS_PER_SECOND

/* Sleeps until then; -EINTR if a signal came first. */
static int sleep_until(uint64_t deadline_ns)
{
	while (time_now_ns() < deadline_ns) {
		wait_begin();
		if (wait_sleep(WAIT_INTERRUPTIBLE, deadline_ns) == -EINTR)
			return -EINTR;
	}
	return 0;
}

static long sleep_go_on(void);

static long sleep_relative(uint64_t deadline_ns, uint64_t remainder_user)
{
	struct task *t = current();
	uint64_t now;

	if (sleep_until(deadline_ns) == 0)
		return 0;
	now = time_now_ns();
	if (now >= deadline_ns)
		return 0;
	if (remainder_user != 0 && timespec_write(remainder_user, deadline_ns - now) != 0)
		return -EFAULT;
	t->restart.go_on = sleep_go_on;
	t->restart.deadline_ns = deadline_ns;
	t->restart.address = remainder_user;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_go_on(void)
{
	const struct task *t = current();

	return sleep_relative(t->restart.deadline_ns, t->restart.address);
}

long sys_restart_syscall(void)
{
	const struct task *t = current();

	return t->restart.go_on ? t->restart.go_on() : -EINTR;
}

static long sleep_until_real(uint64_t real_ns)
{
	uint64_t now;

	while ((now = time_real_ns()) < real_ns) {
		uint64_t step = real_ns - now < REAL_TIME_LOOK_NS ? real_ns - now : REAL_TIME_LOOK_NS;

		if (sleep_until(deadline_after(step)) != 0)
			return -ERESTARTNOHAND;
	}
	return 0;
}

long sys_nanosleep(uint64_t request_user, uint64_t remainder_user)
{
	uint64_t ns;
	int r = timespec_read(request_user, &ns);

	if (r != 0)
		return r;
	return sleep_relative(deadline_after(ns), remainder_user);
}

long sys_clock_nanosleep(int clock, int flags, uint64_t request_user, uint64_t remainder_user)
{
	uint64_t ns;
	int r;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_TAI)
		return clock_refused(clock);
	r = timespec_read(request_user, &ns);
	if (r != 0)
		return r;
	if ((flags & TIMER_ABSTIME) == 0)
		return sleep_relative(deadline_after(ns), remainder_user);
	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		return sleep_until_real(ns);
	return sleep_until(ns) == 0 ? 0 : -ERESTARTNOHAND;
}
