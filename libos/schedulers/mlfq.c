/* SPDX-License-Identifier: MIT */
/*
 * A multi-level feedback queue (Corbato, Merwin-Daggett and Daley, "An experimental time-sharing
 * system", 1962; the rules as in Arpaci-Dusseau, "Operating Systems: Three Easy Pieces", ch. 8).
 *
 *	level 0   2 ms   new tasks, and those that soon sleep again
 *	level 1   4 ms        |  used up its time here, in however many pieces
 *	   ...                v
 *	level 4  32 ms   what computes
 *
 * (To begin with: slice_us is that of level 0.)
 *
 * A task that wakes age_ms after it left the top starts there again: so a computation that has become a
 * dialogue is noticed, and a dialogue that has used up its time on all levels is one again.  And
 * whoever has waited age_ms is next, and starts at the top: so nothing starves.  (Lifting everybody at
 * once, as the textbook does, would be a long callback, and put what computes among what answers.)
 *
 * Who wakes another leaves him the rest of his slice only if nobody waits who comes before that one.
 *
 * Good at: response without knowing anything about the tasks.  Bad at: promises.  Nice values and
 * policies are not looked at.
 */
#include <libos/sched.h>

#define LEVELS 5
#define SLICE_NS(level) (SCHED_US(slice_us) << (level))
#define AGE_NS SCHED_MS(age_ms)

/* What `schedctl param` shows and changes. */
static uint64_t slice_us = 2000, age_ms = 200;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ "age_ms", &age_ms, 10, 5000 },
	{ 0 },
};

struct cpu {
	struct sched_fifo level[LEVELS];
	int running; /* level of what was picked last */
};

struct history {
	int level;
	uint64_t used_ns; /* on this level */
	uint64_t left_ns; /* when it last left the top */
	bool queued;
};

static void mlfq_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct history *h = sched_private(t);

	if (why == SCHED_WOKEN && h->level && sched_now_ns() - h->left_ns > AGE_NS)
		*h = (struct history){ 0 };
	h->queued = true;
	if (why == SCHED_DONATED)
		sched_fifo_push_front(&c->level[h->level], t);
	else
		sched_fifo_push_back(&c->level[h->level], t);
	/* After one that stops somebody is chosen anyway.  If the CPU is idle, `running` is of long
	 * ago, and it looks into its queue anyway, too. */
	if (h->level < c->running && why != SCHED_PREEMPTED && why != SCHED_YIELDED)
		sched_resched(cpu);
}

static void mlfq_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct history *h = sched_private(t);

	sched_fifo_remove(&c->level[h->level], t);
	h->queued = false;
}

/* Somebody waits who would come before t: on a higher level, or on the same for longer. */
static bool others_are_first(const struct cpu *c, const struct task *t, int level)
{
	const struct task *first;

	for (int above = 0; above < level; above++)
		if (c->level[above].count)
			return true;
	first = sched_fifo_first(&c->level[level]);
	return first && sched_ready_since_ns(first) < sched_ready_since_ns(t);
}

/* Who is on a higher level does not wait until the giver stops.  But who wakes on a lower one does not pass
 * others by a slice: a helper that sleeps most of the time, and so is always on top, would take him along.
 * It is another thing if he is queued: then the giver waits for what he has, or has named him. */
static int mlfq_donate(struct task *from, struct task *to)
{
	const struct history *giver = sched_private(from), *heir = sched_private(to);

	if (heir->level > giver->level && !heir->queued &&
	    others_are_first(sched_cpu_private(sched_this_cpu()), to, heir->level))
		return -1;
	return heir->level < giver->level ? SCHED_DONATE_NOW : 0;
}

/* Who has waited for too long, and of those who has waited longest, on whatever level; else the highest
 * level.  (If the lower levels came first among those, a crowd that has been on top would never let the
 * others there.) */
static struct task *choose(struct cpu *c)
{
	struct task *highest = NULL, *oldest = NULL;

	for (int level = 0; level < LEVELS; level++) {
		struct task *t = sched_fifo_first(&c->level[level]);

		if (!t)
			continue;
		if (!highest)
			highest = t;
		if (!oldest || sched_ready_since_ns(t) < sched_ready_since_ns(oldest))
			oldest = t;
	}
	return oldest && sched_now_ns() - sched_ready_since_ns(oldest) > AGE_NS ? oldest : highest;
}

/* The rest of its time on the level, but no less than the shortest.  (Slices may have become shorter.) */
static uint64_t slice_of(const struct history *h)
{
	uint64_t shortest_ns = SLICE_NS(0), level_ns = shortest_ns << h->level;

	return level_ns > h->used_ns + shortest_ns ? level_ns - h->used_ns : shortest_ns;
}

static struct sched_run mlfq_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct task *t = choose(c);
	struct history *h;

	if (!t)
		return (struct sched_run){ 0 };
	h = sched_private(t);
	mlfq_dequeue(cpu, t);
	if (sched_now_ns() - sched_ready_since_ns(t) > AGE_NS)
		*h = (struct history){ 0 };
	c->running = h->level;
	return (struct sched_run){ t, slice_of(h) };
}

/* Time counts however it is split: to sleep just before the slice ends gains nothing. */
static void mlfq_charge(int cpu, struct task *t, uint64_t ns)
{
	struct history *h = sched_private(t);

	h->used_ns += ns;
	if (h->used_ns < SLICE_NS(h->level))
		return;
	h->used_ns = 0;
	if (h->level == 0)
		h->left_ns = sched_now_ns();
	if (h->level < LEVELS - 1)
		h->level++;
}

static void mlfq_dump(int cpu, sched_printf print)
{
	struct cpu *c = sched_cpu_private(cpu);

	for (int level = 0; level < LEVELS; level++)
		print("  level %d: %u waiting\n", level, c->level[level].count);
}

static const struct sched_ops mlfq = {
	.name = "mlfq",
	.abi = SCHED_ABI,
	.task_size = sizeof(struct history),
	.cpu_size = sizeof(struct cpu),
	.enqueue = mlfq_enqueue,
	.dequeue = mlfq_dequeue,
	.pick = mlfq_pick,
	.donate = mlfq_donate,
	.charge = mlfq_charge,
	.dump = mlfq_dump,
	.tunables = tunables,
};
SCHED_LIBRARY(mlfq);
