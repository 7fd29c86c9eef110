/* SPDX-License-Identifier: MIT */
/* A FIFO that is right, for libraries that are wrong in one place: see the files beside this. */
#ifndef BROKEN_FIFO_H
#define BROKEN_FIFO_H

#include <libos/sched.h>

struct cpu {
	struct sched_fifo ready;
};

__attribute__((unused)) static void fifo_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_push_back(&c->ready, t);
}

__attribute__((unused)) static void fifo_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}

__attribute__((unused)) static struct sched_run fifo_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);

	return (struct sched_run){ sched_fifo_pop(&c->ready), SCHED_MS(4) };
}

#define BROKEN_QUEUE .enqueue = fifo_enqueue, .dequeue = fifo_dequeue, .pick = fifo_pick
#define BROKEN_LIBRARY(...)                                                                        \
	static const struct sched_ops broken = {                                                   \
		.name = "broken", .abi = SCHED_ABI, .cpu_size = sizeof(struct cpu), __VA_ARGS__    \
	};                                                                                         \
	SCHED_LIBRARY(broken)

#endif
