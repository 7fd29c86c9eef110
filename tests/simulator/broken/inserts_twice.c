/* SPDX-License-Identifier: MIT */
/* Two queues for one task. */
/* expect: enqueue\(\) .*put a task into a queue that is in one already */
/* expect: inserts_twice\.c:\d+ in twice_enqueue\(\) */
#include "fifo.h"

struct two {
	struct sched_fifo ready, urgent;
};

static void twice_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct two *c = sched_cpu_private(cpu);

	sched_fifo_push_back(&c->ready, t);
	if (why == SCHED_DONATED || why == SCHED_WOKEN)
		sched_fifo_push_front(&c->urgent, t);
}

static struct sched_run urgent_pick(int cpu, struct task *prev)
{
	struct two *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_pop(&c->urgent);

	return (struct sched_run){ t ? t : sched_fifo_pop(&c->ready), 0 };
}

static const struct sched_ops twice = { .name = "broken", .cpu_size = sizeof(struct two),
					.enqueue = twice_enqueue, .dequeue = fifo_dequeue,
					.pick = urgent_pick };
SCHED_LIBRARY(twice);
