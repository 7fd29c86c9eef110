/* SPDX-License-Identifier: MIT */
/*
 * A child domain made of the same image: its shared region maps the same frames, data included, so
 * that the two can talk through variables.  One at a time.
 */
#ifndef TESTS_KERNEL_HARNESS_CHILD_H
#define TESTS_KERNEL_HARNESS_CHILD_H

#include "harness.h"

#define CHILD_WORD 4711 /* of its DEATH message */

/* What the parent knows of it; domain is 0 when there is none. */
struct child {
	int64_t domain, shared, space;
	int64_t vcore[CPUS];
};
extern struct child child;
/* What its vcores have seen. */
extern struct seen child_seen[CPUS];

/* Makes it, with a vcore on each of the CPUs in the mask, not started, and without an SC. */
void child_make(unsigned cpus);
/* One more; where one has been taken, in its place. */
void child_add_vcore(unsigned cpu);
/* One mapping in its shared region. */
void child_map(struct exo_op op);
/* Says what the other domain calls a handle. */
int64_t child_gets(int64_t handle, unsigned rights);
/* Kills it and takes it apart, down to the last frame. */
void child_end(void);

/* Its first event goes on at `main`, on a stack of its own; true: this was the first. */
bool child_starts(struct exo_vcore_page *page, void (*main)(void));

#endif
