/* SPDX-License-Identifier: MIT */
/* Refuses who is nice when it meets him, and wants to hear no more of him. */
#include <libos/sched.h>

#define TAKEN 0x7a6e17edu

struct cpu {
	struct sched_fifo ready;
};

struct choice {
	uint32_t taken; /* TAKEN: it is one of ours */
};

static void must_be_taken(struct task *t)
{
	struct choice *c = sched_private(t);

	if (c->taken != TAKEN)
		__builtin_trap();
}

static int choosy_attach(struct task *t)
{
	struct choice *c = sched_private(t);

	if (sched_task_nice(t) > 0)
		return -1;
	c->taken = TAKEN;
	return 0;
}

static void choosy_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);

	must_be_taken(t);
	sched_fifo_push_back(&c->ready, t);
}

static void choosy_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	must_be_taken(t);
	sched_fifo_remove(&c->ready, t);
}

static struct sched_run choosy_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);

	if (prev)
		must_be_taken(prev);
	return (struct sched_run){ sched_fifo_pop(&c->ready), SCHED_MS(4) };
}

static void choosy_charge(int cpu, struct task *t, uint64_t ns)
{
	must_be_taken(t);
}

static const struct sched_ops choosy = {
	.name = "choosy",
	.abi = SCHED_ABI,
	.timeout_ms = 500,
	.task_size = sizeof(struct choice),
	.cpu_size = sizeof(struct cpu),
	.attach = choosy_attach,
	.enqueue = choosy_enqueue,
	.dequeue = choosy_dequeue,
	.pick = choosy_pick,
	.charge = choosy_charge,
};
SCHED_LIBRARY(choosy);
