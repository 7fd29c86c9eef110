/* SPDX-License-Identifier: MIT */
/*
 * One LAPIC timer for: the running SC's budget, the timers of the running vcore, of those that have
 * donated to it and of those that sleep, the replenishments of those that wait, the next look at a
 * preemption that was put off, and the end of the patience with a masked vcore.
 *
 * Programming it is slow (it traps, in a virtual machine), and most of what it is programmed for
 * is changed again before it happens.  So an armed timer that goes off early enough is left as it
 * is: it costs one needless interrupt, after which the next time is found afresh.
 */
#include "kernel.h"
#include "sched_context.h"

void timer_arm(struct vcore *vcore, uint64_t deadline_tsc)
{
	vcore->deadline_tsc = deadline_tsc;
	__atomic_store_n(&vcore->page->deadline_tsc, deadline_tsc, __ATOMIC_RELAXED);
}

void timer_expire(struct vcore *vcore)
{
	timer_arm(vcore, 0);
	vcore->events |= EXO_EVENT_TIMER;
}

/* When the running SC's budget ends.  One with the whole CPU goes on for ever. */
static uint64_t budget_end(const struct run *run)
{
	const struct refills *refills = &run->sc->refills;
	uint64_t amount = refills_head(refills).amount;

	if (refills_round_robin(refills))
		return VCORE_NEVER;
	return run->stamp + (amount > run->used ? amount - run->used : 0);
}

static uint64_t next_for_current(const struct run *run, const struct vcore *vcore, uint64_t now)
{
	uint64_t patience = upcall_patience(vcore, run->masked_limit);
	uint64_t end = budget_end(run), next = VCORE_NEVER;

	__atomic_store_n(&vcore->page->budget_end_tsc, end, __ATOMIC_RELAXED);
	for (const struct vcore *v = vcore; v; v = v->donor)
		if (v->deadline_tsc)
			next = min(next, v->deadline_tsc);
	if (patience != VCORE_NEVER)
		next = min(next, now + patience);
	if (run->put_off_since)
		next = min(next, now + run->recheck);
	return run->expired ? next : min(next, end);
}

void timer_set(struct cpu *cpu, uint64_t now)
{
	struct run *run = &cpu->run;
	const struct vcore *halted = run->lists[VCORE_HALTED];
	const struct vcore *waiting = run->lists[VCORE_WAITING];
	uint64_t next = VCORE_NEVER;

	if (halted)
		next = halted->sort_key;
	if (waiting)
		next = min(next, waiting->sort_key);
	if (cpu->current)
		next = min(next, next_for_current(run, cpu->current, now));
	next = debug_timer(next, now);

	if (next == VCORE_NEVER || (run->armed && run->armed <= next))
		return;
	run->armed = next;
	lapic_timer_arm(next);
}
