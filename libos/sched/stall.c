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
#include "sched/library.h"
#include "time/time.h"

#define LOOKS 8 /* that a task waits before it counts as stalled */
#define LOOK_NS_MIN 1000000ul
#define LOOK_NS_MAX 50000000ul

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
static bool waits_too_long(const struct run_queue *q, const struct task *t)
{
	uint64_t timeout = q->instance->timeout_ticks;
	uint32_t count = atomic_load_explicit(&q->count, memory_order_relaxed);

	return timeout != STALL_NEVER &&
	       q->granted - t->queued_at > timeout + count * q->instance->look_ticks;
}

void stall_check(struct vcore *v)
{
	struct run_queue *q = &v->queue;
	struct task *oldest;

	if (list_empty(&q->ready))
		return;
	stall_clock_advance(q);
	oldest = run_queue_oldest(v);
	if (waits_too_long(q, oldest))
		sched_eject(v, SCHED_EXIT_STALLED, "", oldest->self, oldest->self.id);
}

uint64_t stall_check_due_tsc(const struct vcore *v)
{
	const struct run_queue *q = &v->queue;

	if (list_empty(&q->ready) || q->instance->timeout_ticks == STALL_NEVER)
		return 0;
	return q->looked_tsc + q->instance->look_ticks;
}
