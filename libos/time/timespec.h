/* SPDX-License-Identifier: MIT */
/* Linux's time structures, and nanoseconds. */
#ifndef LIBOS_TIMESPEC_H
#define LIBOS_TIMESPEC_H

#include <stdbool.h>
#include <stdint.h>
#include "core/usercopy.h"
#include "fs/linux.h"
#include "time/time.h"

#define NS_PER_SECOND 1000000000ul
#define NS_PER_US 1000ul
/* Some 146 years: sums of two such times do not overflow. */
#define TIME_NEVER_NS (~0ul >> 2)

static inline bool timespec_is_valid(const struct linux_timespec *t)
{
	return t->seconds >= 0 && t->nanoseconds >= 0 && t->nanoseconds < (int64_t)NS_PER_SECOND;
}

/* Of a valid time; what does not fit becomes TIME_NEVER_NS. */
static inline uint64_t timespec_to_ns(const struct linux_timespec *t)
{
	if ((uint64_t)t->seconds >= TIME_NEVER_NS / NS_PER_SECOND)
		return TIME_NEVER_NS;
	return (uint64_t)t->seconds * NS_PER_SECOND + (uint64_t)t->nanoseconds;
}

/*
 * Of ns < 2^63, for which there is a shorter way to divide than for all: times M = 2^93 / 10^9, rounded up,
 * and a shift.  M is too large by less than 1, so the quotient by less than 2^63 / 2^93 = 2^-30, which is
 * less than the 10^-9 that the largest remainder is short of the next whole number.
 */
static inline struct linux_timespec timespec_from_ns(uint64_t ns)
{
	uint64_t seconds = (uint64_t)((unsigned __int128)ns * 9903520314283042200ul >> 93);

	return (struct linux_timespec){ (int64_t)seconds, (int64_t)(ns - seconds * NS_PER_SECOND) };
}

struct linux_itimerspec {
	struct linux_timespec interval, left;
};

/* Of a timer that expires next at expiry_ns, 0: never.  One that is armed never reads as if it were not. */
static inline struct linux_itimerspec itimerspec_from_ns(uint64_t expiry_ns, uint64_t interval_ns,
							 uint64_t now_ns)
{
	uint64_t left = expiry_ns > now_ns ? expiry_ns - now_ns : expiry_ns != 0;

	return (struct linux_itimerspec){ timespec_from_ns(interval_ns), timespec_from_ns(left) };
}

/* The monotonic time that lies `ns` ahead; never 0, which means "no deadline". */
static inline uint64_t deadline_after(uint64_t ns)
{
	uint64_t deadline = time_now_ns() + ns;

	return deadline > TIME_NEVER_NS ? TIME_NEVER_NS : deadline + (deadline == 0);
}

/* Why there is no waiting for this clock: -EOPNOTSUPP, or -EINVAL if there is no such clock (calls.c). */
int clock_refused(int clock);

/* 0, -EFAULT or -EINVAL. */
static inline int timespec_read(uint64_t user, uint64_t *ns)
{
	struct linux_timespec t;

	if (copy_from_user(&t, user, sizeof(t)) != 0)
		return -EFAULT;
	if (!timespec_is_valid(&t))
		return -EINVAL;
	*ns = timespec_to_ns(&t);
	return 0;
}

static inline int timespec_write(uint64_t user, uint64_t ns)
{
	struct linux_timespec t = timespec_from_ns(ns);

	return copy_to_user(user, &t, sizeof(t));
}

#endif
