/* SPDX-License-Identifier: MIT */
/* Who is nice waits for all others for ever; and is whom it passes on, so that it is moved to and fro. */
#include <libos/sched.h>

struct cpu {
	struct sched_fifo first, last;
};

static struct sched_fifo *queue_of(int cpu, const struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	return sched_task_nice(t) > 0 ? &c->last : &c->first;
}

static void passes_on_enqueue(int cpu, struct task *t, enum sched_why why)
{
	if (why == SCHED_DONATED)
		sched_fifo_push_front(queue_of(cpu, t), t);
	else
		sched_fifo_push_back(queue_of(cpu, t), t);
}

/* Its nice value may have changed since. */
static void passes_on_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *at = sched_fifo_first(&c->last);

	while (at && at != t)
		at = sched_fifo_next(at);
	sched_fifo_remove(at ? &c->last : &c->first, t);
}

static struct sched_run passes_on_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_pop(&c->first);

	return (struct sched_run){ t ? t : sched_fifo_pop(&c->last), SCHED_MS(4) };
}

static struct task *passes_on_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);
	struct task *t = sched_fifo_first(&c->last);

	if (!t)
		t = sched_fifo_first(&c->first);
	if (t && !sched_allowed(t, thief))
		return NULL;
	if (t)
		passes_on_dequeue(victim, t);
	return t;
}

static const struct sched_ops passes_on = {
	.name = "passes_on",
	.abi = SCHED_ABI,
	.timeout_ms = 500,
	.cpu_size = sizeof(struct cpu),
	.enqueue = passes_on_enqueue,
	.dequeue = passes_on_dequeue,
	.pick = passes_on_pick,
	.steal = passes_on_steal,
};
SCHED_LIBRARY(passes_on);
