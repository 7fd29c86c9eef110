/* SPDX-License-Identifier: MIT */
/* Has more in its private state than it asked for. */
/* expect: charge\(\) .*used memory that is not its own: heap-buffer-overflow */
/* expect: writes_beyond_its_state\.c:\d+ in long_charge\(\) */
#include "fifo.h"

struct counts {
	uint64_t used_ns, runs;
};

static void long_charge(int cpu, struct task *t, uint64_t ns)
{
	struct counts *n = sched_private(t);

	n->used_ns += ns;
	n->runs++;
}

BROKEN_LIBRARY(BROKEN_QUEUE, .charge = long_charge, .task_size = sizeof(uint64_t));
