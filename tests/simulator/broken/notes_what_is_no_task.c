/* SPDX-License-Identifier: MIT */
/* Writes into the trace about its queue, of which the compiler does not know that it is no task. */
/* expect: called sched_trace\(\) with a pointer that is no task's */
/* expect: notes_what_is_no_task\.c:\d+ in telling_pick\(\) */
#include "fifo.h"

static struct sched_run telling_pick(int cpu, struct task *prev)
{
	sched_trace("asked", sched_cpu_private(cpu), 0);
	return fifo_pick(cpu, prev);
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = telling_pick);
