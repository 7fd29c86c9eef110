/* SPDX-License-Identifier: MIT */
/* Takes out what it has taken out. */
/* expect: pick\(\) .*took a task out of a queue that it is not in */
/* expect: removes_twice\.c:\d+ in thorough_pick\(\) */
#include "fifo.h"

static struct sched_run thorough_pick(int cpu, struct task *prev)
{
	struct sched_run run = fifo_pick(cpu, prev);

	if (run.task)
		fifo_dequeue(cpu, run.task);
	return run;
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = thorough_pick);
