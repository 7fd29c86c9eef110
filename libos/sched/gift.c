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
#include "core/wake.h"
#include "sched/donation.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "sched/stall.h"
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

/* May `from` give back what it has left?  The giver is in our hands. */
static bool may_return(struct vcore *v, struct task *from, struct task *giver)
{
	run_queue_admit(v, giver);
	if (run_queue_may_donate(v, from, giver) >= 0)
		return true;
	donation_count(&v->stats, DONATION_RETURN, DONATION_REFUSED);
	return false;
}

/* A sleeping giver goes on, with slice_ns of what it gave, if the library lets `from`, which has just stopped
 * here, give it back; NULL: it was never given.  We have a reference to the giver. */
static void wake_giver(struct vcore *v, struct task *giver, uint64_t slice_ns, struct task *from)
{
	unsigned cpu = (unsigned)atomic_load_explicit(&giver->home, memory_order_relaxed);
	uint32_t waker = from ? from->self.id : 0;

	trace_waker(v, giver, waker);
	atomic_store(&giver->wake_pending, true);
	if (!task_claim(giver))
		return; /* its stack has not been left yet, and who leaves it looks */
	giver->woken_tsc = rdtsc();
	v->stats.wakes++;
	if (slice_ns && from && !may_return(v, from, giver))
		slice_ns = 0;
	giver->message = slice_ns ? MESSAGE_DONATE : MESSAGE_WAKE;
	giver->donated_ns = slice_ns;
	if (!sched_allowed(giver, (int)cpu))
		cpu = place_choose(v, giver, SCHED_WOKEN);
	if (slice_ns && (int)cpu == v->cpu && !v->current && !v->heir && !v->must_pick) {
		trace(v, TRACE_WAKE, giver->self.id, MESSAGE_DONATE, cpu, waker);
		donation_count(&v->stats, DONATION_RETURN, DONATION_SAME_CPU);
		donation_inherit(v, giver, slice_ns);
	} else {
		task_send(v, giver, cpu);
	}
}

/* With what is left, if t sleeps, or was to stop when it had done something, and nobody else has it. */
void donation_end_wait(struct vcore *v, struct task *t, bool sleeps)
{
	struct task *donor = task_get(t->donor);
	uint64_t rest = sleeps || t->lent ? t->slice_ns : 0;

	/* It was lent: a library that puts t back for what it has left would spend it a second time. */
	if (t->lent)
		t->slice_ns = 0;
	t->lent = false;
	t->donor = (struct task_ref){ 0 };
	if (!donor)
		return;
	atomic_store_explicit(&donor->gift_over, true, memory_order_release);
	wake_giver(v, donor, v->heir ? 0 : rest, t);
	task_put(donor);
}

/* Does anybody wait for the end of its run?  Who was killed meanwhile, and is gone, is not forgotten before
 * that. */
static bool has_donor(const struct task *t)
{
	struct task *donor = t->donor.id ? task_get(t->donor) : NULL;

	if (donor)
		task_put(donor);
	return donor;
}

/* On the CPU of `to`.  One giver at a time may wait for a task's run: it has room for one name. */
static bool acceptable(const struct vcore *v, const struct gift *g)
{
	return run_queue_holds(v, g->to) && !(g->wait && has_donor(g->to));
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

	/* The library may be replaced as it is asked, but nobody else takes from this queue. */
	g->refused = !acceptable(v, g) || run_queue_may_donate(v, from, g->to) < 0;
	if (g->refused) {
		back_ns = g->slice_ns;
	} else {
		take_with_gift(v, g);
		stall_pause(v, g->to);
		run_queue_add(v, g->to, SCHED_DONATED);
	}
	over = g->refused || !g->wait;
	atomic_store(&g->answered, true);
	/* The gift may be gone from here on.  Who has been killed waits for no more than the answer: he
	 * does not miss it, as he was told to end before he looked for it, and we look for that when it is
	 * there. */
	if (over || (atomic_load(&from->work) & WORK_EXIT))
		wake_giver(v, from, back_ns, NULL);
	task_put(from);
}

/* Sleeps until *done, or as `flags` say.  Masked once.  Why nothing is slept over: it is set before the wake,
 * and we turn BLOCKING before we look.  A wake alone does not say so: one that was meant for an earlier
 * sleep may come late. */
static void sleep_until(const _Atomic bool *done, unsigned flags)
{
	for (;;) {
		wait_begin();
		if (atomic_load_explicit(done, memory_order_acquire))
			break;
		if (wait_sleep_masked(flags) < 0)
			return;
	}
	wait_cancel();
}

/* Who lends for a mutex waits on for that, whatever comes. */
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
		sleep_until(&me->gift_over, kind == DONATION_MUTEX ? 0 : WAIT_KILLABLE);
	else
		switch_away(SCHED_YIELDED);
}

/*
 * Whom `to` keeps waiting may be killed, since `to` need not come to run soon.  Nothing is taken back then:
 * `to` has the slice, and knows the giver by name.  When it has run, that one is gone, or, on its way out, is
 * woken from whatever it sleeps in, as by any wake that comes late.
 */

static void give_across(struct vcore *v, struct gift *g, unsigned cpu)
{
	struct task *me = v->current;

	me->gift_over = false;
	wait_begin();
	message_call(v, cpu, &g->call);
	(void)wait_sleep_masked(WAIT_KILLABLE); /* to the end of it all, most often */
	sleep_until(&g->answered, 0);
	if (g->wait && !g->refused)
		sleep_until(&me->gift_over, WAIT_KILLABLE);
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
	/* In another CPU's queue `to` may run and end at any time: that CPU asks, if it still has it. */
	left = cpu == v->cpu ? donation_offer(v, to, DONATION_EXPLICIT, &now) :
			       donation_left(v, DONATION_EXPLICIT);
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
