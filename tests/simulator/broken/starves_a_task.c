/* SPDX-License-Identifier: MIT */
/* Newest first, always. */
/* expect: is starved */
#include "fifo.h"

static void newest_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_push_front(&c->ready, t);
}

BROKEN_LIBRARY(.enqueue = newest_enqueue, .dequeue = fifo_dequeue, .pick = fifo_pick);
