/* SPDX-License-Identifier: MIT */
/* Runs the last one again, which may sleep. */
/* expect: pick\(\) .*returned task .*, which is blocked */
#include "fifo.h"

static struct task *last;

static struct sched_run again_pick(int cpu, struct task *prev)
{
	struct sched_run run = fifo_pick(cpu, prev);
	struct task *again = last;

	last = run.task;
	if (again && again != run.task && again != prev) {
		run.task = again;
		last = NULL;
	}
	return run;
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = again_pick);
