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
 * Good at: recursive parallel work.  Bad at: fairness.  Newest first would starve the oldest, so when
 * one has waited patience_ms it is next.  Tasks whose slice has ended are a queue of their own, in the
 * order in which they came: behind the new ones they would be newest last, and whoever has just used
 * its slice would pass for the oldest, before those that really are.
 */
#include <libos/sched.h>

#define SLICE_NS SCHED_US(slice_us)
#define PATIENCE_NS SCHED_MS(patience_ms)

/* What `schedctl param` shows and changes. */
static uint64_t slice_us = 10000, patience_ms = 50;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ "patience_ms", &patience_ms, 1, 1000 },
	{ 0 },
};

struct cpu {
	struct sched_fifo fresh; /* new or woken, newest first */
	struct sched_fifo begun; /* stopped or moved, oldest first */
};

struct place {
	struct sched_fifo *queue; /* while it is in one */
};

static int forkjoin_select_cpu(struct task *t, int prev, enum sched_why why)
{
	return why == SCHED_NEW ? sched_this_cpu() : -1;
}

static void forkjoin_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct place *p = sched_private(t);

	if (why == SCHED_NEW || why == SCHED_WOKEN || why == SCHED_DONATED) {
		p->queue = &c->fresh;
		sched_fifo_push_front(p->queue, t);
	} else {
		p->queue = &c->begun;
		sched_fifo_push_back(p->queue, t);
	}
}

static void take_out(struct task *t)
{
	const struct place *p = sched_private(t);

	sched_fifo_remove(p->queue, t);
}

static void forkjoin_dequeue(int cpu, struct task *t)
{
	take_out(t);
}

/* NULL: nobody has waited for too long. */
static struct task *out_of_patience(const struct cpu *c)
{
	struct task *fresh = sched_fifo_last(&c->fresh), *begun = sched_fifo_first(&c->begun);
	struct task *oldest = fresh;

	if (!fresh || (begun && sched_ready_since_ns(begun) < sched_ready_since_ns(fresh)))
		oldest = begun;
	if (!oldest || sched_now_ns() - sched_ready_since_ns(oldest) <= PATIENCE_NS)
		return NULL;
	return oldest;
}

static struct sched_run forkjoin_pick(int cpu, struct task *prev)
{
	const struct cpu *c = sched_cpu_private(cpu);
	struct task *t = out_of_patience(c);

	if (!t)
		t = sched_fifo_first(&c->fresh);
	if (!t)
		t = sched_fifo_first(&c->begun);
	if (t)
		take_out(t);
	return (struct sched_run){ t, SLICE_NS };
}

static struct task *forkjoin_steal(int victim, int thief)
{
	const struct cpu *c = sched_cpu_private(victim);
	struct task *t = sched_fifo_first(&c->begun);

	while (t && !sched_allowed(t, thief))
		t = sched_fifo_next(t);
	if (!t)
		t = sched_fifo_last(&c->fresh);
	while (t && !sched_allowed(t, thief))
		t = sched_fifo_previous(t);
	if (t)
		take_out(t);
	return t;
}

static const struct sched_ops forkjoin = {
	.name = "forkjoin",
	.abi = SCHED_ABI,
	.task_size = sizeof(struct place),
	.cpu_size = sizeof(struct cpu),
	.select_cpu = forkjoin_select_cpu,
	.enqueue = forkjoin_enqueue,
	.dequeue = forkjoin_dequeue,
	.pick = forkjoin_pick,
	.steal = forkjoin_steal,
	.tunables = tunables,
};
SCHED_LIBRARY(forkjoin);
