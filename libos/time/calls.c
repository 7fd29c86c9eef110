/* SPDX-License-Identifier: MIT */
/* The system calls that read and set clocks. */
#include <linux/time.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "core/vcore.h"
#include "proc/process.h"
#include "time/cpu_clock.h"
#include "time/process_timers.h"
#include "time/timespec.h"

#define RESOLUTION_NS 1ul

/* Linux's negative clock ids: ~id << 3 | bit 2 (of a thread) | which of three CPU clocks. */
#define CLOCK_OF_THREAD 4
#define CLOCK_KINDS 3 /* and no fourth one */
static uint32_t clock_owner(int clock)
{
	return ~((uint32_t)clock >> 3 | 7u << 29);
}

static int other_cpu_clock(int clock, uint64_t *ns)
{
	uint32_t id = clock_owner(clock);

	if ((clock & CLOCK_KINDS) == CLOCK_KINDS)
		return -EINVAL;
	if ((clock & CLOCK_OF_THREAD) != 0)
		return cpu_clock_of_thread(id, ns);
	return cpu_clock_of_process(id, ns);
}

static int clock_read(int clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = time_real_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = time_now_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		return cpu_clock_of_process(0, ns);
	case CLOCK_THREAD_CPUTIME_ID:
		return cpu_clock_of_thread(0, ns);
	default:
		return clock < 0 ? other_cpu_clock(clock, ns) : -EINVAL;
	}
}

int clock_refused(int clock)
{
	uint64_t ns;

	return clock_read(clock, &ns) == 0 ? -EOPNOTSUPP : -EINVAL;
}

long sys_clock_gettime(int clock, uint64_t user)
{
	uint64_t ns;
	int r = clock_read(clock, &ns);

	return r != 0 ? r : timespec_write(user, ns);
}

long sys_clock_getres(int clock, uint64_t user)
{
	uint64_t ns;
	int r = clock_read(clock, &ns);

	if (r != 0 || user == 0)
		return r;
	return timespec_write(user, RESOLUTION_NS);
}

/* Linux's order of refusals.  As there, the machine cannot have been started before 1970. */
static long set_clock(const struct linux_timespec *t)
{
	uint64_t ns = timespec_is_valid(t) ? timespec_to_ns(t) : TIME_NEVER_NS;

	if (ns == TIME_NEVER_NS)
		return -EINVAL;
	if (current_process()->euid != 0)
		return -EPERM;
	if (ns < time_now_ns())
		return -EINVAL;
	time_set_real_ns(ns);
	posix_timers_clock_set();
	timer_files_clock_set();
	return 0;
}

long sys_clock_settime(int clock, uint64_t user)
{
	struct linux_timespec t;
	uint64_t ns;

	if (clock != CLOCK_REALTIME && clock >= 0)
		return -EINVAL;
	if (copy_from_user(&t, user, sizeof(t)) != 0)
		return -EFAULT;
	/* CPU time that somebody has used is not set by anybody. */
	return clock < 0 ? other_cpu_clock(clock, &ns) ?: -EPERM : set_clock(&t);
}

/* The time zone is the C library's business; the old structure reads as zero. */
struct old_timezone {
	int32_t minutes_west, dst;
};

long sys_gettimeofday(uint64_t time_user, uint64_t zone_user)
{
	uint64_t ns = time_real_ns();
	struct linux_timeval now = { (int64_t)(ns / NS_PER_SECOND),
				     (int64_t)(ns % NS_PER_SECOND / NS_PER_US) };
	struct old_timezone zone = { 0, 0 };

	if (time_user != 0 && copy_to_user(time_user, &now, sizeof(now)) != 0)
		return -EFAULT;
	if (zone_user != 0 && copy_to_user(zone_user, &zone, sizeof(zone)) != 0)
		return -EFAULT;
	return 0;
}

#define MINUTES_WEST_MAX (15 * 60)

/* A zone that could be set: 0, -EFAULT or -EINVAL. */
static int zone_refused(uint64_t zone_user)
{
	struct old_timezone zone;

	if (zone_user == 0)
		return 0;
	if (copy_from_user(&zone, zone_user, sizeof(zone)) != 0)
		return -EFAULT;
	return zone.minutes_west < -MINUTES_WEST_MAX || zone.minutes_west > MINUTES_WEST_MAX
		       ? -EINVAL
		       : 0;
}

long sys_settimeofday(uint64_t time_user, uint64_t zone_user)
{
	struct linux_timespec day;
	struct linux_timeval t;
	int r;

	if (time_user != 0 && copy_from_user(&t, time_user, sizeof(t)) != 0)
		return -EFAULT;
	if (time_user != 0 && (t.microseconds < 0 || t.microseconds >= 1000000))
		return -EINVAL;
	r = zone_refused(zone_user);
	if (r != -EFAULT && time_user == 0 && current_process()->euid != 0)
		return -EPERM;
	if (r != 0 || time_user == 0)
		return r;
	day = (struct linux_timespec){ t.seconds, t.microseconds * (int64_t)NS_PER_US };
	return set_clock(&day);
}

long sys_time(uint64_t user)
{
	int64_t seconds = (int64_t)(time_real_ns() / NS_PER_SECOND);

	if (user != 0 && copy_to_user(user, &seconds, sizeof(seconds)) != 0)
		return -EFAULT;
	return seconds;
}
