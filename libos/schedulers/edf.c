/* SPDX-License-Identifier: MIT */
/*
 * Earliest deadline first (Liu and Layland, 1973) for SCHED_DEADLINE tasks, each on a constant
 * bandwidth server (Abeni and Buttazzo, "Integrating multimedia applications in hard real-time
 * systems", 1998); all others take turns when no such task has anything to do.
 *
 *	due         servers with budget, by deadline          first
 *	others      everybody else, round robin               then
 *	throttled   servers without, by when they get it      last
 *
 * A task that wants more than its runtime in a period runs on as the least important, until the
 * next period: so it disturbs nobody, and no time is lost.  A task that wakes gets a new period if
 * what is left of the old one would be more than its bandwidth (the paper's rule).
 *
 * Deadline tasks stay on one CPU, whose sum of runtime / period is at most 95%; up to that, every
 * deadline is met if the periods end when the deadlines do.  A task for which no CPU has room is
 * one of the others.  Who has a lock that a deadline task waits for runs by that one's parameters, in its
 * place, so that nothing is counted for it.
 *
 * Good at: periodic work with known needs.  Bad at: needs that nobody knows.
 */
#include <libos/sched.h>
#include <stdatomic.h>

#define SLICE_NS SCHED_MS(4)
#define BANDWIDTH_SHIFT 20
#define BANDWIDTH_MAX ((95u << BANDWIDTH_SHIFT) / 100)

struct cpu {
	struct sched_ordered due;       /* by deadline */
	struct sched_ordered throttled; /* by end of the period */
	struct sched_fifo others;
	uint64_t running_deadline;      /* of what was picked last; FAR_AWAY if it has none */
	_Atomic uint32_t bandwidth;     /* of the servers here; changed by any CPU */
};

#define FAR_AWAY INT64_MAX

enum queue { DUE, THROTTLED, OTHERS };

struct period {
	uint64_t start_ns;
	int64_t budget_ns;   /* left in it */
};

struct server {
	struct period now;   /* of its own parameters, or of those that it inherits */
	struct period other; /* of the others, if it has had them */
	uint32_t bandwidth;  /* 0: not admitted, or no deadline task */
	uint32_t reserved;   /* counted on CPU home */
	int16_t home;
	uint8_t queue;       /* enum queue */
	bool background;     /* runs without budget */
	bool inherits;
};

static uint32_t bandwidth_of(const struct task *t)
{
	uint64_t runtime_ns = sched_task_runtime_ns(t), period_ns = sched_task_period_ns(t);

	if (sched_task_policy(t) != SCHED_POLICY_DEADLINE || period_ns == 0)
		return 0;
	for (; period_ns >> (63 - BANDWIDTH_SHIFT); period_ns >>= 1)
		runtime_ns >>= 1;
	return (uint32_t)((runtime_ns << BANDWIDTH_SHIFT) / period_ns);
}

static uint64_t deadline_of(const struct task *t, const struct server *s)
{
	return s->now.start_ns + sched_task_deadline_ns(t);
}

static uint64_t period_end(const struct task *t, const struct server *s)
{
	return s->now.start_ns + sched_task_period_ns(t);
}

/* ---- admission */

static void give_back(struct server *s)
{
	struct cpu *c;

	if (!s->reserved)
		return;
	c = sched_cpu_private(s->home);
	atomic_fetch_sub_explicit(&c->bandwidth, s->reserved, memory_order_relaxed);
	s->reserved = 0;
}

/* Relaxed: the sum guards nothing but itself. */
static bool reserve(struct cpu *c, uint32_t bandwidth)
{
	if (atomic_fetch_add_explicit(&c->bandwidth, bandwidth, memory_order_relaxed) + bandwidth <=
	    BANDWIDTH_MAX)
		return true;
	atomic_fetch_sub_explicit(&c->bandwidth, bandwidth, memory_order_relaxed);
	return false;
}

static void begin_period(const struct task *t, struct server *s, uint64_t now)
{
	s->now.start_ns = now;
	s->now.budget_ns = (int64_t)sched_task_runtime_ns(t);
}

