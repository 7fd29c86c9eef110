/* SPDX-License-Identifier: MIT */
/* Round robin: one FIFO for each CPU; a task whose slice is over goes to the end. */
#include <libos/sched.h>

/* What `schedctl param` shows and changes. */
static uint64_t slice_us = 4000;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ 0 },
};

struct cpu {
	struct sched_fifo ready;
};

static void rr_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	if (why == SCHED_DONATED)
		sched_fifo_push_front(&c->ready, t);
	else
		sched_fifo_push_back(&c->ready, t);
}

static void rr_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}

static struct sched_run rr_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);

	return (struct sched_run){ sched_fifo_pop(&c->ready), SCHED_US(slice_us) };
}

static const struct sched_ops rr = {
	.name = "rr",
	.abi = SCHED_ABI,
	.cpu_size = sizeof(struct cpu),
	.enqueue = rr_enqueue,
	.dequeue = rr_dequeue,
	.pick = rr_pick,
	.tunables = tunables,
};
SCHED_LIBRARY(rr);
