/* SPDX-License-Identifier: MIT */
/*
 * Donation: the rest of a slice goes to a named task.
 *
 * What is given is what is left, never a fresh slice, and the giver stops: so a chain of gifts uses
 * no more time than the first slice had, and two tasks that give to each other cannot starve a
 * third.  That a chain also has a largest length bounds what a scheduler library sees of it.
 */
#include <libos/sched.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/log.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "core/wake.h"
#include "sched/messages.h"
#include "time/time.h"
#include "trace/trace.h"

static uint64_t slice_left_ns(const struct vcore *v)
{
	uint64_t now = rdtsc();

	return v->slice_end_tsc > now ? tsc_to_ns(v->slice_end_tsc - now) : 0;
}

/* An interrupt or a timer that wakes somebody has no slice to give: it is on the event stack. */
static bool is_on_its_stack(const struct task *t)
{
	uint64_t stack_pointer = (uint64_t)__builtin_frame_address(0);

	return ((stack_pointer ^ (uint64_t)t) & ~(TASK_SLOT_SIZE - 1)) == 0;
}

uint64_t donation_offer(const struct vcore *v)
{
	const struct task *t = v->current;

	if (!t || !is_on_its_stack(t) || t->donation_depth >= SCHED_DONATE_CHAIN_MAX)
		return 0;
	return slice_left_ns(v);
}

/* The running task has nothing left, and stops as soon as it is unmasked. */
static void end_slice(struct vcore *v)
{
	v->slice_end_tsc = rdtsc();
	v->need_resched = true;
}

void donation_give(struct vcore *v, struct task *t)
{
	uint64_t left = donation_offer(v);

	if (left && run_queue_may_donate(v, v->current, t)) {
		t->donated_ns = left < t->donated_ns ? left : t->donated_ns;
		t->donation_depth = (uint8_t)(v->current->donation_depth + 1);
		v->stats.donations++;
		trace(v, TRACE_DONATE, t->self.id, t->donation_depth, v->current->self.id,
		      t->donated_ns);
		end_slice(v);
	} else {
		t->donated_ns = 0;
		t->message = MESSAGE_WAKE;
	}
}

void donor_release(struct vcore *v, struct task *t)
{
	struct task *donor;

	if (!t->donor.id)
		return;
	donor = task_get(t->donor);
	t->donor = (struct task_ref){ 0 };
	if (!donor)
		return;
	wake_later(donor, 0);
	task_put(donor);
}

/*
 * A gift to a task in another CPU's queue: a CALL to that CPU.  On the giver's stack, who sleeps
 * until the call has been answered.  A wake alone does not say so: one that was meant for an earlier
 * sleep of the giver may come late.
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

/* `to` is queued on this CPU: to the head of its queue, with the slice. */
static void requeue_with_gift(struct vcore *v, struct task *to, const struct gift *g)
{
	run_queue_remove(v, to);
	to->donated_ns = g->slice_ns;
	to->donation_depth = g->depth;
	if (g->wait)
		to->donor = g->from->self;
	v->stats.donations++;
	trace(v, TRACE_DONATE, to->self.id, g->depth, g->from->self.id, g->slice_ns);
	run_queue_add(v, to, SCHED_DONATED);
}

static void gift_arrives(struct mailbox_call *call)
{
	struct gift *g = container_of(call, struct gift, call);
	struct vcore *v = this_vcore();
	struct task *from = task_get(g->from->self); /* it sleeps, so it is there */

	g->refused = !acceptable(v, g);
	if (!g->refused)
		requeue_with_gift(v, g->to, g);
	bool over = g->refused || !g->wait;

	atomic_store_explicit(&g->answered, true, memory_order_release);
	/* The gift may be gone from here on. */
	if (over)
		wake_later(from, 0);
	task_put(from);
}

/*
 * Masked once.  Sleeps until woken by gift_arrives() or donor_release().  Why the answer is not
 * slept over: it is stored before the wake, and we turn BLOCKING before we look for it.
 */
static void sleep_for_gift(struct vcore *v, struct gift *g, int cpu)
{
	wait_begin();
	if (cpu == v->cpu) {
		requeue_with_gift(v, g->to, g);
		switch_away(SCHED_YIELDED);
		return;
	}
	message_call(v, (unsigned)cpu, &g->call);
	switch_away(SCHED_YIELDED);
	while (!atomic_load_explicit(&g->answered, memory_order_acquire)) {
		wait_begin();
		if (atomic_load_explicit(&g->answered, memory_order_acquire))
			wait_cancel();
		else
			switch_away(SCHED_YIELDED);
	}
}

static int give(struct vcore *v, struct task *to, unsigned flags)
{
	struct task *me = v->current;
	int cpu = atomic_load(&to->home);
	struct gift g = { .call = { .function = gift_arrives }, .from = me, .to = to,
			  .slice_ns = donation_offer(v),
			  .depth = (uint8_t)(me->donation_depth + 1),
			  .wait = flags & SCHED_DONATE_WAIT };

	if (to == me || task_place(to) != PLACE_QUEUED || !run_queue_may_donate(v, me, to))
		return -EAGAIN;
	if (g.slice_ns == 0) {
		switch_away(SCHED_YIELDED);
		return 0;
	}
	if (cpu == v->cpu && !acceptable(v, &g))
		return -EAGAIN;
	v->slice_end_tsc = rdtsc();
	if (cpu == v->cpu && !g.wait) {
		requeue_with_gift(v, to, &g);
		switch_away(SCHED_YIELDED);
	} else {
		sleep_for_gift(v, &g, cpu);
	}
	return g.refused ? -EAGAIN : 0;
}

int sched_donate(struct task_ref target, unsigned flags)
{
	struct task *to = task_get(target);
	int r;

	if (!to)
		return -ESRCH;
	upcalls_mask();
	r = give(this_vcore(), to, flags);
	upcalls_unmask();
	task_put(to);
	return r;
}
