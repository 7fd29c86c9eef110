/* SPDX-License-Identifier: MIT */
/*
 * Earliest eligible virtual deadline first (Stoica and Abdel-Wahab, "Earliest eligible virtual
 * deadline first: a flexible and accurate mechanism for proportional share resource allocation",
 * 1995).
 *
 *	virtual time    what each task would have had, per unit of weight, if all ran at once: it advances
 *	                by what any of them has had, divided by the weight of all
 *	lag             virtual time less the task's own (`v`): what the task is owed
 *	eligible        lag >= 0
 *	deadline        v when the task has used its request (a slice), divided by its weight
 *
 * Of those eligible the one with the earliest deadline runs.  Weights come from nice values; the
 * request is what sched_setattr(2) says in sched_runtime, so it is the hint about latency: who asks
 * for short slices has early deadlines, and no larger share.
 *
 * A task that sleeps keeps its lag, within two requests, and comes back with it: it neither gains
 * by sleeping nor loses what it is owed.
 *
 * Why nobody starves: the virtual time only advances, and does so with whatever time this CPU gives to
 * anybody.  So each task that waits becomes eligible, and is first once the virtual time is the longest
 * request beyond its deadline, since nobody who comes has an earlier one than that.  (Where a task that
 * goes takes its lag out of the virtual time, and brings it back when it comes, tasks that are given each
 * other's slices hand on what the others are owed: one is never there when the other comes back.)
 *
 * Good at: shares and latency, each chosen apart from the other.  Bad at: being explained; and, as
 * all that share, at throughput for its own sake.  The CPUs are not balanced by weight.
 */
#include <libos/sched.h>

#define REQUEST_NS SCHED_US(slice_us)
#define SLICE_MIN_DIVISOR 4 /* of a request: what a switch should be worth */
#define CHARGE_MAX 2          /* in requests, the usual or its own: see fair_charge() */
#define YIELDS_MAX 32         /* requests by which a deadline may be put off */
#define VIRTUAL_SHIFT 16      /* virtual time in ns / weight, with so many more bits */

/* What `schedctl param` shows and changes. */
static uint64_t slice_us = 4000;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ 0 },
};

/* What was picked or charged last; a copy, because its task may have gone, and run elsewhere. */
struct running {
	const struct task *task; /* to be compared, not looked at */
	bool counted;            /* in the CPU's weight */
	uint64_t v, deadline;
	uint32_t weight;
};

struct cpu {
	struct sched_ordered eligible; /* by deadline */
	struct sched_ordered early;    /* not eligible yet, by v */
	struct sched_fifo gifts;       /* tasks that were given a slice, and could not run at once */
	uint64_t virtual_time;
	uint64_t weight; /* of all that are queued here or run */
	struct running running;
};

enum queue { ELIGIBLE, EARLY, GIFTS };

struct entity {
	uint64_t v, deadline;
	int64_t lag;     /* when last charged or dequeued */
	uint32_t weight; /* with which it is counted */
	enum queue queue;
};

static uint64_t request_ns(const struct task *t)
{
	uint64_t ns = sched_task_runtime_ns(t);

	return ns == 0 || sched_task_policy(t) == SCHED_POLICY_DEADLINE ? REQUEST_NS : ns;
}

static int64_t request(const struct task *t, const struct entity *e)
{
	return (int64_t)((request_ns(t) << VIRTUAL_SHIFT) / e->weight);
}

static bool is_eligible(const struct cpu *c, const struct entity *e)
{
	return (int64_t)(e->v - c->virtual_time) <= 0;
}

/* ---- coming and going */

static void join(const struct cpu *c, struct entity *e, const struct task *t)
{
	int64_t most = 2 * request(t, e), lag = e->lag;

	lag = lag > most ? most : lag < -most ? -most : lag;
	e->v = c->virtual_time - (uint64_t)lag;
	e->deadline = e->v + (uint64_t)request(t, e);
}

static void insert(struct cpu *c, struct task *t, struct entity *e, bool gift)
{
	e->queue = gift ? GIFTS : is_eligible(c, e) ? ELIGIBLE : EARLY;
	if (e->queue == GIFTS)
		sched_fifo_push_back(&c->gifts, t);
	else if (e->queue == ELIGIBLE)
		sched_ordered_insert(&c->eligible, t, e->deadline);
	else
		sched_ordered_insert(&c->early, t, e->v);
}

static void take_out(struct cpu *c, struct task *t, const struct entity *e)
{
	if (e->queue == GIFTS)
		sched_fifo_remove(&c->gifts, t);
	else if (e->queue == ELIGIBLE)
		sched_ordered_remove(&c->eligible, t);
	else
		sched_ordered_remove(&c->early, t);
}

static void forget_running(struct cpu *c)
{
	if (c->running.counted)
		c->weight -= c->running.weight;
	c->running.counted = false;
}

