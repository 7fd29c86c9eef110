/* SPDX-License-Identifier: MIT */
/* Placing tasks: see place.h. */
#include "sched/place.h"
#include "core/event.h"
#include "core/log.h"
#include "core/task_state.h"
#include "core/vcore.h"

_Atomic uint64_t idle_cpus, online_cpus, away_cpus;

static uint64_t bit(int cpu)
{
	return 1ul << cpu;
}

/* The first CPU of a mask from `from` on, going round: so that not all go to CPU 0. */
static int first_from(uint64_t mask, int from)
{
	uint64_t above = mask & (~0ul << from);

	return __builtin_ctzl(above ? above : mask);
}

/* It is about to get something to do: so that the next task goes to another.  An idle CPU that is
 * rung sets its bit again if it finds that it is still idle. */
static int claim_idle(int cpu)
{
	atomic_fetch_and(&idle_cpus, ~bit(cpu));
	return cpu;
}

/* The allowed CPU with the shortest queue, as far as can be seen; `prev` among equals. */
static int least_loaded(uint64_t allowed, int prev)
{
	int best = first_from(allowed, prev);

	for (int cpu = 0; cpu < (int)vcore_count; cpu++)
		if ((allowed & bit(cpu)) && sched_cpu_queued(cpu) < sched_cpu_queued(best))
			best = cpu;
	return best;
}

/* A slice is given where the giver is; everybody else goes where nobody has to wait.  If all CPUs
 * are busy, a task stays where the caches know it, and a new one goes where the fewest wait. */
static int default_cpu(const struct vcore *v, uint64_t allowed, int prev, enum sched_why why)
{
	uint64_t idle = atomic_load_explicit(&idle_cpus, memory_order_relaxed) & allowed;

	if (why == SCHED_DONATED && (allowed & bit(v->cpu)))
		return v->cpu;
	if (idle)
		return claim_idle(first_from(idle, prev));
	if (why != SCHED_NEW && (allowed & bit(prev)))
		return prev;
	return least_loaded(allowed, prev);
}

static __attribute__((noinline)) unsigned choose(struct vcore *v, struct task *t, enum sched_why why)
{
	int prev = atomic_load_explicit(&t->home, memory_order_relaxed);
	uint64_t online = atomic_load_explicit(&online_cpus, memory_order_relaxed);
	uint64_t allowed = t->affinity & online;
	int cpu;

	if (!allowed)
		allowed = online; /* all that it may run on are gone: better anywhere than nowhere */
	if (run_queue_has_opinion(v)) {
		cpu = run_queue_select_cpu(v, t, prev, why);
		if (cpu >= 0 && cpu < EXO_CPUS_MAX && (allowed & bit(cpu)))
			return (unsigned)cpu;
	}
	return (unsigned)default_cpu(v, allowed, prev, why);
}

/* The most frequent case first: a gift that nobody wants elsewhere. */
unsigned place_choose(struct vcore *v, struct task *t, enum sched_why why)
{
	uint64_t online = atomic_load_explicit(&online_cpus, memory_order_relaxed);

	if (why == SCHED_DONATED && !run_queue_has_opinion(v) && (t->affinity & online & bit(v->cpu)))
		return (unsigned)v->cpu;
	return choose(v, t, why);
}

void place_offer(struct vcore *v, const struct task *t)
{
	uint64_t idle = atomic_load(&idle_cpus) & t->affinity & ~bit(v->cpu);
	unsigned waiting = atomic_load_explicit(&v->queue.count, memory_order_relaxed);
	int cpu;

	if (!idle || waiting + (v->current != NULL) < 2)
		return;
	cpu = claim_idle(first_from(idle, v->cpu));
	vcore_ring_if((unsigned)cpu,
		      !(atomic_fetch_or(&vcore_of(cpu)->mailbox.flags, MAILBOX_PULL) & MAILBOX_PULL));
}
