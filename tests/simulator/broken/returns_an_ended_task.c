/* SPDX-License-Identifier: MIT */
/* Remembers a task beyond detach(). */
/* expect: pick\(\) .*returned task .*, which has ended */
#include "fifo.h"

static struct task *ended;

static void remember_detach(struct task *t)
{
	ended = t;
}

static struct sched_run ended_pick(int cpu, struct task *prev)
{
	struct sched_run run = { ended, 0 };

	return ended ? run : fifo_pick(cpu, prev);
}

BROKEN_LIBRARY(.detach = remember_detach, .enqueue = fifo_enqueue, .dequeue = fifo_dequeue,
	       .pick = ended_pick);