/* Its own bandwidth is counted on this CPU, or it has none. */
static void settle_own(int cpu, const struct task *t, struct server *s, uint32_t asked)
{
	s->bandwidth = asked;
	if (asked == s->reserved && (asked == 0 || s->home == cpu))
		return;
	give_back(s);
	s->home = (int16_t)cpu;
	s->bandwidth = 0;
	if (asked && reserve(sched_cpu_private(cpu), asked)) {
		s->bandwidth = s->reserved = asked;
		begin_period(t, s, sched_now_ns());
	}
}

/*
 * What it inherits is counted already, with the task that waits for it, and what is its own it keeps.  It
 * begins with a whole runtime, but once in a period: who is waited for again and again has no more of it.
 */
static void settle_inherited(const struct task *t, struct server *s, uint32_t asked, bool begins)
{
	uint64_t now = sched_now_ns();

	if (asked == s->bandwidth && !begins)
		return;
	s->bandwidth = asked;
	if (now >= period_end(t, s) || s->now.budget_ns > (int64_t)sched_task_runtime_ns(t) ||
	    s->now.start_ns == 0)
		begin_period(t, s, now);
}

static void settle(int cpu, const struct task *t, struct server *s)
{
	bool inherits = sched_task_inherits(t), changes = inherits != s->inherits;

	if (changes) {
		struct period other = s->other;

		s->other = s->now;
		s->now = other;
		s->inherits = inherits;
	}
	if (inherits)
		settle_inherited(t, s, bandwidth_of(t), changes);
	else
		settle_own(cpu, t, s, bandwidth_of(t));
}

static int edf_select_cpu(struct task *t, int prev, enum sched_why why)
{
	struct server *s = sched_private(t);
	uint32_t least = UINT32_MAX;
	int best = -1;

	if (sched_task_policy(t) != SCHED_POLICY_DEADLINE)
		return -1;
	if (s->reserved)
		return s->home;
	if (sched_task_inherits(t))
		return -1;
	for (int i = 0; i < sched_cpu_count(); i++) {
		int cpu = (prev + i) % sched_cpu_count();
		struct cpu *c = sched_cpu_private(cpu);
		uint32_t sum = atomic_load_explicit(&c->bandwidth, memory_order_relaxed);

		if (sched_allowed(t, cpu) && sum < least) {
			least = sum;
			best = cpu;
		}
	}
	return best;
}

/* ---- the server */

static void replenish(const struct task *t, struct server *s, uint64_t now)
{
	int64_t runtime_ns = (int64_t)sched_task_runtime_ns(t);

	s->now.start_ns = period_end(t, s);
	/* It may have had no competitor for many periods. */
	if (period_end(t, s) <= now)
		s->now.start_ns = now;
	s->now.budget_ns += runtime_ns; /* it had none left */
}

/* budget / (time to the deadline) > runtime / period: the rest of the old period is too good. */
static bool needs_new_period(const struct task *t, const struct server *s, uint64_t now)
{
	uint64_t deadline = deadline_of(t, s);

	if (now >= deadline)
		return true;
	return s->now.budget_ns > 0 &&
	       (uint64_t)s->now.budget_ns > ((deadline - now) >> 10) * s->bandwidth >>
						(BANDWIDTH_SHIFT - 10);
}

static void insert_server(int cpu, struct cpu *c, struct task *t, struct server *s)
{
	if (s->now.budget_ns <= 0) {
		s->queue = THROTTLED;
		sched_ordered_insert(&c->throttled, t, period_end(t, s));
		return;
	}
	s->queue = DUE;
	sched_ordered_insert(&c->due, t, deadline_of(t, s));
	/* If the CPU is idle, this is of long ago, and it looks into its queue anyway. */
	if (deadline_of(t, s) < c->running_deadline)
		sched_resched(cpu);
}

static void edf_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct server *s = sched_private(t);
	uint64_t now = sched_now_ns();

	settle(cpu, t, s);
	s->background = false;
	if (s->bandwidth) {
		if (why != SCHED_PREEMPTED && s->now.budget_ns > 0 && needs_new_period(t, s, now)) {
			begin_period(t, s, now);
		} else if (s->now.budget_ns <= 0 && period_end(t, s) <= now) {
			replenish(t, s, now);
		}
		insert_server(cpu, c, t, s);
		return;
	}
	s->queue = OTHERS;
	if (why == SCHED_DONATED)
		sched_fifo_push_front(&c->others, t);
	else
		sched_fifo_push_back(&c->others, t);
}

