/* SPDX-License-Identifier: MIT */
/*
 * Stride scheduling (Waldspurger and Weihl, "Stride scheduling: deterministic proportional-share
 * resource management", 1995).  Each task has a pass, which advances by the time it used divided by
 * its weight; the task with the smallest pass runs.  Weights come from nice values.
 *
 * A task that sleeps keeps how far its pass was ahead of the CPU's (the pass of the task picked
 * last), and comes back as far ahead: it saves nothing by sleeping, so it cannot monopolise the CPU
 * afterwards, and owes no more than a slice, so it is not starved.
 *
 * Good at: shares that are exact within a slice.  Bad at: response: who wakes waits like everybody
 * else.  Shares hold among the tasks of one CPU; the CPUs are not balanced by weight.
 */
#include <libos/sched.h>

#define SLICE_NS SCHED_US(slice_us)
#define CHARGE_MAX_NS (2 * SLICE_NS) /* what it used while nobody waited, or the host had, is not owed */
#define PASS_SHIFT 20 /* so that little is lost when dividing by large weights */

/* What `schedctl param` shows and changes. */
static uint64_t slice_us = 2000;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ 0 },
};

struct cpu {
	struct sched_ordered ready;
	struct sched_fifo gifts; /* tasks that were given a slice, and could not run at once */
	uint64_t pass;           /* of the task picked last */
	/* What was picked or charged last, and its pass then. */
	const struct task *running;
	uint64_t running_pass;
};

struct share {
	uint64_t pass;
	/* Of the CPU's pass, when it was last charged or dequeued.  Never behind it: the CPU's pass goes
	 * on only in pick(), to the least of those that are queued here, and who ran before has been
	 * charged by then. */
	int64_t ahead;
	bool known;    /* has been queued before */
	bool gift;     /* in which of the two queues */
};

static uint64_t stride(const struct task *t, uint64_t ns)
{
	return (ns << PASS_SHIFT) / sched_weight(sched_task_policy(t), sched_task_nice(t));
}

/* It was not in this queue until now. */
static void join(const struct cpu *c, struct share *s, const struct task *t)
{
	int64_t most = (int64_t)stride(t, SLICE_NS);

	if (s->ahead > most || !s->known)
		s->ahead = most;
	s->pass = c->pass + (uint64_t)s->ahead;
	s->known = true;
}

static void stride_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct share *s = sched_private(t);

	if (why != SCHED_PREEMPTED && why != SCHED_YIELDED)
		join(c, s, t);
	s->gift = why == SCHED_DONATED;
	if (s->gift)
		sched_fifo_push_back(&c->gifts, t);
	else
		sched_ordered_insert(&c->ready, t, s->pass);
}

static void stride_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct share *s = sched_private(t);

	if (s->gift)
		sched_fifo_remove(&c->gifts, t);
	else
		sched_ordered_remove(&c->ready, t);
	s->ahead = (int64_t)(s->pass - c->pass);
}

static struct sched_run stride_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_pop(&c->gifts);
	struct share *s;

	if (!t) {
		t = sched_ordered_pop(&c->ready);
		if (!t)
			return (struct sched_run){ 0 };
		s = sched_private(t);
		if ((int64_t)(s->pass - c->pass) > 0)
			c->pass = s->pass;
	}
	s = sched_private(t);
	c->running = t;
	c->running_pass = s->pass;
	return (struct sched_run){ t, SLICE_NS };
}

/* One that was given a slice and ran at once has not been in the queue.  It may even be the one that
 * was picked last, back from another CPU, but then its pass is another. */
static void stride_charge(int cpu, struct task *t, uint64_t ns)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct share *s = sched_private(t);

	if (c->running != t || c->running_pass != s->pass)
		join(c, s, t);
	s->pass += stride(t, ns < CHARGE_MAX_NS ? ns : CHARGE_MAX_NS);
	s->ahead = (int64_t)(s->pass - c->pass);
	c->running = t;
	c->running_pass = s->pass;
}

static const struct sched_ops stride_ops = {
	.name = "stride",
	.abi = SCHED_ABI,
	.task_size = sizeof(struct share),
	.cpu_size = sizeof(struct cpu),
	.enqueue = stride_enqueue,
	.dequeue = stride_dequeue,
	.pick = stride_pick,
	.charge = stride_charge,
	.tunables = tunables,
};
SCHED_LIBRARY(stride_ops);
