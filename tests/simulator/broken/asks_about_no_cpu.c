/* SPDX-License-Identifier: MIT */
/* Looks at its neighbour, which the last CPU has not got. */
/* expect: called sched_cpu_private\(.*\): there are */
/* expect: asks_about_no_cpu\.c:\d+ in neighbour_pick\(\) */
#include "fifo.h"

static struct sched_run neighbour_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu + 1);

	return c->ready.count > 100 ? (struct sched_run){ 0 } : fifo_pick(cpu, prev);
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = neighbour_pick);
