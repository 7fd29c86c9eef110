/* SPDX-License-Identifier: MIT */
/*
 * Lottery scheduling (Waldspurger and Weihl, "Lottery scheduling: flexible proportional-share
 * resource management", 1994).  Each waiting task has tickets, from its nice value; one is drawn,
 * and its owner runs.  A task that uses only a part of its slice before it sleeps has its tickets
 * raised by the reciprocal until it wins again, so that short runs do not cost it its share
 * (section 4.5, compensation tickets).
 *
 * Good at: simplicity; nothing is kept that could be wrong, and nobody with a ticket starves.  Bad
 * at: the short run.  A share is right only on average; after n draws the deviation is about
 * 1/sqrt(n), which 10,000 draws of 1 ms bring to one hundredth.
 */
#include <libos/sched.h>

#define SLICE_NS SCHED_US(slice_us)
#define COMPENSATION_MAX 16u

/* What `schedctl param` shows and changes. */
static uint64_t slice_us = 1000;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ 0 },
};

struct cpu {
	struct sched_fifo ready;
	struct sched_fifo gifts; /* tasks that were given a slice */
	uint64_t tickets;        /* of all in ready */
};

struct holder {
	uint64_t used_ns; /* since it won */
	uint64_t tickets; /* while it is in ready */
	bool gift;        /* in which of the two queues */
};

static uint64_t tickets_of(const struct task *t, const struct holder *h, enum sched_why why)
{
	uint64_t tickets = sched_weight(sched_task_policy(t), sched_task_nice(t));

	if (why != SCHED_WOKEN || h->used_ns == 0 || h->used_ns >= SLICE_NS)
		return tickets;
	if (h->used_ns * COMPENSATION_MAX < SLICE_NS)
		return tickets * COMPENSATION_MAX;
	return tickets * SLICE_NS / h->used_ns;
}

static void lottery_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct holder *h = sched_private(t);

	h->gift = why == SCHED_DONATED;
	if (h->gift) {
		sched_fifo_push_back(&c->gifts, t);
		return;
	}
	h->tickets = tickets_of(t, h, why);
	c->tickets += h->tickets;
	sched_fifo_push_back(&c->ready, t);
}

static void lottery_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct holder *h = sched_private(t);

	if (h->gift) {
		sched_fifo_remove(&c->gifts, t);
		return;
	}
	c->tickets -= h->tickets;
	sched_fifo_remove(&c->ready, t);
}

/* A walk along the queue; a tree of partial sums would pay from some hundred tasks on. */
static struct task *draw(struct cpu *c)
{
	struct task *t = sched_fifo_first(&c->ready);
	uint64_t ticket;

	if (!t)
		return NULL;
	ticket = sched_random() % c->tickets;
	for (;;) {
		struct holder *h = sched_private(t);

		if (ticket < h->tickets)
			return t;
		ticket -= h->tickets;
		t = sched_fifo_next(t);
	}
}

static struct sched_run lottery_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_first(&c->gifts);
	struct holder *h;

	if (!t)
		t = draw(c);
	if (!t)
		return (struct sched_run){ 0 };
	lottery_dequeue(cpu, t);
	h = sched_private(t);
	h->used_ns = 0;
	return (struct sched_run){ t, SLICE_NS };
}

static void lottery_charge(int cpu, struct task *t, uint64_t ns)
{
	struct holder *h = sched_private(t);

	h->used_ns += ns;
}

static const struct sched_ops lottery = {
	.name = "lottery",
	.abi = SCHED_ABI,
	.task_size = sizeof(struct holder),
	.cpu_size = sizeof(struct cpu),
	.enqueue = lottery_enqueue,
	.dequeue = lottery_dequeue,
	.pick = lottery_pick,
	.charge = lottery_charge,
	.tunables = tunables,
};
SCHED_LIBRARY(lottery);
