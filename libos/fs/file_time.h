/* SPDX-License-Identifier: MIT */
/*
 * The times of files: nanoseconds since 1901-12-13, 2^31 seconds before 1970, which is as old as a program
 * can make a file.  So none is negative, and all are compared and divided as what they are.
 */
#ifndef LIBOS_FILE_TIME_H
#define LIBOS_FILE_TIME_H

#include <stdint.h>
#include "time/timespec.h"

#define FILE_ERA_SECONDS (1l << 31)
#define FILE_ERA_NS ((uint64_t)FILE_ERA_SECONDS * NS_PER_SECOND)

static inline uint64_t file_time_now(void)
{
	return FILE_ERA_NS + time_real_ns();
}

/* Of a date with valid nanoseconds; what is out of range becomes the nearest that is not. */
static inline uint64_t file_time_of(const struct linux_timespec *date)
{
	if (date->seconds >= 0)
		return FILE_ERA_NS + timespec_to_ns(date);
	if (date->seconds < -FILE_ERA_SECONDS)
		return 0;
	return (uint64_t)(date->seconds + FILE_ERA_SECONDS) * NS_PER_SECOND + (uint64_t)date->nanoseconds;
}

static inline struct linux_timespec file_time_date(uint64_t time)
{
	struct linux_timespec date = timespec_from_ns(time);

	date.seconds -= FILE_ERA_SECONDS;
	return date;
}

#endif
