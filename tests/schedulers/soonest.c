/* SPDX-License-Identifier: MIT */
/*
 * Earliest virtual deadline first over all CPUs (after Kolivas's BFS): each slice comes with a deadline,
 * that is nearer for who has a low nice value, and who is woken runs at once where a task with a later one
 * does.  docs/scheduler.md walks through it.
 */
#include <libos/sched.h>
#include <stdatomic.h>

static uint64_t slice_us = 6000;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 500, 100000 },
	{ 0 },
};

struct cpu {
	struct sched_ordered ready;
	/* Deadline of what was picked or charged last; other CPUs read it as a hint. */
	_Atomic uint64_t runs;
};

struct job {
	uint64_t deadline_ns;
	uint64_t used_ns; /* since it has this deadline */
};

static bool earlier(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static void renew(struct task *t, struct job *j)
{
	unsigned weight = sched_weight(sched_task_policy(t), sched_task_nice(t));

	j->deadline_ns = sched_now_ns() + SCHED_US(slice_us) * SCHED_WEIGHT_NICE_0 / weight;
	j->used_ns = 0;
}

static int soonest_attach(struct task *t)
{
	renew(t, sched_private(t));
	return 0;
}

static void soonest_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct job *j = sched_private(t);
	struct task *runs = sched_running();
	const struct job *r = runs ? sched_private(runs) : NULL;

	if (why == SCHED_YIELDED || j->used_ns >= SCHED_US(slice_us))
		renew(t, j);
	sched_ordered_insert(&c->ready, t, j->deadline_ns);
	if (r && earlier(j->deadline_ns, r->deadline_ns)) {
		sched_trace("sooner than who runs, by ns", t,
			    (int64_t)(r->deadline_ns - j->deadline_ns));
		sched_resched(cpu);
	}
}

static void soonest_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);

	sched_ordered_remove(&c->ready, t);
}

static struct sched_run soonest_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = sched_ordered_pop(&c->ready);
	uint64_t slice_ns = SCHED_US(slice_us);
	const struct job *j;

	if (!t)
		return (struct sched_run){ 0 };
	j = sched_private(t);
	atomic_store_explicit(&c->runs, j->deadline_ns, memory_order_relaxed);
	return (struct sched_run){ t, j->used_ns < slice_ns ? slice_ns - j->used_ns
							    : SCHED_SLICE_MIN_NS };
}

static void soonest_charge(int cpu, struct task *t, uint64_t ns)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct job *j = sched_private(t);

	j->used_ns += ns;
	atomic_store_explicit(&c->runs, j->deadline_ns, memory_order_relaxed);
}

/* Where it need not wait: an idle CPU, which the default finds, else where the latest deadline runs. */
static int soonest_select_cpu(struct task *t, int prev, enum sched_why why)
{
	const struct job *j = sched_private(t);
	uint64_t latest = j->deadline_ns;
	int best = -1;

	for (int i = 0; i < sched_cpu_count(); i++) {
		int cpu = (prev + i) % sched_cpu_count();
		struct cpu *c = sched_cpu_private(cpu);
		uint64_t runs = atomic_load_explicit(&c->runs, memory_order_relaxed);

		if (!sched_allowed(t, cpu))
			continue;
		if (sched_cpu_is_idle(cpu))
			return -1;
		if (earlier(latest, runs)) {
			latest = runs;
			best = cpu;
		}
	}
	return best;
}

static struct task *soonest_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);
	struct task *soonest = NULL;

	for (struct task *t = sched_ordered_first(&c->ready); t; t = sched_ordered_next(t))
		if (sched_allowed(t, thief) &&
		    (!soonest || earlier(sched_key(t), sched_key(soonest))))
			soonest = t;
	if (soonest)
		sched_ordered_remove(&c->ready, soonest);
	return soonest;
}

static const struct sched_ops soonest = {
	.name = "soonest",
	.abi = SCHED_ABI,
	.flags = SCHED_EVENED_OUT,
	.task_size = sizeof(struct job),
	.cpu_size = sizeof(struct cpu),
	.attach = soonest_attach,
	.select_cpu = soonest_select_cpu,
	.enqueue = soonest_enqueue,
	.dequeue = soonest_dequeue,
	.pick = soonest_pick,
	.charge = soonest_charge,
	.steal = soonest_steal,
	.tunables = tunables,
};
SCHED_LIBRARY(soonest);
