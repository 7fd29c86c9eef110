/* SPDX-License-Identifier: MIT */
/* Its queues are its own, and survive it. */
/* expect: it_may_be_swapped_at_any_time: .* took a task out of a queue that it is not in */
#include "fifo.h"

static struct cpu cpus[1024];

static void own_enqueue(int cpu, struct task *t, enum sched_why why)
{
	sched_fifo_push_back(&cpus[cpu].ready, t);
}

static void own_dequeue(int cpu, struct task *t)
{
	sched_fifo_remove(&cpus[cpu].ready, t);
}

static struct sched_run own_pick(int cpu, struct task *prev)
{
	return (struct sched_run){ sched_fifo_pop(&cpus[cpu].ready), 0 };
}

BROKEN_LIBRARY(.enqueue = own_enqueue, .dequeue = own_dequeue, .pick = own_pick);
