/* SPDX-License-Identifier: MIT */
/* A library of tests/schedulers is put in force, and taken out of the machine again. */
#ifndef TESTS_GUEST_TEST_LIBRARY_H
#define TESTS_GUEST_TEST_LIBRARY_H

#include "scheduler_files.h"

static char before[NAME_ROOM]; /* what was in force */

static inline int use(const char *name)
{
	char path[64];

	current_scheduler(before);
	snprintf(path, sizeof(path), "/tests/%s.so", name);
	return tell("sched-load", path) || tell("sched", name);
}

static inline int is_in_force(const char *name)
{
	char now[NAME_ROOM];

	return strcmp(current_scheduler(now), name) == 0;
}

/* 0: it was in force until now, and is no more. */
static inline int stop_using(const char *name)
{
	int was = is_in_force(name);

	return tell("sched", before) || tell("sched-unload", name) || !was;
}

#endif
