/* SPDX-License-Identifier: MIT */
/*
 * Messages between CPUs, and stealing.
 *
 *	thief                                victim
 *	idle: sees count > 0
 *	thieves |= thief, ring  -----------> drain: steal()
 *	drain: task_accept()    <----------- STOLEN, or
 *	ask the next one        <----------- refused |= victim
 *
 * A thief asks one CPU at a time, and none twice until something is new: an idle CPU is told by
 * place_offer() when a task has to wait.
 */
#include "sched/messages.h"
#include "core/event.h"
#include "core/idle_poll.h"
#include "core/list.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "core/wake.h"
#include "sched/library.h"
#include "sched/place.h"
#include "sched/stall.h"
#include "trace/trace.h"

/* A CPU that is about to run the one task that it has keeps it: elsewhere it would only wait longer. */
static bool has_to_spare(const struct vcore *v)
{
	unsigned waiting = atomic_load_explicit(&v->queue.count, memory_order_relaxed);

	return waiting + (v->current || v->heir) >= 2;
}

static void answer_thief(struct vcore *v, unsigned thief)
{
	struct task *t = has_to_spare(v) ? run_queue_steal(v, thief) : NULL;
	struct mailbox *m = &vcore_of(thief)->mailbox;

	trace(v, TRACE_STEAL, t ? t->self.id : 0, 0, thief, 0);
	if (t) {
		stall_pause(v, t);
		task_move(t, PLACE_QUEUED, PLACE_MAILBOX);
		t->message = MESSAGE_STOLEN;
		v->stats.migrations_out++;
		task_send(v, t, thief);
	} else {
		vcore_ring_if(thief, atomic_fetch_or(&m->refused, 1ul << v->cpu) == 0);
	}
}

/* t is queued, and one of its parameters has changed: the library is told, or t goes where it is
 * allowed to be. */
static void requeue_changed(struct vcore *v, struct task *t)
{
	run_queue_remove(v, t);
	stall_pause(v, t);
	if (sched_allowed(t, v->cpu)) {
		run_queue_add(v, t, SCHED_CHANGED);
		place_offer(v, t);
	} else {
		task_move(t, PLACE_QUEUED, PLACE_MAILBOX);
		t->message = MESSAGE_MIGRATE;
		v->stats.migrations_out++;
		task_send(v, t, place_choose(v, t, SCHED_MIGRATED));
	}
}

/* Those that stay go to the end of `ready`, or to its head, so it is enough to look at as many as there
 * were. */
static void tell_changes(struct vcore *v)
{
	uint32_t count = atomic_load_explicit(&v->queue.count, memory_order_relaxed);
	struct list *at = v->queue.ready.next;

	for (; count > 0; count--) {
		struct task *t = list_entry(at, struct task, ready_link);

		at = at->next;
		if (atomic_load(&t->sched_changed))
			requeue_changed(v, t);
	}
}

void messages_drain(struct vcore *v)
{
	struct mailbox *m = &v->mailbox;
	uint32_t flags;
	uint64_t bits, found = 0;

	ASSERT_INVARIANT(vcore_is_mine(v) && v->held_count == 0);
	if (!mailbox_has_mail(m))
		return;
	for (struct mailbox_call *call = mailbox_take_calls(m), *next; call; call = next) {
		next = call->next;
		call->function(call);
		found++;
	}
	for (struct task *t = mailbox_take_tasks(m), *next; t; t = next) {
		next = t->mailbox_next;
		trace(v, TRACE_ARRIVE, t->self.id, t->message, 0, 0);
		task_accept(v, t);
		found++;
	}
	if (found > v->stats.mailbox_high)
		v->stats.mailbox_high = found;
	flags = atomic_exchange(&m->flags, 0);
	if (flags & MAILBOX_RESCHED) {
		v->need_resched = v->must_pick = true;
		/* Who idles would not come by otherwise, and a swap waits for all. */
		sched_follow(v);
	}
	if (flags & MAILBOX_PULL)
		v->steal_tried = 0;
	if (flags & MAILBOX_PARAMETERS)
		tell_changes(v);
	bits = atomic_exchange(&m->refused, 0);
	if (bits & v->steal_asked) {
		v->steal_asked = 0;
		v->stats.steals_refused++;
	}
	for (bits = atomic_exchange(&m->thieves, 0); bits; bits &= bits - 1)
		answer_thief(v, (unsigned)__builtin_ctzl(bits));
}

void message_call(struct vcore *v, unsigned cpu, struct mailbox_call *call)
{
	if ((int)cpu == v->cpu)
		call->function(call);
	else
		vcore_ring_if(cpu, mailbox_push_call(&vcore_of(cpu)->mailbox, call));
}

void awaited_done(struct awaited *a)
{
	struct task *from = task_get(a->from->self); /* it waits, so it is there */

	atomic_store_explicit(&a->done, true, memory_order_release);
	/* What `a` lies in may be gone from here on. */
	if (from != this_vcore()->current)
		wake_later(from, 0);
	task_put(from);
}

/* Why it is not slept over: `done` is stored before the wake, and we turn BLOCKING before we look for it.  A
 * wake that was meant for an earlier sleep may come late, hence the loop. */
void awaited_wait(struct awaited *a)
{
	while (!atomic_load_explicit(&a->done, memory_order_acquire)) {
		wait_begin();
		if (atomic_load_explicit(&a->done, memory_order_acquire))
			wait_cancel();
		else
			switch_away(SCHED_YIELDED);
	}
}

/* On the stack of the task that waits for it. */
struct awaited_call {
	struct mailbox_call call;
	void (*function)(void *argument);
	void *argument;
	struct awaited answer;
};

static void run_and_answer(struct mailbox_call *call)
{
	struct awaited_call *a = container_of(call, struct awaited_call, call);

	a->function(a->argument);
	awaited_done(&a->answer);
}

bool message_call_wait(unsigned cpu, void (*function)(void *argument), void *argument)
{
	struct awaited_call a = { .call = { .function = run_and_answer }, .function = function,
				  .argument = argument, .answer.from = current() };

	upcalls_mask();
	if (!cpu_is_online(cpu)) {
		upcalls_unmask();
		return false;
	}
	message_call(this_vcore(), cpu, &a.call);
	awaited_wait(&a.answer);
	upcalls_unmask();
	return true;
}

/* The queue that is longest, among those not asked yet.  One that is about to go may have tasks, and will not
 * answer: sched/offline.c. */
static int find_victim(const struct vcore *v)
{
	unsigned most = 0;
	int victim = -1;

	for (unsigned i = 1; i < vcore_count; i++) {
		unsigned cpu = ((unsigned)v->cpu + i) % vcore_count;
		unsigned count = atomic_load(&vcore_of(cpu)->queue.count);

		if (count > most && cpu_is_online(cpu) && !(v->steal_tried & (1ul << cpu))) {
			most = count;
			victim = (int)cpu;
		}
	}
	return victim;
}

void steal_ask(struct vcore *v)
{
	int victim;

	if (v->steal_asked)
		return; /* an answer is on its way */
	victim = idle_poll_victim(v, find_victim);
	if (victim < 0)
		return;
	v->steal_asked = 1ul << victim;
	v->steal_tried |= v->steal_asked;
	v->stats.steals_asked++;
	trace(v, TRACE_STEAL_ASK, 0, 0, (unsigned)victim, 0);
	vcore_ring_if((unsigned)victim,
		      atomic_fetch_or(&vcore_of(victim)->mailbox.thieves, 1ul << v->cpu) == 0);
}
