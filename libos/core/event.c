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
#include "core/switch.h"
#include "core/task_state.h"
#include "core/timer_queue.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "debug/inject.h"
#include "domain/pressure.h"
#include "sched/balance.h"
#include "sched/donation.h"
#include "sched/messages.h"
#include "sched/offline.h"
#include "sched/stall.h"
#include "trace/trace.h"

void vcore_ring(unsigned cpu)
{
	struct vcore *v = this_vcore();

	trace(v, TRACE_IPI, 0, 0, cpu, 0);
	v->stats.ipis_sent++;
	race_point();
	exo_doorbell(vcore_of(cpu)->handle);
}

void vcore_ring_if(unsigned cpu, bool first)
{
	race_point();
	if (mailbox_must_ring(&vcore_of(cpu)->mailbox, first))
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
		if (v->slice_end_tsc && rdtsc() >= v->slice_end_tsc && vcore_slice_ends(v)) {
			v->need_resched = true;
			balance(v);
		}
		if (v->promise_ends_tsc && rdtsc() >= v->promise_ends_tsc)
			donation_release(v, DONATION_LATE);
	}
}

void events_process(struct vcore *v)
{
	events_take(v);
	timers_program(v);
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
