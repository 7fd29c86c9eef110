/* SPDX-License-Identifier: MIT */
/* Has a rest now and then. */
/* expect: pick\(\) .*returned nothing, though */
#include "fifo.h"

static struct sched_run lazy_pick(int cpu, struct task *prev)
{
	static unsigned count;

	return ++count % 30 ? fifo_pick(cpu, prev) : (struct sched_run){ 0 };
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = lazy_pick);
