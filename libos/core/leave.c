/* SPDX-License-Identifier: MIT */
/* Leaving for the program through the user frame. */
#include "core/entry.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "proc/signal.h"

#define FLAGS_OF_PROGRAM 0x50dd5ul /* AC RF OF DF TF SF ZF AF PF CF */
#define SIGNAL_SEGV 11

/* IRETQ must not fault: the program decides what is in these registers (sigreturn). */
static void sanitise(struct exo_regs *frame)
{
	frame->cs = USER_CODE_SELECTOR;
	frame->ss = USER_DATA_SELECTOR;
	frame->rflags = (frame->rflags & FLAGS_OF_PROGRAM) | USER_FLAGS_INITIAL;
}

static bool has_work(const struct task *t)
{
	return atomic_load(&t->work) != 0 || t->frame->rip >= CANONICAL_END;
}

/* Unmasked. */
static void do_work(struct task *t)
{
	uint32_t resched = atomic_fetch_and(&t->work, ~(uint32_t)WORK_RESCHED) & WORK_RESCHED;

	if (resched)
		task_yield();
	if (t->frame->rip >= CANONICAL_END) {
		t->frame->rip = 0;
		signal_force(SIGNAL_SEGV, NULL);
	}
	task_work();
}

/* Masked, and with nothing left to do.  Unmasked meanwhile if there was something. */
static void finish_work(struct task *t)
{
	while (has_work(t)) {
		upcalls_unmask();
		do_work(t);
		upcalls_mask();
	}
}

/* Masked: others wait for this CPU's unmasking. */
static bool is_waited_for(void)
{
	return this_vcore()->deferred || this_vcore()->need_resched;
}

bool work_waits(const struct task *t)
{
	return has_work(t) || is_waited_for();
}

static __attribute__((noinline)) void finish_all(struct task *t)
{
	finish_work(t);
	if (is_waited_for()) {
		upcalls_unmask();
		upcalls_mask();
		finish_work(t);
	}
}

/*
 * Masked from the last look at t->work on: work that comes later comes with an event, which stays
 * pending until the resume looks at it, and the event path looks at t->work again.
 */
static _Noreturn void resume(struct task *t)
{
	if (work_waits(t))
		finish_all(t);
	ASSERT_INVARIANT(this_vcore()->mask_depth == 1 && task_state(t) == TASK_RUNNING);
	/* The frame still has the flags of the last interruption, perhaps in the middle of a copy that
	 * goes downwards.  A function call leaves none of them to its caller, but the direction flag
	 * must be clear. */
	if (t->entry == ENTRY_CALL)
		t->frame->rflags = USER_FLAGS_INITIAL;
	sanitise(t->frame);
	t->entry = ENTRY_CALL;
	t->vector_live = false;
	registers_resume(t->frame);
}

_Noreturn void return_to_user_masked(void)
{
	resume(current());
}

/* Who has called us, or is to start a function, needs none of the registers that only IRETQ can set
 * together with RIP. */
_Noreturn void return_to_user(void)
{
	struct task *t = current();

	ASSERT_INVARIANT(!upcalls_masked());
	while (has_work(t))
		do_work(t);
	if (t->entry == ENTRY_CALL) {
		t->vector_live = false;
		return_by_call(t->frame);
	}
	upcalls_mask();
	resume(t);
}
