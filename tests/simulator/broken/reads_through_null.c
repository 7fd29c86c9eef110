/* SPDX-License-Identifier: MIT */
/* Its queue is not where it looks; with the line, and that of who called. */
/* expect: pick\(\) .*faulted: Segmentation fault, address 0x40, at reads_through_null */
/* expect: reads_through_null\.c:\d+ in longest\(\), reads_through_null\.c:\d+ in null_pick\(\) */
#include "fifo.h"

static __attribute__((noinline)) uint64_t longest(const volatile uint64_t *lengths)
{
	return lengths[0];
}

static struct sched_run null_pick(int cpu, struct task *prev)
{
	if (longest((const volatile uint64_t *)0x40) > 1)
		return (struct sched_run){ 0 };
	return fifo_pick(cpu, prev);
}

BROKEN_LIBRARY(.enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = null_pick);
