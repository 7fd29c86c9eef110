/* SPDX-License-Identifier: MIT */
/* Gives away what it keeps. */
/* expect: steal\(\) .*which is still in the library's queue */
#include "fifo.h"

static struct task *keeping_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);

	return sched_fifo_first(&c->ready);
}

BROKEN_LIBRARY(BROKEN_QUEUE, .steal = keeping_steal);
