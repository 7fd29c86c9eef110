/* SPDX-License-Identifier: MIT */
/*
 * Changing the task that a CPU executes.
 *
 *	task's stack        event stack of the CPU                            task's stack
 *	-------------       --------------------------------------------      -------------
 *	switch_leave() ---> leave: charge, save, queue or publish BLOCKED
 *	                    loop:  deliver wakes, pick, or idle
 *	                    enter: load space and registers ------------------> goes on
 *
 * The event stack is free whenever its CPU is in task context, because an event uses it from the
 * top and leaves nothing behind.  Deciding there means that the old stack has been left before
 * anything is said about its task, and that it does not matter which of the two address spaces is
 * loaded, since all have the event stack.
 *
 * Where there is nothing to decide, the loop is passed by: hand_over.c.
 */
#include "core/switch.h"
#include "core/event.h"
#include "core/log.h"
#include "core/switch_steps.h"
#include "core/task_slot.h"
#include "core/wake.h"
#include "debug/inject.h"
#include "sched/donation.h"
#include "sched/offline.h"
#include "sched/place.h"
#include "trace/trace.h"

/* What switch_away() leaves behind: in this order on the stack. */
struct context {
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

void context_make(struct task *t, uint64_t stack_pointer, void (*to)(void), uint64_t r12,
		  uint64_t r13)
{
	struct context *c = (struct context *)stack_pointer - 1;

	*c = (struct context){ .r12 = r12, .r13 = r13, .rip = (uint64_t)to };
	t->stack_pointer = (uint64_t)c;
}

void task_charge(void)
{
	upcalls_mask();
	switch_charge(this_vcore(), current());
	upcalls_unmask();
}

static void leave_runnable(struct vcore *v, struct task *t, enum sched_why why)
{
	task_set_state(t, TASK_RUNNABLE);
	t->ready_tsc = v->ran_since_tsc;
	atomic_store_explicit(&t->on_cpu, false, memory_order_release);
	if (sched_allowed(t, v->cpu)) {
		task_move(t, PLACE_RUNNING, PLACE_QUEUED);
		run_queue_add(v, t, why);
		place_offer(v, t);
	} else {
		/* Its affinity has changed. */
		task_move(t, PLACE_RUNNING, PLACE_MAILBOX);
		t->message = MESSAGE_MIGRATE;
		v->stats.migrations_out++;
		task_send(v, t, place_choose(v, t, SCHED_MIGRATED));
	}
}

static enum trace_stop stop_of(const struct task *t, enum sched_why why)
{
	if (task_state(t) == TASK_ZOMBIE)
		return TRACE_STOP_ENDED;
	if (task_state(t) == TASK_BLOCKING)
		return TRACE_STOP_BLOCKED;
	return why == SCHED_YIELDED ? TRACE_STOP_YIELDED : TRACE_STOP_PREEMPTED;
}

static void leave(struct vcore *v, struct task *t, enum sched_why why)
{
	ASSERT_INVARIANT(v->current == t && atomic_load(&t->home) == v->cpu);
	ASSERT_INVARIANT(list_empty(&t->ready_link)); /* I2 */
	v->left_token = *(volatile uint64_t *)&v->page->token; /* before the clock is read */
	switch_charge(v, t);
	v->current = NULL;
	v->need_resched = false;
	v->slice_end_tsc = 0;
	trace(v, TRACE_STOP, t->self.id, stop_of(t, why), 0, 0);
	donation_leave(v, t);
	switch (task_state(t)) {
	case TASK_RUNNING:
		task_registers_save(t);
		t->involuntary_switches++;
		leave_runnable(v, t, why);
		break;
	case TASK_BLOCKING:
		task_registers_save(t);
		t->voluntary_switches++;
		leave_blocked(v, t);
		break;
	case TASK_ZOMBIE:
		run_queue_forget(v, t);
		task_move(t, PLACE_RUNNING, PLACE_NONE);
		/* Release: whoever reuses the slot finds us gone from its stack. */
		atomic_store_explicit(&t->on_cpu, false, memory_order_release);
		task_put(t);
		break;
	default:
		libos_panic("task %u leaves its CPU in state %d", t->self.id, task_state(t));
	}
}

void switch_space_bug(const struct task *t, int64_t error)
{
	libos_panic("task %u (%s): cannot load its address space: error %ld", t->self.id, t->name,
		    (long)error);
}

/* From the queue, out of which it has been taken already, or as the heir. */
static void take_place(struct vcore *v, struct task *t)
{
	if (t == v->heir) {
		switch_take_heir(v, t);
	} else {
		if (task_state(t) != TASK_RUNNABLE)
			task_state_bug(t, TASK_RUNNING); /* only a heir may still be BLOCKED */
		task_move(t, PLACE_QUEUED, PLACE_RUNNING);
	}
}

static _Noreturn void enter(struct vcore *v, struct task *t, uint64_t slice_ns)
{
	if (t->donated_ns) {
		slice_ns = t->donated_ns;
		t->donated_ns = 0;
	} else {
		t->donation_depth = 0;
		t->successor.task = NULL;
	}
	take_place(v, t);
	if (v->idle)
		idle_ends(v);
	switch_run(v, t);
	v->slice_end_tsc = v->ran_since_tsc + ns_to_tsc(slice_ns);
	v->must_pick = false;
	trace(v, TRACE_RUN, t->self.id, 0, 0, slice_ns);
	timers_program(v);
	ASSERT_INVARIANT(v->mask_depth == 1 && v->held_count == 0);
	switch_enter(t->stack_pointer);
}

/* Is there anything for events_take()?  What comes after this look sets `pending`, so we do not halt. */
static bool events_wait(const struct vcore *v)
{
	return __atomic_load_n(&v->page->pending, __ATOMIC_RELAXED) || v->deferred ||
	       mailbox_has_mail(&v->mailbox);
}

static _Noreturn void schedule_loop(struct vcore *v, struct task *prev)
{
	for (;;) {
		/* Before we look at anything: a halt or a change of space that rests on what we
		 * are about to see is refused if the CPU was taken away in between. */
		uint64_t token = v->page->token;
		struct sched_run run;

		/* The timer is set when it is known what the CPU does next: in enter() or halt(). */
		if (events_wait(v)) {
			events_take(v);
			v->left_token = 0;
		}
		if (v->leaving)
			cpu_leave(v);
		race_steal(v);
		run = donation_heir(v);
		if (!run.task) {
			run = run_queue_pick(v, prev);
			v->left_token = 0;
		}
		if (!run.task) {
			idle(v, token);
		} else if (switch_space(v, run.task, token)) {
			v->need_resched = false;
			enter(v, run.task, run.slice_ns);
		} else if (run.task != v->heir) {
			run_queue_add(v, run.task, SCHED_PREEMPTED);
		}
		prev = NULL;
	}
}

_Noreturn void schedule(struct vcore *v, struct task *prev, enum sched_why why)
{
	bool runnable = prev && task_state(prev) == TASK_RUNNING;

	v->mask_depth = 1;
	race_point();
	if (prev)
		leave(v, prev, why);
	schedule_loop(v, runnable ? prev : NULL);
}

/* While the task can still give its slice to those whom it has woken. */
static __attribute__((noinline)) void give_and_leave(struct vcore *v, enum sched_why why)
{
	wakes_deliver(v);
	switch_leave(v, v->current, why);
}

void switch_away(enum sched_why why)
{
	struct vcore *v = this_vcore();

	ASSERT_INVARIANT(v->mask_depth == 1 && v->held_count == 0);
	ASSERT_INVARIANT(v->current == current());
	if (v->deferred)
		give_and_leave(v, why);
	else
		switch_leave(v, v->current, why);
}
