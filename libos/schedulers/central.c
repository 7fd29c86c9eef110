/* SPDX-License-Identifier: MIT */
/*
 * One queue for all CPUs, as the example of why there is one for each (measured in docs/scheduler.md;
 * the trade is that of Anderson, Lazowska and Levy, "The performance implications of thread
 * management alternatives for shared-memory multiprocessors", 1989).
 *
 * A callback may not wait for another CPU, and a task can be picked only where it is queued.  So the
 * queue is that of CPU 0: all that are new or woken go there, and the other CPUs ask it for one each
 * time that they have nothing to run.
 *
 * Good at: order.  Tasks start in the order in which they became ready, whatever CPU is free first.
 * Bad at: everything that happens often.  Each sleep of a task costs two messages and an interrupt
 * of CPU 0, the next run is on another CPU with a cold cache, and all of it waits for one CPU.  A
 * task that computes keeps the CPU that it has got, since it can be queued only there; who waits for
 * a CPU meanwhile takes turns on CPU 0.
 */
#include <libos/sched.h>

#define CENTRE 0
#define SLICE_NS SCHED_MS(4)

struct cpu {
	struct sched_fifo ready; /* of CPUs other than the centre: only what they were running */
};

static int central_select_cpu(struct task *t, int prev, enum sched_why why)
{
	return sched_allowed(t, CENTRE) ? CENTRE : -1;
}

static void central_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	if (why == SCHED_DONATED)
		sched_fifo_push_front(&c->ready, t);
	else
		sched_fifo_push_back(&c->ready, t);
}

static void central_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}

static struct sched_run central_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);

	return (struct sched_run){ sched_fifo_pop(&c->ready), SLICE_NS };
}

static struct task *central_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);
	struct task *t = sched_fifo_first(&c->ready);

	while (t && !sched_allowed(t, thief))
		t = sched_fifo_next(t);
	if (t)
		sched_fifo_remove(&c->ready, t);
	return t;
}

static const struct sched_ops central = {
	.name = "central",
	.abi = SCHED_ABI,
	.cpu_size = sizeof(struct cpu),
	.select_cpu = central_select_cpu,
	.enqueue = central_enqueue,
	.dequeue = central_dequeue,
	.pick = central_pick,
	.steal = central_steal,
};
SCHED_LIBRARY(central);
