/* SPDX-License-Identifier: MIT */
/*
 * Donation: the rest of a slice goes to a named task.
 *
 *	giver                    heir                          giver
 *	wakes it, goes on
 *	and stops -------------> runs next, on what is -----> if it is queued: runs on with what the
 *	                         left of the slice            heir left, when the heir sleeps or ends
 *
 * A wake is a promise.  Who has written to a pipe goes on as often as not, and may write a lot more:
 * were its slice given away at once, each write would cost two switches.  So the giver goes on,
 * and the heir gets what is left when it stops: at once, if it sleeps for an answer.  If nothing is
 * left then, the promise was an ordinary wake; and likewise if the giver has gone on for
 * DONATION_PROMISE_NS where other CPUs could run the heir.  A library may want the heir to run at
 * once; and whoever calls sched_donate() stops at once.
 *
 * To make a task is such a promise, too: a shell waits for its child, a program joins its thread, and
 * the new task finds warm caches, and no other CPU has to be woken for it.  Who makes several gives all but
 * the first to other CPUs at once.
 *
 * On one CPU the heir is not queued: v->heir holds it from the promise to the switch, and counts as
 * a mailbox that has room for one (I5).  So a gift costs a switch and no decision.  The
 * scheduler library has been asked by donate(); the heir goes through its queue all the same, as
 * SCHED_DONATED, if the library wants to be asked who is next (sched_resched()).
 *
 * A heir that runs elsewhere goes through that CPU's mailbox with message DONATE, at once.
 *
 * What is given is what is left, never a fresh slice, and the giver stops, or has none any more and stops
 * as soon as somebody waits: so a chain of gifts uses no more of others' time than the first slice had, and
 * two tasks that give to each other cannot starve a third.  That a chain also has a largest length bounds
 * what a scheduler library sees of it.
 *
 * What a heir leaves of its gift when it goes to sleep returns to the giver, if that still waits in
 * the queue of this CPU.  Otherwise a writer that wakes a reader would pay for it with a round of the
 * queue, although neither had used its slice.
 *
 * A signal is not even a promise: who sends one may send many, to whom another CPU is as good.  The
 * sender remembers whom it woke last, and if it goes to sleep or ends before its slice does, that task
 * gets the rest, when it has not found a CPU yet.  So kill() and sigsuspend() hand a CPU to and fro,
 * and kill() alone costs its caller nothing.  In the same way who waits for a lock with priority inheritance
 * leaves what he has to its owner, if that is queued here (proc/inheritance.c).
 */
#include "sched/donation.h"
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "sched/place.h"
#include "time/time.h"
#include "trace/trace.h"

static uint64_t slice_left_ns(const struct vcore *v, uint64_t now)
{
	return v->slice_end_tsc > now ? vcore_ns(v, v->slice_end_tsc - now) : 0;
}

/* An interrupt or a timer that wakes somebody has no slice to give: it is on the event stack, or, as a task
 * unmasks, wakes without a gift. */
static bool is_on_its_stack(const struct task *t)
{
	uint64_t stack_pointer = (uint64_t)__builtin_frame_address(0);

	return ((stack_pointer ^ (uint64_t)t) & ~(TASK_SLOT_SIZE - 1)) == 0;
}

/* Nothing is given, and that is counted. */
static __attribute__((noinline)) int64_t refuse(struct vcore *v, enum donation_kind kind,
						enum donation_outcome why)
{
	donation_count(&v->stats, kind, why);
	return why == DONATION_REFUSED ? -EAGAIN : 0;
}

/* As far as the core is concerned. */
static inline int64_t left_to_give(struct vcore *v, enum donation_kind kind, uint64_t now_tsc)
{
	int64_t left = (int64_t)slice_left_ns(v, now_tsc);

	if (v->current->donation_depth >= SCHED_DONATE_CHAIN_MAX)
		return refuse(v, kind, DONATION_CAPPED);
	if (left < (int64_t)SCHED_SLICE_MIN_NS) /* not worth a switch */
		return refuse(v, kind, DONATION_SPENT);
	return left;
}

static inline int64_t offer(struct vcore *v, struct task *to, enum donation_kind kind, uint64_t now_tsc,
			    bool *now)
{
	int64_t left = left_to_give(v, kind, now_tsc);
	int answer;

	if (left <= 0)
		return left;
	answer = run_queue_may_donate(v, v->current, to);
	if (answer < 0)
		return refuse(v, kind, DONATION_REFUSED);
	*now = answer > 0;
	return left;
}

int64_t donation_left(struct vcore *v, enum donation_kind kind)
{
	return left_to_give(v, kind, rdtsc());
}

int64_t donation_offer(struct vcore *v, struct task *to, enum donation_kind kind, bool *now)
{
	return offer(v, to, kind, rdtsc(), now);
}

