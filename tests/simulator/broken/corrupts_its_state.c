/* SPDX-License-Identifier: MIT */
/* Overwrites its own queue. */
/* expect: (did what C does not define: .*misaligned|faulted: Segmentation fault) */
/* expect: fifo\.h:\d+ in fifo_\w+\(\) */
#include "fifo.h"

static void wild_charge(int cpu, struct task *t, uint64_t ns)
{
	struct cpu *c = sched_cpu_private(cpu);

	if (c->ready.first)
		c->ready.last = (struct task *)(ns | 1);
}

BROKEN_LIBRARY(BROKEN_QUEUE, .charge = wild_charge);
