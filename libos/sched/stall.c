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
#define LOOKED_AT_MAX 64

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

void stall_clock_advance(struct run_queue *q)
{
	uint64_t now = rdtsc(), passed = now - q->looked_tsc;

	q->granted += passed < q->instance->look_ticks ? passed : q->instance->look_ticks;
	q->looked_tsc = now;
}

/* Among a thousand tasks even the fairest library lets each wait for a thousand slices, and one that
 * draws lots for some more: each that is queued may take the time of a look. */
static bool waits_long(const struct run_queue *q, const struct task *t)
{
	uint64_t timeout = q->instance->timeout_ticks;
	uint32_t count = atomic_load_explicit(&q->count, memory_order_relaxed);

	return timeout != STALL_NEVER &&
	       q->granted - t->queued_at > timeout + count * q->instance->look_ticks;
}

/* Beside one of nice 0 the others may have as many slices before it has its own as it counts less: 341
 * beside SCHED_IDLE.  Anybody can make such a task, and no library is ejected for what it is asked to do. */
static bool waits_too_long(const struct run_queue *q, const struct task *t)
{
	uint64_t others = atomic_load_explicit(&q->count, memory_order_relaxed) * q->instance->look_ticks;
	unsigned weight = sched_weight(t->policy, t->nice);

	if (weight < SCHED_WEIGHT_NICE_0)
		others = others * SCHED_WEIGHT_NICE_0 / weight;
	return q->granted - t->queued_at > q->instance->timeout_ticks + others;
}

/* The oldest waits for long.  Where it may, as it counts little, it does not hide those behind it.  Not
 * all of them: upcalls are masked. */
static __attribute__((noinline)) void look_closer(struct vcore *v)
{
	unsigned left = LOOKED_AT_MAX;

	list_for_each(node, &v->queue.ready) {
		struct task *t = list_entry(node, struct task, ready_link);

		if (left-- == 0 || !waits_long(&v->queue, t))
			return;
		if (waits_too_long(&v->queue, t)) {
			culprit_stalled(v, t, tsc_to_ns(v->queue.granted - t->queued_at));
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
	if (waits_long(q, run_queue_oldest(v)))
		look_closer(v);
}

uint64_t stall_check_due_tsc(const struct vcore *v)
{
	const struct run_queue *q = &v->queue;

	if (list_empty(&q->ready) || q->instance->timeout_ticks == STALL_NEVER)
		return 0;
	return q->looked_tsc + q->instance->look_ticks;
}
