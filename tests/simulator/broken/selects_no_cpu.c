/* SPDX-License-Identifier: MIT */
/* The CPU after the last one. */
/* expect: select_cpu\(\) .*returned 4: there are 4 CPUs */
#include "fifo.h"

static int next_select_cpu(struct task *t, int prev, enum sched_why why)
{
	return prev + 1;
}

BROKEN_LIBRARY(BROKEN_QUEUE, .select_cpu = next_select_cpu);
