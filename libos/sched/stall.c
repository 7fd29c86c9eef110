/* SPDX-License-Identifier: MIT */
/*
 * A task's wait is measured in the time that its CPU was given, as far as that can be seen from
 * within: between two looks at most look_ticks pass, however far the TSC has gone meanwhile.  So when
 * the host, or another domain, takes the CPU away for seconds, that counts as one look, and does not
 * eject a library that could not run.
 *
 * Why a stall is noticed even if the library is never asked: while tasks are queued, the timer is set
 * to the next look at the latest (timers_program).  If none is queued, there is no stall, and the
 * clock may stand: the task that comes next is stamped after the look that its coming is.
 *
 * Why no library hides a task that it starves: a wait goes on when the task is moved, as libraries with
 * steal() choose it, or told of a new parameter.  It ends when the task runs, or somebody gives it a slice.
 */
#include "sched/stall.h"
#include "core/cpu.h"
#include "core/task.h"
#include "core/vcore.h"
#include "sched/culprit.h"
#include "sched/library.h"
#include "time/time.h"

#define LOOKS 8 /* that a task waits before it counts as stalled */
#define LOOK_NS_MIN 1000000ul
#define LOOK_NS_MAX 50000000ul
#define LOOKED_AT_MAX 1024
#define WEIGHT_MAX 88818u /* that of nice -20 */

/* Each CPU's own, with whom waits in its queue; in ticks. */
static struct patience patience[EXO_CPUS_MAX];

static struct patience *patience_of(const struct vcore *v)
{
	return &patience[v->cpu];
}

void stall_limit_set(struct sched_instance *s, uint64_t timeout_ns)
{
	uint64_t look_ns = timeout_ns / LOOKS;

	if (look_ns < LOOK_NS_MIN)
		look_ns = LOOK_NS_MIN;
	if (look_ns > LOOK_NS_MAX)
		look_ns = LOOK_NS_MAX;
	s->look_ticks = ns_to_tsc(look_ns);
	s->timeout_ticks = timeout_ns == STALL_NEVER ? STALL_NEVER : ns_to_tsc(timeout_ns);
}

void stall_begin(struct vcore *v)
{
	struct run_queue *q = &v->queue;

	patience_begin(patience_of(v), q->instance->timeout_ticks, q->instance->look_ticks);
	q->longest_slice_ns = 0;
}

void stall_learn_slice(struct vcore *v, uint64_t slice_ns)
{
	struct patience *p = patience_of(v);
	uint64_t most_ns = tsc_to_ns(p->timeout);

	v->queue.longest_slice_ns = slice_ns;
	/* What is longer than the whole timeout counts alike, and might not fit. */
	patience_learn(p, slice_ns < most_ns ? ns_to_tsc(slice_ns) : p->timeout);
}

void stall_clock_advance(struct run_queue *q)
{
	uint64_t now = rdtsc(), passed = now - q->looked_tsc;

	q->granted += passed < q->instance->look_ticks ? passed : q->instance->look_ticks;
	q->looked_tsc = now;
}

void stall_pause(struct vcore *v, struct task *t)
{
	stall_clock_advance(&v->queue);
	t->waited = v->queue.granted - t->queued_at;
	t->was_due = patience_due(patience_of(v), &t->late, t->queued_at);
}

/* Among those that are queued t comes where it would be had it waited here all the time, if that is before
 * all others: so the first is one that has waited longest. */
__attribute__((noinline)) void stall_go_on(struct vcore *v, struct task *t)
{
	struct run_queue *q = &v->queue;
	const struct task *first = run_queue_oldest(v);

	t->queued_at = q->granted - t->waited;
	patience_go_on(patience_of(v), &t->late, t->queued_at, t->was_due);
	if (t->waited > q->granted - first->queued_at) {
		list_remove(&t->ready_link);
		list_push_front(&q->ready, &t->ready_link);
	}
	t->waited = t->was_due = 0;
}

static unsigned weight_of(const struct task *t)
{
	return sched_weight(t->policy, t->nice);
}

/* Of all that could run here now. Upcalls are masked: of more than there is time to look at, the rest counts
 * as much as it may. */
static uint64_t weight_here(const struct vcore *v)
{
	uint64_t sum = (v->current ? weight_of(v->current) : 0) + (v->heir ? weight_of(v->heir) : 0);
	uint32_t left = atomic_load_explicit(&v->queue.count, memory_order_relaxed);
	unsigned looked_at = 0;

	list_for_each(node, &v->queue.ready) {
		if (looked_at++ == LOOKED_AT_MAX)
			return sum + (uint64_t)left * WEIGHT_MAX;
		sum += weight_of(list_entry(node, struct task, ready_link));
		left--;
	}
	return sum;
}

static bool is_starved(const struct vcore *v, struct task *t)
{
	const struct run_queue *q = &v->queue;
	uint64_t waited = q->granted - t->queued_at;
	bool asks = t->policy != SCHED_POLICY_DEADLINE && t->runtime_ns;

	/* Those that it has refused are not the library's to run. */
	if (t->sched_core_only || !patience_is_late(patience_of(v), waited))
		return false;
	return patience_is_over(patience_of(v), &t->late, t->queued_at, waited,
				atomic_load_explicit(&q->count, memory_order_relaxed), weight_of(t),
				asks ? ns_to_tsc(t->runtime_ns) : 0);
}

/* Once in a look.  Those behind the oldest as well: that may be one that counts little, and may wait. */
static __attribute__((noinline)) void look_closer(struct vcore *v)
{
	struct run_queue *q = &v->queue;
	struct patience *p = patience_of(v);
	uint64_t passed = q->granted - p->looked;
	unsigned looked_at = 0;

	if (passed < p->look)
		return;
	p->looked = q->granted;
	/* If it is longer, nobody was late meanwhile. */
	patience_pass(p, passed < LOOKS * p->look ? passed : LOOKS * p->look, weight_here(v));
	list_for_each(node, &q->ready) {
		struct task *t = list_entry(node, struct task, ready_link);

		if (looked_at++ == LOOKED_AT_MAX)
			return;
		if (is_starved(v, t)) {
			culprit_stalled(v, t, tsc_to_ns(q->granted - t->queued_at));
			sched_eject(v, SCHED_EXIT_STALLED, "", t->self, t->self.id);
			return;
		}
	}
}

void stall_check(struct vcore *v)
{
	struct run_queue *q = &v->queue;

	if (list_empty(&q->ready))
		return;
	stall_clock_advance(q);
	/* STALL_NEVER is never reached. */
	if (q->granted - run_queue_oldest(v)->queued_at > q->instance->timeout_ticks)
		look_closer(v);
}

uint64_t stall_check_due_tsc(const struct vcore *v)
{
	const struct run_queue *q = &v->queue;

	if (list_empty(&q->ready) || q->instance->timeout_ticks == STALL_NEVER)
		return 0;
	return q->looked_tsc + q->instance->look_ticks;
}