/* Behind all that are eligible, however often; but not for so long that it waits for ever. */
static void put_off(const struct cpu *c, struct entity *e, const struct task *t)
{
	uint64_t latest = c->virtual_time + YIELDS_MAX * (uint64_t)request(t, e);

	e->deadline += (uint64_t)request(t, e);
	if ((int64_t)(e->deadline - latest) > 0)
		e->deadline = latest;
}

static void set_weight(struct entity *e, const struct task *t)
{
	e->weight = sched_weight(sched_task_policy(t), sched_task_nice(t));
}

static void fair_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct entity *e = sched_private(t);
	bool ran = c->running.counted && (why == SCHED_PREEMPTED || why == SCHED_YIELDED);

	set_weight(e, t);
	if (ran)
		forget_running(c);
	else
		join(c, e, t);
	if (why == SCHED_YIELDED)
		put_off(c, e, t);
	c->weight += e->weight;
	insert(c, t, e, why == SCHED_DONATED);
	if (c->running.counted && e->queue == ELIGIBLE &&
	    (int64_t)(e->deadline - c->running.deadline) < 0)
		sched_resched(cpu);
}

static void fair_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct entity *e = sched_private(t);

	take_out(c, t, e);
	e->lag = (int64_t)(c->virtual_time - e->v);
	c->weight -= e->weight;
}

/* ---- choosing */

static struct task *choose(struct cpu *c)
{
	struct task *t;

	while ((t = sched_ordered_first(&c->early)) && is_eligible(c, sched_private(t))) {
		take_out(c, t, sched_private(t));
		insert(c, t, sched_private(t), false);
	}
	/* If all that are owed something are elsewhere, or sleep, who has had least is next. */
	t = sched_ordered_first(&c->eligible);
	return t ? t : sched_ordered_first(&c->early);
}

static void set_running(struct cpu *c, const struct task *t, const struct entity *e)
{
	c->running = (struct running){ t, true, e->v, e->deadline, e->weight };
}

/* Up to its deadline, but who has put that off by yielding has no longer slice for it. */
static uint64_t slice_ns(const struct task *t, const struct entity *e)
{
	uint64_t left = (e->deadline - e->v) * e->weight >> VIRTUAL_SHIFT, most = request_ns(t);

	return left < most ? left : most;
}

static struct sched_run fair_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_fifo_first(&c->gifts);
	struct entity *e;

	forget_running(c);
	if (!t)
		t = choose(c);
	if (!t)
		return (struct sched_run){ 0 };
	e = sched_private(t);
	take_out(c, t, e); /* it stays in the CPU's weight */
	set_running(c, t, e);
	return (struct sched_run){ t, slice_ns(t, e) };
}

/*
 * More than a slice is what it used while nobody waited, or what the host or another domain had of the
 * CPU meanwhile.  Nobody is owed that: it would wait for as long, when somebody comes, as it was alone.
 */
static uint64_t owed_ns(const struct task *t, uint64_t ns)
{
	uint64_t own = request_ns(t), most = CHARGE_MAX * (own > REQUEST_NS ? own : REQUEST_NS);

	return ns < most ? ns : most;
}

/* One that was given a slice and ran at once has not been in the queue.  It may even be the one that
 * was picked last, back from another CPU, but then its v is another. */
static void fair_charge(int cpu, struct task *t, uint64_t ns)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct entity *e = sched_private(t);
	uint64_t owed = owed_ns(t, ns) << VIRTUAL_SHIFT;
	bool ran = c->running.counted && c->running.task == t && c->running.v == e->v;

	forget_running(c);
	if (!ran) {
		set_weight(e, t);
		join(c, e, t);
	}
	c->weight += e->weight;
	e->v += owed / e->weight;
	c->virtual_time += owed / c->weight;
	if ((int64_t)(e->deadline - e->v) < request(t, e) / SLICE_MIN_DIVISOR)
		e->deadline = e->v + (uint64_t)request(t, e);
	set_running(c, t, e);
	e->lag = (int64_t)(c->virtual_time - e->v);
}

static void fair_dump(int cpu, sched_printf print)
{
	struct cpu *c = sched_cpu_private(cpu);

	print("  %u eligible, %u early, virtual time %lx\n", sched_ordered_count(&c->eligible),
	      sched_ordered_count(&c->early), c->virtual_time);
}

static const struct sched_ops fair = {
	.name = "fair",
	.abi = SCHED_ABI,
	.task_size = sizeof(struct entity),
	.cpu_size = sizeof(struct cpu),
	.enqueue = fair_enqueue,
	.dequeue = fair_dequeue,
	.pick = fair_pick,
	.charge = fair_charge,
	.dump = fair_dump,
	.tunables = tunables,
};
SCHED_LIBRARY(fair);
