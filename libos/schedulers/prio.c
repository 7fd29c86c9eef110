/* SPDX-License-Identifier: MIT */
/*
 * Fixed priorities: SCHED_FIFO and SCHED_RR, 1 to 99, above everybody else (POSIX.1, "Scheduling
 * Policies"; analysed by Liu and Layland, "Scheduling algorithms for multiprogramming in a hard
 * real-time environment", 1973).  Below them SCHED_OTHER takes turns, with slices in proportion to
 * nice values, and SCHED_IDLE has what is left.
 *
 * Good at: control loops whose importance one can order; the answer to "why did it run" is one
 * number.  Bad at: sharing.  A real-time task that spins starves all below it on its CPU for ever,
 * which is what was asked for: so a task that waits long is no reason for ejection here.
 */
#include <libos/sched.h>
#include <stdatomic.h>

#define LEVEL_IDLE 0
#define LEVEL_OTHER 1 /* the real-time priorities follow */
#define LEVEL_DEADLINE 101
#define LEVELS 102
#define WORDS ((LEVELS + 63) / 64)

#define SLICE_NS SCHED_US(slice_us) /* of SCHED_RR, and of nice 0 */
#define SLICE_MAX_NS SCHED_MS(100)
#define SLICE_ENDLESS_NS SCHED_MS(3600000)
#define TIMEOUT_NEVER_MS UINT32_MAX

/* What `schedctl param` shows and changes. */
static uint64_t slice_us = 4000;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ 0 },
};

struct cpu {
	struct sched_fifo level[LEVELS];
	uint64_t waiting[WORDS]; /* bit per level that is not empty */
	_Atomic int running;     /* level of what was picked last; others read it as a hint */
};

struct place {
	int level;        /* where it is queued */
	uint64_t left_ns; /* of a slice that a higher level cut short */
};

static int level_of(const struct task *t)
{
	switch (sched_task_policy(t)) {
	case SCHED_POLICY_FIFO:
	case SCHED_POLICY_RR:
		return LEVEL_OTHER + sched_task_priority(t);
	case SCHED_POLICY_DEADLINE:
		return LEVEL_DEADLINE;
	case SCHED_POLICY_IDLE:
		return LEVEL_IDLE;
	default:
		return LEVEL_OTHER;
	}
}

static uint64_t slice_of(const struct task *t)
{
	int policy = sched_task_policy(t);
	uint64_t slice_ns = SLICE_NS;

	if (policy == SCHED_POLICY_FIFO)
		return SLICE_ENDLESS_NS;
	if (policy != SCHED_POLICY_RR)
		slice_ns = SLICE_NS * sched_weight(policy, sched_task_nice(t)) / SCHED_WEIGHT_NICE_0;
	return slice_ns < SLICE_MAX_NS ? slice_ns : SLICE_MAX_NS;
}

/* Cut short, not used up: then it has not lost its turn.  SCHED_FIFO has no slices, but the core stops one
 * that has given away what is left of its own, when somebody comes to wait, whoever that is. */
static bool keeps_its_turn(const struct task *t, enum sched_why why)
{
	return why == SCHED_PREEMPTED &&
	       (sched_slice_left_ns(t) > 0 || sched_task_policy(t) == SCHED_POLICY_FIFO);
}

static void prio_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct place *p = sched_private(t);

	p->level = level_of(t);
	p->left_ns = keeps_its_turn(t, why) ? sched_slice_left_ns(t) : 0;
	if (why == SCHED_DONATED || keeps_its_turn(t, why))
		sched_fifo_push_front(&c->level[p->level], t);
	else
		sched_fifo_push_back(&c->level[p->level], t);
	c->waiting[p->level / 64] |= 1ul << p->level % 64;
	/* After one that stops somebody is chosen anyway.  If the CPU is idle, `running` is of long
	 * ago, and it looks into its queue anyway, too. */
	if (why != SCHED_PREEMPTED && why != SCHED_YIELDED &&
	    p->level > atomic_load_explicit(&c->running, memory_order_relaxed))
		sched_resched(cpu);
}

static void prio_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct place *p = sched_private(t);

	sched_fifo_remove(&c->level[p->level], t);
	if (!sched_fifo_first(&c->level[p->level]))
		c->waiting[p->level / 64] &= ~(1ul << p->level % 64);
}

/* The highest level that is not empty, at most `level`; -1 if there is none. */
static int highest(const struct cpu *c, int level)
{
	for (; level >= 0; level = level / 64 * 64 - 1) {
		uint64_t waiting = c->waiting[level / 64] & ~0ul >> (63 - level % 64);

		if (waiting)
			return level / 64 * 64 + 63 - __builtin_clzl(waiting);
	}
	return -1;
}

static struct sched_run prio_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	int level = highest(c, LEVELS - 1);
	struct task *t = level < 0 ? NULL : sched_fifo_first(&c->level[level]);
	struct place *p;

	if (!t)
		return (struct sched_run){ 0 };
	p = sched_private(t);
	prio_dequeue(cpu, t);
	atomic_store_explicit(&c->running, level, memory_order_relaxed);
	return (struct sched_run){ t, p->left_ns ? p->left_ns : slice_of(t) };
}

/* A real-time task goes where it need not wait: an idle CPU, else where the least urgent runs. */
static int prio_select_cpu(struct task *t, int prev, enum sched_why why)
{
	int level = level_of(t), lowest = level, best = -1;

	if (level <= LEVEL_OTHER || why == SCHED_DONATED)
		return -1;
	for (int i = 0; i < sched_cpu_count(); i++) {
		int cpu = (prev + i) % sched_cpu_count();
		struct cpu *c = sched_cpu_private(cpu);
		int running = atomic_load_explicit(&c->running, memory_order_relaxed);

		if (!sched_allowed(t, cpu))
			continue;
		if (sched_cpu_is_idle(cpu))
			return -1; /* the default finds it */
		if (running < lowest) {
			lowest = running;
			best = cpu;
		}
	}
	return best;
}

static struct task *prio_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);

	for (int level = LEVELS; (level = highest(c, level - 1)) >= 0;) {
		struct task *t = sched_fifo_first(&c->level[level]);

		while (t && !sched_allowed(t, thief))
			t = sched_fifo_next(t);
		if (t) {
			prio_dequeue(victim, t);
			return t;
		}
	}
	return NULL;
}

/* Not if the giver, which may stay runnable, or somebody who waits comes before it. */
static int prio_donate(struct task *from, struct task *to)
{
	struct cpu *c = sched_cpu_private(sched_this_cpu());
	int level = level_of(to), giver = level_of(from);

	if (level < giver || level < highest(c, LEVELS - 1))
		return -1;
	return level > giver ? SCHED_DONATE_NOW : 0;
}

static void prio_dump(int cpu, sched_printf print)
{
	struct cpu *c = sched_cpu_private(cpu);

	for (int level = LEVELS; (level = highest(c, level - 1)) >= 0;)
		print("  level %d: %u waiting\n", level - LEVEL_OTHER, c->level[level].count);
}

static const struct sched_ops prio = {
	.name = "prio",
	.abi = SCHED_ABI,
	.timeout_ms = TIMEOUT_NEVER_MS,
	.task_size = sizeof(struct place),
	.cpu_size = sizeof(struct cpu),
	.select_cpu = prio_select_cpu,
	.enqueue = prio_enqueue,
	.dequeue = prio_dequeue,
	.pick = prio_pick,
	.steal = prio_steal,
	.donate = prio_donate,
	.dump = prio_dump,
	.tunables = tunables,
};
SCHED_LIBRARY(prio);
