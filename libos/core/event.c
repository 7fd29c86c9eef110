/* SPDX-License-Identifier: MIT */
/*
 * The event upcall: something happened while this CPU executed a program, or libos code that was
 * not masked.  Deal with it, then go on with what was interrupted, or give the CPU to another task.
 */
#include "core/event.h"
#include "core/cpu.h"
#include "core/entry.h"
#include "core/exo.h"
#include "core/kernel_messages.h"
#include "core/log.h"
#include "core/main.h"
#include "core/string.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/timer_queue.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "debug/inject.h"
#include "domain/pressure.h"
#include "sched/donation.h"
#include "sched/messages.h"
#include "sched/offline.h"
#include "sched/stall.h"
#include "trace/trace.h"

extern const char libos_text_start[], libos_text_end[];

void vcore_ring(unsigned cpu)
{
	struct vcore *v = this_vcore();

	trace(v, TRACE_IPI, 0, 0, cpu, 0);
	v->stats.ipis_sent++;
	race_point();
	exo_doorbell(vcores[cpu].handle);
}

void vcore_ring_if(unsigned cpu, bool first)
{
	if (first)
		vcore_ring(cpu);
	else
		this_vcore()->stats.ipis_coalesced++;
}

void events_take(struct vcore *v)
{
	uint32_t pending = __atomic_exchange_n(&v->page->pending, 0, __ATOMIC_ACQ_REL);

	ASSERT_INVARIANT(vcore_is_mine(v));
	race_point();
	v->in_event = true;
	if (pending & EXO_EVENT_REVOKE) {
		pressure_taken();
		cpu_losses_read(v);
	}
	if (pending & (EXO_EVENT_MAILBOX | EXO_EVENT_REVOKE | EXO_EVENT_DEATH))
		kernel_messages(v, pending);
	if (pending & EXO_EVENT_TIMER)
		timers_run(v);
	messages_drain(v);
	v->in_event = false;
	wakes_deliver(v);
	if (v->current) {
		stall_check(v);
		if (v->slice_end_tsc && rdtsc() >= v->slice_end_tsc && vcore_slice_ends(v))
			v->need_resched = true;
		if (v->promise_ends_tsc && rdtsc() >= v->promise_ends_tsc)
			donation_release(v, DONATION_LATE);
	}
}

void events_process(struct vcore *v)
{
	events_take(v);
	timers_program(v);
}

static bool in_range(uint64_t rip, const char *start, const char *end)
{
	return rip >= (uint64_t)start && rip < (uint64_t)end;
}

bool interrupted_program(const struct task *t, struct exo_regs *regs)
{
	if (in_range(regs->rip, leave_start, leave_end)) {
		regs->rip = this_vcore()->leave.rip;
		regs->rsp = this_vcore()->leave.rsp;
		regs->rflags = this_vcore()->leave.rflags;
	}
	if (!in_range(regs->rip, libos_text_start, libos_text_end))
		return true;
	if (in_range(regs->rip, call_entry, call_entry_end)) {
		regs->rip = (uint64_t)call_entry;
		return true;
	}
	if (in_range(regs->rip, foreign_entry, foreign_entry_end)) {
		regs->rip = (uint64_t)foreign_entry;
		return true;
	}
	if (in_range(regs->rip, quick_start, quick_end)) {
		if (regs->rip % QUICK_SIZE > QUICK_CHECK)
			regs->rip = (regs->rip & ~(uint64_t)(QUICK_SIZE - 1)) + QUICK_CHECK;
		return true;
	}
	if (in_range(regs->rip, doors_start, doors_end) && regs->rip % DOOR_SIZE < DOOR_OUTSIDE) {
		regs->rip &= ~(uint64_t)(DOOR_SIZE - 1);
		return true;
	}
	if (in_range(regs->rip, call_exit_checked, call_exit_end)) {
		regs->rip = t->frame->rip;
		regs->rsp = t->frame->rsp;
		return true;
	}
	if (in_range(regs->rip, call_exit_start, call_exit_checked))
		regs->rip = (uint64_t)call_exit_start;
	else if (in_range(regs->rip, mask_start, mask_end))
		regs->rip = (uint64_t)mask_start;
	else if (in_range(regs->rip, lock_take_start, lock_take_end))
		regs->rip = (uint64_t)lock_take_start;
	else if (in_range(regs->rip, masked_start, masked_end))
		regs->rip = (uint64_t)masked_start;
	return regs->rsp - ((uint64_t)t & ~(TASK_SLOT_SIZE - 1)) > TASK_SLOT_SIZE;
}

struct exo_regs *interrupted_save(struct task *t, struct exo_regs *regs, bool program)
{
	struct exo_regs *place = t->frame;

	if (!program)
		place = (struct exo_regs *)((regs->rsp & ~15ul) - sizeof(*place));
	/* A resume that was interrupted has them there already. */
	if (place != regs)
		memmove(place, regs, sizeof(*place));
	if (program) {
		t->entry = ENTRY_FULL;
		t->vector_live = true;
	}
	return place;
}

/* On the event stack, masked: what next, for a task that was interrupted? */
static _Noreturn void event_continue(struct vcore *v, struct exo_regs *regs)
{
	struct task *t = v->current;
	bool program = interrupted_program(t, regs);
	bool work;

	ASSERT_INVARIANT(t != NULL);
	regs->vector = 0; /* no exception and no system call, whatever it was used for */
	events_process(v);
	if (v->need_resched && task_may_be_preempted(t)) {
		struct exo_regs *place = interrupted_save(t, regs, program);

		context_make(t, (uint64_t)place, program ? switch_to_program : switch_to_preempted,
			     0, 0);
		v->stats.preemptions++;
		schedule(v, t, SCHED_PREEMPTED);
	}
	/* Work that arrives after this look comes with an event of its own, which the resume sees.
	 * An address that IRETQ would not take, which the program has called us from, is work too. */
	work = atomic_load(&t->work) != 0 || regs->rip >= CANONICAL_END;
	if (program && work) {
		interrupted_save(t, regs, true);
		switch_stack((void (*)(uint64_t))return_to_user_masked, (uint64_t)t->frame, 0);
	}
	registers_resume(regs);
}

_Noreturn void event_upcall(struct exo_vcore_page *page)
{
	struct vcore *v = this_vcore();

	v->mask_depth = 1;
	v->overruns = 0; /* it was not masked */
	if (page->pending & EXO_EVENT_START)
		vcore_start(v, page);
	v->stats.upcalls++;
	trace(v, TRACE_UPCALL, v->current->self.id, 0, 0, page->pending);
	event_continue(v, &page->event);
}

/* A resume found something pending: as if an event had interrupted it at its very end. */
_Noreturn void resume_interrupted(struct exo_regs *regs)
{
	event_continue(this_vcore(), regs);
}
