/* SPDX-License-Identifier: MIT */
/* The average of nothing. */
/* expect: charge\(\) .*did what C does not define */
/* expect: divides_by_zero\.c:\d+ in average_charge\(\) */
#include "fifo.h"

struct counts {
	unsigned used_us, runs;
};

static void average_charge(int cpu, struct task *t, uint64_t ns)
{
	struct counts *n = sched_private(t);

	n->used_us = (unsigned)(ns / 1000) / n->runs;
}

BROKEN_LIBRARY(BROKEN_QUEUE, .charge = average_charge, .task_size = sizeof(struct counts));