void donation_inherit(struct vcore *v, struct task *to, uint64_t slice_ns)
{
	ASSERT_INVARIANT(!v->heir && task_place(to) == PLACE_MAILBOX);
	atomic_store_explicit(&to->home, (int16_t)v->cpu, memory_order_relaxed);
	to->message = MESSAGE_DONATE;
	to->donated_ns = slice_ns;
	v->heir = to;
}

static void trace_gift(struct vcore *v, const struct task *from, const struct task *to, uint64_t ns)
{
	trace(v, TRACE_DONATE, to->self.id, to->donation_depth, from->self.id, ns);
}

/* The running task has nothing left, and stops as soon as it is unmasked, if anybody waits for that;
 * otherwise when somebody does (timers_program). */
static void end_slice(struct vcore *v)
{
	v->slice_end_tsc = rdtsc();
	if (vcore_slice_ends(v))
		v->need_resched = true;
}

/* No slice comes with it: it is a wake, or the start of a new task.  -> where it shall go. */
static unsigned make_ordinary(struct vcore *v, struct task *t)
{
	bool is_new = t->gift == DONATION_START;

	t->message = is_new ? MESSAGE_START : MESSAGE_WAKE;
	return place_choose(v, t, is_new ? SCHED_NEW : SCHED_WOKEN);
}

static __attribute__((noinline)) void send_ordinarily(struct vcore *v, struct task *t)
{
	task_send(v, t, make_ordinary(v, t));
}

/* A library that has a say in where tasks go is asked about each new one. */
static bool is_placed_as_new(const struct vcore *v, const struct task *t)
{
	return t->gift == DONATION_START && (run_queue_has_opinion(v) || !sched_allowed(t, v->cpu));
}

/* Some of the running slice may go to t.  0: nothing may. */
static inline int64_t offer_to_woken(struct vcore *v, struct task *t, bool *now)
{
	enum donation_kind kind = (enum donation_kind)t->gift;

	if (!v->current || !is_on_its_stack(v->current) || is_placed_as_new(v, t))
		return 0;
	if (v->heir)
		return refuse(v, kind, DONATION_SECOND);
	run_queue_admit(v, t);
	/* Who is woken has been so just now. */
	return offer(v, t, kind, kind == DONATION_START ? rdtsc() : t->woken_tsc, now);
}

/* The current task has nothing left, and t runs on `cpu`. */
static __attribute__((noinline)) void give_at_once(struct vcore *v, struct task *t, unsigned cpu,
						   uint64_t ns)
{
	struct task *from = v->current;
	enum donation_kind kind = (enum donation_kind)t->gift;

	trace_gift(v, from, t, ns);
	t->message = MESSAGE_DONATE;
	t->donated_ns = ns;
	if ((int)cpu == v->cpu) {
		donation_count(&v->stats, kind, DONATION_SAME_CPU);
		donation_set_successor(t, from, DONATION_RETURN);
		donation_inherit(v, t, ns);
	} else {
		donation_count(&v->stats, kind, DONATION_CROSS_CPU);
		task_send(v, t, cpu);
	}
	end_slice(v);
}

/* To answer one's own giver makes no chain longer: the two are where they were before. */
static void set_depth(const struct task *from, struct task *to)
{
	if (from->successor.task != to || from->successor.generation != to->self.generation)
		to->donation_depth = (uint8_t)(from->donation_depth + 1);
}

/* Some time from now on; a timer of its own for each promise would cost more than the switches that it saves,
 * where timers are slow (a virtual machine). */
static void limit_promise(struct vcore *v, const struct task *t, uint64_t now_tsc)
{
	/* A process that has ended is gone soon. */
	if (v->promise_tsc && t->gift != DONATION_WAIT4)
		v->promise_ends_tsc = now_tsc + v->promise_tsc;
}

/* What wakes_deliver() and donation_deliver() do where nobody has anything to say about it.  A library that
 * has come into force and is not followed yet rings (instance_tell_all), and what of t has changed is looked
 * at when the promise is kept. */
bool donation_promise(struct vcore *v)
{
	struct task *t = v->deferred, *from = v->current;
	const struct run_queue *q = &v->queue;

	ASSERT_INVARIANT(vcore_is_mine(v) && v->held_count == 0 && v->must_wake);
	if (t->mailbox_next || t->message != MESSAGE_DONATE || t->gift == DONATION_START)
		return false;
	if (!from || v->heir || v->not_plain || !is_on_its_stack(from) ||
	    from->donation_depth >= SCHED_DONATE_CHAIN_MAX ||
	    slice_left_ns(v, t->woken_tsc) < SCHED_SLICE_MIN_NS)
		return false;
	if (t->sched_generation != q->generation || q->asked_about_gifts ||
	    !(t->affinity >> v->cpu & 1))
		return false;
	v->must_wake = false;
	v->deferred = NULL;
	set_depth(from, t);
	donation_inherit(v, t, 0);
	limit_promise(v, t, t->woken_tsc);
	timers_program_for_promise(v);
	return true;
}

