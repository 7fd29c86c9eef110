/* SPDX-License-Identifier: MIT */
/* Everything goes to CPU 0. */
/* expect: enqueue\(\) .*put the task into the queue of CPU 0 */
#include "fifo.h"

static void zero_enqueue(int cpu, struct task *t, enum sched_why why)
{
	fifo_enqueue(0, t, why);
}

BROKEN_LIBRARY(.enqueue = zero_enqueue, .dequeue = fifo_dequeue, .pick = fifo_pick);