static void edf_dequeue(int cpu, struct task *t)
{
	struct cpu *c = sched_cpu_private(cpu);
	struct server *s = sched_private(t);

	if (s->queue == DUE)
		sched_ordered_remove(&c->due, t);
	else if (s->queue == THROTTLED)
		sched_ordered_remove(&c->throttled, t);
	else
		sched_fifo_remove(&c->others, t);
}

static void replenish_those_due(int cpu, struct cpu *c, uint64_t now)
{
	struct task *t;

	while ((t = sched_ordered_first(&c->throttled)) && sched_key(t) <= now) {
		struct server *s = sched_private(t);

		sched_ordered_remove(&c->throttled, t);
		replenish(t, s, now);
		insert_server(cpu, c, t, s);
	}
}

/* Nobody without a deadline runs past the moment when a server gets its budget. */
static uint64_t slice_until_replenished(const struct cpu *c, uint64_t now)
{
	struct task *t = sched_ordered_first(&c->throttled);

	return t && sched_key(t) - now < SLICE_NS ? sched_key(t) - now : SLICE_NS;
}

static struct sched_run edf_pick(int cpu, struct task *prev)
{
	struct cpu *c = sched_cpu_private(cpu);
	uint64_t now = sched_now_ns();
	struct server *s;
	struct task *t;

	replenish_those_due(cpu, c, now);
	t = sched_ordered_pop(&c->due);
	if (t) {
		s = sched_private(t);
		c->running_deadline = deadline_of(t, s);
		return (struct sched_run){ t, (uint64_t)s->now.budget_ns };
	}
	c->running_deadline = FAR_AWAY;
	t = sched_fifo_pop(&c->others);
	if (!t) {
		t = sched_ordered_pop(&c->throttled);
		if (!t)
			return (struct sched_run){ 0 };
		s = sched_private(t);
		s->background = true;
		return (struct sched_run){ t, period_end(t, s) - now };
	}
	return (struct sched_run){ t, slice_until_replenished(c, now) };
}

/* What it used while nobody waited is forgiven but for one runtime. */
static void edf_charge(int cpu, struct task *t, uint64_t ns)
{
	struct server *s = sched_private(t);
	int64_t most_owed = -(int64_t)sched_task_runtime_ns(t);

	if (!s->bandwidth || s->background)
		return;
	s->now.budget_ns -= (int64_t)ns;
	if (s->now.budget_ns < most_owed)
		s->now.budget_ns = most_owed;
}

/* Who has a deadline runs on its own budget and no other's. */
static int edf_donate(struct task *from, struct task *to)
{
	struct cpu *c = sched_cpu_private(sched_this_cpu());
	bool deadlines = sched_task_policy(from) == SCHED_POLICY_DEADLINE ||
			 sched_task_policy(to) == SCHED_POLICY_DEADLINE ||
			 sched_ordered_first(&c->due);

	return deadlines ? -1 : 0;
}

static void edf_detach(struct task *t)
{
	give_back(sched_private(t));
}

/* Servers stay where their bandwidth is. */
static struct task *edf_steal(int victim, int thief)
{
	struct cpu *c = sched_cpu_private(victim);
	struct task *t = sched_fifo_last(&c->others);

	while (t && !sched_allowed(t, thief))
		t = sched_fifo_previous(t);
	if (t)
		sched_fifo_remove(&c->others, t);
	return t;
}

static void edf_dump(int cpu, sched_printf print)
{
	struct cpu *c = sched_cpu_private(cpu);

	print("  %u due, %u throttled, %u others, bandwidth %u%%\n", sched_ordered_count(&c->due),
	      sched_ordered_count(&c->throttled), c->others.count,
	      atomic_load_explicit(&c->bandwidth, memory_order_relaxed) * 100 >> BANDWIDTH_SHIFT);
}

static const struct sched_ops edf = {
	.name = "edf",
	.abi = SCHED_ABI,
	.task_size = sizeof(struct server),
	.cpu_size = sizeof(struct cpu),
	.select_cpu = edf_select_cpu,
	.enqueue = edf_enqueue,
	.dequeue = edf_dequeue,
	.pick = edf_pick,
	.steal = edf_steal,
	.charge = edf_charge,
	.donate = edf_donate,
	.detach = edf_detach,
	.dump = edf_dump,
};
SCHED_LIBRARY(edf);
