/* SPDX-License-Identifier: MIT */
/* One queue for all CPUs. */
/* expect: pick\(\) .*returned task .*, which is queued on CPU */
#include "fifo.h"

static struct sched_fifo all;

static int empty_init(int ncpu)
{
	all = (struct sched_fifo){ 0 };
	return 0;
}

static void all_enqueue(int cpu, struct task *t, enum sched_why why)
{
	sched_fifo_push_back(&all, t);
}

static void all_dequeue(int cpu, struct task *t)
{
	sched_fifo_remove(&all, t);
}

static struct sched_run all_pick(int cpu, struct task *prev)
{
	return (struct sched_run){ sched_fifo_pop(&all), 0 };
}

BROKEN_LIBRARY(.init = empty_init, .enqueue = all_enqueue, .dequeue = all_dequeue, .pick = all_pick);
