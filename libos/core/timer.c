/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU timers: an ordered heap on each CPU, and the kernel's one-shot timer set to its head.
 *
 * The kernel's timer is moved only forwards in urgency: when the next deadline is later than the
 * one that is set, the set one stays, fires for nothing, and the right one is set then.  A task that
 * sleeps with a time-out and is woken before costs no kernel entry for the time-out that way.
 */
#include "core/cpu.h"
#include "core/exo.h"
#include "core/list.h"
#include "core/log.h"
#include "core/task.h"
#include "core/timer_queue.h"
#include "core/vcore.h"
#include "sched/place.h"
#include "sched/stall.h"
#include "time/time.h"

#define FIRED_AT_ONCE_MAX 64 /* bounds one event; the rest fires with the next */

void timer_queue_init(struct timer_queue *q)
{
	lock_init(&q->lock, "timers", RANK_TIMER);
}

static struct timer *first_timer(const struct timer_queue *q)
{
	struct ordered_node *n = ordered_first(&q->heap);

	return n ? container_of(n, struct timer, node) : NULL;
}

/* Under the lock: the heap has changed. */
static void first_changed(struct timer_queue *q)
{
	const struct timer *t = first_timer(q);

	atomic_store_explicit(&q->first_tsc, t ? time_deadline_tsc(t->deadline_ns) : 0,
			      memory_order_relaxed);
}

/* The CPUs whose timers this one looks after beside its own: nobody else inserts or fires any there. */
static uint64_t looked_after_by(const struct vcore *v)
{
	uint64_t away = atomic_load_explicit(&away_cpus, memory_order_relaxed);

	if (__builtin_expect(away == 0, 1))
		return 0;
	return __builtin_ctzl(atomic_load(&online_cpus)) == v->cpu ? away : 0;
}

/* A queue may change hands while its last keeper still fires: he goes on with it, and whoever
 * has it now comes back, as his timer is set again. */
static void run_queue_of(struct vcore *v, struct timer_queue *q)
{
	uint64_t now = time_now_ns();
	struct timer *t;

	lock_acquire(&q->lock);
	for (int i = 0; i < FIRED_AT_ONCE_MAX && !atomic_load(&q->firing); i++) {
		t = first_timer(q);
		if (!t || t->deadline_ns > now)
			break;
		ordered_remove(&q->heap, &t->node);
		q->firer = v->cpu;
		atomic_store(&q->firing, t);
		lock_release(&q->lock);
		t->fire(t);
		/* From here on the timer may be gone. */
		lock_acquire(&q->lock);
		atomic_store_explicit(&q->firing, NULL, memory_order_release);
	}
	first_changed(q);
	lock_release(&q->lock);
}

void timers_run(struct vcore *v)
{
	ASSERT_INVARIANT(vcore_is_mine(v));
	if (!(atomic_load_explicit(&away_cpus, memory_order_relaxed) >> v->cpu & 1))
		run_queue_of(v, &v->timers);
	for (uint64_t away = looked_after_by(v); away; away &= away - 1)
		run_queue_of(v, &vcore_of(__builtin_ctzl(away))->timers);
}

static uint64_t first_due_tsc(const struct vcore *v)
{
	uint64_t first = atomic_load_explicit(&v->timers.first_tsc, memory_order_relaxed);

	for (uint64_t away = looked_after_by(v); away; away &= away - 1) {
		const struct timer_queue *q = &vcore_of(__builtin_ctzl(away))->timers;
		uint64_t due = atomic_load_explicit(&q->first_tsc, memory_order_relaxed);

		if (due && (!first || due < first))
			first = due;
	}
	return first;
}

static __attribute__((noinline)) void program_for_next(struct vcore *v)
{
	uint64_t deadline = first_due_tsc(v);
	uint64_t set = v->page->deadline_tsc, look;

	if (v->current && v->slice_end_tsc && vcore_slice_ends(v)) {
		if (v->slice_end_tsc <= rdtsc())
			v->need_resched = true;
		else if (!deadline || v->slice_end_tsc < deadline)
			deadline = v->slice_end_tsc;
	}
	if (v->promise_ends_tsc && (!deadline || v->promise_ends_tsc < deadline))
		deadline = v->promise_ends_tsc;
	look = stall_check_due_tsc(v);
	if (look && (!deadline || look < deadline))
		deadline = look;
	if (deadline && (!set || deadline < set))
		exo_timer(deadline);
}

/* `set` is no later than `due`, where 0 is never. */
static bool no_later(uint64_t set, uint64_t due)
{
	return set - 1 <= due - 1;
}

/*
 * Most often the timer is set to something no later than all that is due.
 *
 * Why nothing else is to be done then, even if a slice has ended already: the kernel puts deadline_tsc back
 * to 0 when it raises the timer's event, on this CPU, and never lets us go on unmasked past a time that it is
 * set to.  So that event is still to come, before the end of the slice or just now; and whoever deals with
 * events programs the timer afterwards, where the slice's end is seen.
 */
void timers_program(struct vcore *v)
{
	uint64_t set = v->page->deadline_tsc;

	ASSERT_INVARIANT(vcore_is_mine(v));
	if (!set || !no_later(set, v->slice_end_tsc) || !no_later(set, v->promise_ends_tsc) ||
	    !no_later(set, first_due_tsc(v)) || !no_later(set, stall_check_due_tsc(v)))
		program_for_next(v);
}

/* Of what timers_program() looks at, the promise has changed when it ends, and that the slice has an end. */
void timers_program_for_promise(struct vcore *v)
{
	uint64_t set = v->page->deadline_tsc;

	if (!set || !no_later(set, v->slice_end_tsc) || !no_later(set, v->promise_ends_tsc))
		program_for_next(v);
}

static void detach(struct timer *t)
{
	int32_t cpu = atomic_load(&t->cpu) - 1;
	struct timer_queue *q;

	if (cpu < 0)
		return;
	q = &vcore_of(cpu)->timers;
	lock_acquire(&q->lock);
	if (ordered_is_queued(&t->node)) {
		ordered_remove(&q->heap, &t->node);
		first_changed(q);
	}
	lock_release(&q->lock);
}

/*
 * Why fire() is not running when this returns: `firing` is set under the same lock under which the
 * timer leaves the heap.  So if it is in no heap, either some CPU's `firing` says so, or fire() has
 * ended.  It may be another CPU than the one where the timer was armed last.
 */
void timer_cancel(struct timer *t)
{
	detach(t);
	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		struct timer_queue *q = &vcore_of(cpu)->timers;

		while (atomic_load_explicit(&q->firing, memory_order_acquire) == t) {
			if (upcalls_masked() && this_vcore()->cpu == q->firer)
				break; /* fire() itself asks */
			__builtin_ia32_pause();
		}
	}
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	struct vcore *v;

	detach(t);
	/* Keys of the heap span less than 2^63: 292 years are for ever. */
	if (deadline_ns > INT64_MAX)
		deadline_ns = INT64_MAX;
	upcalls_mask();
	v = this_vcore();
	lock_acquire(&v->timers.lock);
	t->deadline_ns = deadline_ns;
	atomic_store(&t->cpu, v->cpu + 1);
	ordered_insert(&v->timers.heap, &t->node, deadline_ns);
	first_changed(&v->timers);
	lock_release(&v->timers.lock);
	timers_program(v);
	upcalls_unmask();
}
