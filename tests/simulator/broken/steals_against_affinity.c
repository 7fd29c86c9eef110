/* SPDX-License-Identifier: MIT */
/* Gives a thief whatever comes first. */
/* expect: steal\(\) .*returned task .*, which may not run on CPU */
#include "fifo.h"

static struct task *first_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);

	return sched_fifo_pop(&c->ready);
}

BROKEN_LIBRARY(BROKEN_QUEUE, .steal = first_steal);
