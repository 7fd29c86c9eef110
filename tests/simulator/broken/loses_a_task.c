/* SPDX-License-Identifier: MIT */
/* Forgets every fiftieth task. */
/* expect: pick\(\) .*returned nothing, though .* tasks are queued: it lost them */
#include "fifo.h"

static void forgetful_enqueue(int cpu, struct task *t, enum sched_why why)
{
	static unsigned count;

	if (++count % 50)
		fifo_enqueue(cpu, t, why);
}

BROKEN_LIBRARY(.enqueue = forgetful_enqueue, .dequeue = fifo_dequeue, .pick = fifo_pick);
