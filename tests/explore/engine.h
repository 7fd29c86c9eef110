/* SPDX-License-Identifier: MIT */
/* Between engine.c (threads and choices) and memory.c (what an access does). */
#ifndef TESTS_EXPLORE_ENGINE_H
#define TESTS_EXPLORE_ENGINE_H

#include "explore.h"

#define NOBODY EXPLORE_THREADS_MAX

/* engine.c */
/* A point where others may go on; only between such points a thread is alone. */
void engine_point(void);
/* 0 .. options - 1; what is returned is part of the schedule. */
unsigned engine_choose(unsigned options);
/* One more store is kept back: is it within the bound? */
bool engine_may_delay(void);
/* Has the case named it?  Only what has a name is shared by threads. */
bool engine_has_name(const volatile void *address);
bool engine_on_own_stack(const volatile void *address);
/* A line of the printed schedule; costs little unless it is printed. */
void engine_log(unsigned thread, const char *what, const volatile void *address, uint64_t value);

/* memory.c */
void memory_reset(unsigned threads);
unsigned memory_buffered(unsigned thread); /* how many of its stores are not visible yet */
void memory_drain_one(unsigned thread);
void memory_drain_all(unsigned thread);

#endif
