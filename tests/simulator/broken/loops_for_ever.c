/* SPDX-License-Identifier: MIT */
/* Waits for something that does not come. */
/* expect: pick\(\) .*does not return */
/* expect: loops_for_ever\.c:\d+ in patient_pick\(\) */
#include "fifo.h"

static struct sched_run patient_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);

	while (*(volatile unsigned *)&c->ready.count < 2)
		;
	return fifo_pick(cpu, prev);
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = patient_pick);
