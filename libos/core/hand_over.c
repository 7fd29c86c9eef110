/* SPDX-License-Identifier: MIT */
/*
 * From a task that goes to sleep to the one that it has promised its slice, where that is all there is to
 * do: what schedule() would do then, without what it would find not to be the case.
 *
 * Nobody is asked who is next, as the library has let the promise be made, and the slice goes on: its end
 * stays where it is.
 *
 * Why nobody looks for events: what is pending comes up when the heir unmasks, and so does a message whose
 * sender rings.  Only who halts must have looked.
 *
 * Why the timer needs no look: it was set to all that is due when the promise was made (donation_promise,
 * wakes_deliver), or later, with the end of this slice among it; or its event is pending, and the heir's
 * unmasking sets it.  If a wake has met t on its way meanwhile, so that it is queued, the timer has been
 * looked at for that (wake_at_once).  If the library has changed, and the end of the slice with it, this is
 * not the way.
 *
 * Why the heir is looked at so little: it was found good when the promise was made.  Whoever changes since
 * where it may run, or what it is to the library, leaves WORK_RESCHED with it (sched_set_parameters), so that
 * it yields before it goes on in its program; our look at sched_changed spares it that.  A library that wants
 * to be asked after all (sched_resched), or another one, is seen up to the last moment.
 */
#include "core/switch.h"
#include "core/switch_steps.h"
#include "core/wake.h"
#include "sched/donation.h"

/* Does everybody leave it at the promise?  What a library does in a callback may change that, and so may
 * another one that has come into force. */
static inline bool is_left_at_that(const struct vcore *v, const struct task *heir)
{
	return !v->not_plain && !v->need_resched && heir->sched_generation == v->queue.generation;
}

static inline bool is_plain(const struct vcore *v, const struct task *t, const struct task *heir)
{
	return task_state(t) == TASK_BLOCKING && !t->donor.id && !heir->donated_ns &&
	       !atomic_load_explicit(&heir->sched_changed, memory_order_relaxed) &&
	       is_left_at_that(v, heir);
}

/* t is gone: the heir stays what it is, with what is left. */
static __attribute__((noinline)) bool decide_again(struct vcore *v, struct task *heir)
{
	heir->donated_ns = tsc_to_ns(v->slice_end_tsc - v->ran_since_tsc);
	v->slice_end_tsc = 0;
	return false;
}

/* On the event stack; t has just left its own.  True: the heir is the current task, and its registers are
 * loaded but for those on its stack.  False: it is for schedule() to go on, with t if that is still current:
 * then it has been charged with its time, and no more. */
static inline bool hand_over(struct vcore *v, struct task *t, struct task *heir)
{
	ASSERT_INVARIANT(v->current == t && list_empty(&t->ready_link)); /* I2 */
	if (!is_plain(v, t, heir))
		return false;
	v->left_token = *(volatile uint64_t *)&v->page->token; /* before the clock is read */
	if (switch_charge(v, t) && !is_left_at_that(v, heir))
		return false;
	if (t->slice_ns < SCHED_SLICE_MIN_NS)
		return false;
	v->current = NULL;
	donation_keep(v, t, heir);
	t->successor.task = NULL;
	task_registers_save(t);
	t->voluntary_switches++;
	if (leave_blocked(v, t) && !is_left_at_that(v, heir))
		return decide_again(v, heir);
	/* From leave_blocked() on t may be anywhere. */
	if (!switch_space(v, heir, v->left_token))
		return decide_again(v, heir);
	switch_take_heir(v, heir);
	switch_run(v, heir);
	ASSERT_INVARIANT(v->mask_depth == 1 && v->held_count == 0);
	return true;
}

struct task *switch_next(struct vcore *v, struct task *t, enum sched_why why)
{
	struct task *heir = v->heir;

	if (heir && hand_over(v, t, heir))
		return heir;
	schedule(v, v->current, why);
}