void donation_deliver(struct vcore *v, struct task *t)
{
	struct task *from = v->current;
	bool now = false;
	int64_t left = offer_to_woken(v, t, &now);
	unsigned cpu;

	if (left <= 0) {
		send_ordinarily(v, t);
		return;
	}
	set_depth(from, t);
	cpu = place_choose(v, t, SCHED_DONATED);
	if ((int)cpu == v->cpu)
		trace(v, TRACE_WAKE, t->self.id, t->message, cpu, from->self.id);
	if (now || (int)cpu != v->cpu) {
		give_at_once(v, t, cpu, (uint64_t)left);
		return;
	}
	donation_inherit(v, t, 0);
	limit_promise(v, t, rdtsc());
}

static bool is_promised(const struct task *heir)
{
	return heir && !heir->donated_ns;
}

void donation_release(struct vcore *v, enum donation_outcome why)
{
	struct task *t = v->heir;

	v->promise_ends_tsc = 0;
	if (!is_promised(t))
		return;
	v->heir = NULL;
	donation_count(&v->stats, (enum donation_kind)t->gift, why);
	task_send_heir(v, t, make_ordinary(v, t));
}

/* `from` has just stopped: the heir gets what it left. */
static void keep_promise(struct vcore *v, struct task *from)
{
	struct task *t = v->heir;

	if (from->slice_ns < SCHED_SLICE_MIN_NS) {
		donation_release(v, DONATION_SPENT);
		return;
	}
	donation_keep(v, from, t);
	t->donated_ns = from->slice_ns;
	trace_gift(v, from, t, t->donated_ns);
}

/*
 * Between the gift and here the heir was in nobody's hands but ours; only what others may change at
 * any time can have changed: its affinity, and whether the library wants to be asked.
 */
inline __attribute__((always_inline)) struct sched_run donation_heir(struct vcore *v)
{
	struct task *t = v->heir;

	if (!t)
		return (struct sched_run){ 0 };
	run_queue_admit(v, t);
	if (!v->must_pick && sched_allowed(t, v->cpu))
		return (struct sched_run){ t, t->donated_ns };
	v->heir = NULL;
	task_send_heir(v, t, sched_allowed(t, v->cpu) ? (unsigned)v->cpu : place_choose(v, t, SCHED_DONATED));
	return (struct sched_run){ 0 };
}

/* May the successor of t, which has stopped, run now?  It is queued here, so that it cannot change
 * while we look; `generation` tells whether the task slot has gone to another since. */
static bool may_succeed(struct vcore *v, struct task *t, struct task *successor)
{
	return run_queue_holds(v, successor) &&
	       successor->self.generation == t->successor.generation &&
	       sched_allowed(successor, v->cpu);
}

static __attribute__((noinline)) void leave_to_successor(struct vcore *v, struct task *t)
{
	struct task *to = t->successor.task;
	enum donation_kind kind = (enum donation_kind)t->successor.kind;

	t->successor.task = NULL;
	if (!to || v->must_pick || t->slice_ns < SCHED_SLICE_MIN_NS ||
	    !may_succeed(v, t, to))
		return;
	if (kind != DONATION_RETURN && t->donation_depth >= SCHED_DONATE_CHAIN_MAX) {
		donation_count(&v->stats, kind, DONATION_CAPPED);
		return;
	}
	if (run_queue_may_donate(v, t, to) < 0) {
		donation_count(&v->stats, kind, DONATION_REFUSED);
		return;
	}
	/* The library may have been replaced in there, but nobody else takes from this queue. */
	run_queue_remove(v, to);
	task_move(to, PLACE_QUEUED, PLACE_MAILBOX);
	if (kind != DONATION_RETURN) {
		to->donation_depth = (uint8_t)(t->donation_depth + 1);
		donation_set_successor(to, t, DONATION_RETURN);
	}
	donation_count(&v->stats, kind, DONATION_SAME_CPU);
	trace_gift(v, t, to, t->slice_ns);
	donation_inherit(v, to, t->slice_ns);
}

void donation_leave(struct vcore *v, struct task *t)
{
	bool sleeps = task_state(t) != TASK_RUNNING;

	if (is_promised(v->heir))
		keep_promise(v, t);
	if (t->donor.id)
		donation_end_wait(v, t, sleeps);
	if (!sleeps)
		return;
	if (v->heir)
		t->successor.task = NULL;
	else
		leave_to_successor(v, t);
}

void donation_signalled(struct vcore *v, struct task *t)
{
	struct task *from = v->current;

	/* A timer that fires on a task's stack sends nothing in its name. */
	if (from && from != t && is_on_its_stack(from) &&
	    !atomic_load_explicit(&v->timers.firing, memory_order_relaxed))
		donation_set_successor(from, t, DONATION_SIGNAL);
}
