/* SPDX-License-Identifier: MIT */
/* Looks at a task beyond detach(). */
/* expect: used memory that is not its own: heap-use-after-free */
/* expect: reads_freed_memory\.c:\d+ in curious_pick\(\) */
#include "fifo.h"

static struct task *ended;

static void remember_detach(struct task *t)
{
	ended = t;
}

static struct sched_run curious_pick(int cpu, struct task *prev)
{
	struct sched_run run = fifo_pick(cpu, prev);

	if (ended && sched_task_nice(ended) < 0)
		run.slice_ns = 0;
	return run;
}

BROKEN_LIBRARY(.detach = remember_detach, .enqueue = fifo_enqueue, .dequeue = fifo_dequeue,
	       .pick = curious_pick);
