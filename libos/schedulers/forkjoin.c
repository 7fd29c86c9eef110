/* SPDX-License-Identifier: MIT */
/*
 * For programs that divide their work: newest first on the own CPU, oldest first for thieves (Blumofe
 * and Leiserson, "Scheduling multithreaded computations by work stealing", 1994; Frigo, Leiserson and
 * Randall, "The implementation of the Cilk-5 multithreaded language", 1998).
 *
 * A new task is queued on the CPU of its parent, and runs next: its data is in the cache, and depth
 * first bounds how many there are at once.  An idle CPU takes the oldest, which stands for the
 * largest part of what is left, so that thieves come seldom.
 *
 * Good at: recursive parallel work.  Bad at: fairness.  Newest first would starve the oldest, so one
 * that has waited PATIENCE_NS is next.
 */
#include <libos/sched.h>

#define SLICE_NS SCHED_MS(10)
#define PATIENCE_NS SCHED_MS(50)

struct cpu {
	struct sched_fifo ready; /* newest first */
};

static int forkjoin_select_cpu(struct task *t, int prev, enum sched_why why)
{
	return why == SCHED_NEW ? sched_this_cpu() : -1;
}

static void forkjoin_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	if (why == SCHED_NEW || why == SCHED_WOKEN || why == SCHED_DONATED)
		sched_fifo_push_front(&c->ready, t);
	else
		sched_fifo_push_back(&c->ready, t);
}

static void forkjoin_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}

static struct sched_run forkjoin_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_last(&c->ready);

	if (t && sched_now_ns() - sched_ready_since_ns(t) <= PATIENCE_NS)
		t = sched_fifo_first(&c->ready);
	if (t)
		sched_fifo_remove(&c->ready, t);
	return (struct sched_run){ t, SLICE_NS };
}

static struct task *forkjoin_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);
	struct task *t = sched_fifo_last(&c->ready);

	while (t && !sched_allowed(t, thief))
		t = sched_fifo_previous(t);
	if (t)
		sched_fifo_remove(&c->ready, t);
	return t;
}

static const struct sched_ops forkjoin = {
	.name = "forkjoin",
	.abi = SCHED_ABI,
	.cpu_size = sizeof(struct cpu),
	.select_cpu = forkjoin_select_cpu,
	.enqueue = forkjoin_enqueue,
	.dequeue = forkjoin_dequeue,
	.pick = forkjoin_pick,
	.steal = forkjoin_steal,
};
SCHED_LIBRARY(forkjoin);
