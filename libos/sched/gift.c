/* SPDX-License-Identifier: MIT */
/* A slice for a task that is queued: sched_donate(), by name; and for who has what the giver waits for. */
#include <libos/sched.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "sched/donation.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "trace/trace.h"

/*
 * A gift to a task in another CPU's queue, which only that CPU may touch: a CALL to it.  On the
 * giver's stack, who sleeps until the call has been answered.
 */
struct gift {
	struct mailbox_call call;
	struct task *from, *to; /* kept alive by references */
	uint64_t slice_ns;
	uint8_t depth;
	bool wait;    /* the giver sleeps until `to` has run */
	bool refused; /* the answer, valid once: */
	_Atomic bool answered; /* release: the other CPU does not touch the gift any more */
};

/* On the CPU of `to`.  One giver at a time may wait for a task's run: it has room for one name. */
static bool acceptable(const struct vcore *v, const struct gift *g)
{
	return run_queue_holds(v, g->to) && !(g->wait && g->to->donor.id);
}

/* `to` is queued on this CPU, and leaves the queue with the slice. */
static void take_with_gift(struct vcore *v, const struct gift *g)
{
	struct task *to = g->to;

	run_queue_remove(v, to);
	to->donated_ns = g->slice_ns;
	to->donation_depth = g->depth;
	if (g->wait)
		to->donor = g->from->self;
	trace(v, TRACE_DONATE, to->self.id, g->depth, g->from->self.id, g->slice_ns);
}

/*
 * The answer.  If `to` is not queued here any more (it has run, ended, moved, or been stolen since
 * the giver looked) nothing has happened to it, and the giver goes on with its slice.
 */
static void gift_arrives(struct mailbox_call *call)
{
	struct gift *g = container_of(call, struct gift, call);
	struct vcore *v = this_vcore();
	struct task *from = task_get(g->from->self); /* it sleeps, so it is there */
	uint64_t back_ns = 0;
	bool over;

	g->refused = !acceptable(v, g);
	if (g->refused) {
		back_ns = g->slice_ns;
	} else {
		take_with_gift(v, g);
		run_queue_add(v, g->to, SCHED_DONATED);
	}
	over = g->refused || !g->wait;
	atomic_store_explicit(&g->answered, true, memory_order_release);
	/* The gift may be gone from here on. */
	if (over)
		donation_wake_giver(v, from, back_ns, 0);
	task_put(from);
}

/* Sleeps until *done.  Masked once.  Why nothing is slept over: it is set before the wake, and we
 * turn BLOCKING before we look.  A wake alone does not say so: one that was meant for an earlier
 * sleep may come late. */
static void sleep_until(const _Atomic bool *done)
{
	for (;;) {
		wait_begin();
		if (atomic_load_explicit(done, memory_order_acquire))
			break;
		switch_away(SCHED_YIELDED);
	}
	wait_cancel();
}

static void give_here(struct vcore *v, struct gift *g, enum donation_kind kind)
{
	struct task *me = v->current;

	take_with_gift(v, g);
	task_move(g->to, PLACE_QUEUED, PLACE_MAILBOX);
	me->gift_over = false;
	g->to->successor.task = NULL;
	donation_inherit(v, g->to, g->slice_ns);
	donation_count(&v->stats, kind, DONATION_SAME_CPU);
	if (g->wait)
		sleep_until(&me->gift_over);
	else
		switch_away(SCHED_YIELDED);
}

static void give_across(struct vcore *v, struct gift *g, unsigned cpu)
{
	struct task *me = v->current;

	me->gift_over = false;
	wait_begin();
	message_call(v, cpu, &g->call);
	switch_away(SCHED_YIELDED);
	sleep_until(&g->answered);
	if (g->wait && !g->refused)
		sleep_until(&me->gift_over);
	donation_count(&this_vcore()->stats, DONATION_EXPLICIT,
		       g->refused ? DONATION_REFUSED : DONATION_CROSS_CPU);
}

static int give(struct vcore *v, struct task *to, unsigned flags)
{
	struct task *me = v->current;
	int cpu = atomic_load_explicit(&to->home, memory_order_relaxed);
	struct gift g = { .call = { .function = gift_arrives }, .from = me, .to = to,
			  .depth = (uint8_t)(me->donation_depth + 1),
			  .wait = flags & SCHED_DONATE_WAIT };
	int64_t left;
	bool now;

	if (to == me || task_place(to) != PLACE_QUEUED || !cpu_is_online((unsigned)cpu) ||
	    (cpu == v->cpu && !acceptable(v, &g)))
		return -EAGAIN;
	left = donation_offer(v, to, DONATION_EXPLICIT, &now);
	if (left < 0)
		return (int)left;
	g.slice_ns = (uint64_t)left;
	v->slice_end_tsc = rdtsc(); /* what is given is not left to anybody else */
	if (left == 0)
		switch_away(SCHED_YIELDED);
	else if (cpu == v->cpu)
		give_here(v, &g, DONATION_EXPLICIT);
	else
		give_across(v, &g, (unsigned)cpu);
	return g.refused ? -EAGAIN : 0;
}

/* Whom the slice has been promised gets it when the running task sleeps, so that there is none to lend. */
bool donation_may_lend(const struct vcore *v, const struct task *to)
{
	return !v->heir && !to->donor.id && run_queue_holds(v, to);
}

bool donation_lend(struct vcore *v, struct task *to)
{
	struct gift g = { .from = v->current, .to = to, .wait = true,
			  .depth = (uint8_t)(v->current->donation_depth + 1) };
	bool now;
	int64_t left = donation_offer(v, to, DONATION_MUTEX, &now);

	if (left <= 0)
		return false;
	g.slice_ns = (uint64_t)left;
	v->slice_end_tsc = rdtsc(); /* what is lent is not left to anybody else */
	to->lent = true;
	give_here(v, &g, DONATION_MUTEX);
	return true;
}

int sched_donate(struct task_ref target, unsigned flags)
{
	struct task *to = task_get(target);
	int r;

	if (!to)
		return -ESRCH;
	upcalls_mask();
	/* It may be `to` itself.  Another one has to wait for a slice of its own. */
	donation_release(this_vcore(), DONATION_SECOND);
	r = give(this_vcore(), to, flags);
	if (r < 0)
		timers_program(this_vcore()); /* who was to be the heir may wait now */
	upcalls_unmask();
	task_put(to);
	return r;
}
