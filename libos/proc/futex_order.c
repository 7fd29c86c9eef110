/* SPDX-License-Identifier: MIT */
/*
 * In which order those are woken who wait for one word: the most urgent first, by policy and real-time
 * priority as sched(7) has them, and as they came among those who are alike; as on Linux.
 */
#include <libos/sched.h>
#include "core/task.h"
#include "proc/futex.h"

#define DEADLINE_URGENCY 100 /* before all real-time priorities, 1 to 99; all others have 0 */

/* Its task is there as long as w is in the bucket, whose lock we hold. */
static int urgency_of(const struct futex_waiter *w)
{
	const struct task *t = w->task;

	return t->policy == SCHED_POLICY_DEADLINE ? DEADLINE_URGENCY : t->rt_priority;
}

/* Most often nobody is less urgent than the last one; else those are walked past who are as urgent.  A
 * priority that changes while its task waits moves nobody, so the walk may end anywhere, or find nobody. */
static struct named *first_behind(struct named *first, struct named *last,
				  const struct futex_waiter *w)
{
	int urgency = urgency_of(w);

	if (urgency_of(futex_waiter_of(last)) >= urgency)
		return NULL;
	while (first && urgency_of(futex_waiter_of(first)) >= urgency)
		first = named_next(first, last);
	return first;
}

/* As it has just come it is the last, and behind that is the first again. */
void futex_move_forward(struct futex_bucket *b, struct futex_waiter *w, struct futex_waiter *behind)
{
	struct named *first = behind ? &behind->named : named_after(&w->named);
	struct named *next = first_behind(first, named_before(&w->named), w);

	if (next) {
		named_remove(&b->waiters, &w->named);
		named_insert_before(&b->waiters, &w->named, next);
	}
}
