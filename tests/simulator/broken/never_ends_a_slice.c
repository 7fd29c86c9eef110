/* SPDX-License-Identifier: MIT */
/* Whoever runs may run until it blocks. */
/* expect: is starved */
#include "fifo.h"

static struct sched_run endless_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);

	return (struct sched_run){ sched_fifo_pop(&c->ready), UINT64_MAX };
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = endless_pick);
