/* SPDX-License-Identifier: MIT */
/* Between engine.c (threads and choices), memory.c (what an access does) and schedule.c (what is printed). */
#ifndef TESTS_EXPLORE_ENGINE_H
#define TESTS_EXPLORE_ENGINE_H

#include "explore.h"

#define NOBODY EXPLORE_THREADS_MAX

/* engine.c */
/* A point where others may go on; between two of them a thread is alone. */
void engine_point(void);
/* 0 .. options - 1; what is returned is part of the schedule. */
unsigned engine_choose(unsigned options);
/* One more store is kept back: is it within the bound? */
bool engine_may_delay(void);
bool engine_on_own_stack(const volatile void *address);

/* schedule.c */
void schedule_begin(void);
/* A line of the schedule, that costs little unless it is printed.  Without an address it is not an access,
 * without a value that is not known yet.  `place` is behind the call that made the access, or NULL. */
void schedule_note(unsigned thread, const char *what, const volatile void *address,
		   const uint64_t *value, const void *place);
void schedule_print(void);
/* Has the case named it?  Only what has a name is shared by threads. */
bool engine_has_name(const volatile void *address);

/* memory.c */
void memory_reset(unsigned threads);
unsigned memory_buffered(unsigned thread); /* how many of its stores are not visible yet */
void memory_settle(void);                  /* the last plain access is over: before others go on */
void memory_drain_one(unsigned thread);
void memory_drain_all(unsigned thread);

#endif
