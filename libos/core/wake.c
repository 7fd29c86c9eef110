/* SPDX-License-Identifier: MIT */
/*
 * From "this task may go on" to "it is in a run queue".
 *
 * A wake is made under the lock of what was waited for.  There it only claims the task and puts it
 * on a list of this CPU; when the last lock is dropped, the list is passed on to run queues and
 * mailboxes.  So no queue operation and no message nests inside somebody's lock.
 */
#include "core/wake.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/log.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "sched/donation.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "trace/trace.h"

/* I11: nothing is woken under a leaf lock. */
static bool no_leaf_lock_held(const struct vcore *v)
{
	for (unsigned i = 0; i < v->held_count; i++)
		if (v->held[i]->rank >= RANK_LEAF)
			return false;
	return true;
}

/* Delivered when the CPU unmasks. */
static void defer(struct vcore *v, struct task *t)
{
	t->mailbox_next = v->deferred;
	v->deferred = t;
	v->must_wake = true;
}

/* leave_blocked() (wake.h) argues why no wake is lost here. */
void wake_later(struct task *t, enum donation_kind gift)
{
	struct vcore *v = this_vcore();

	ASSERT_INVARIANT(vcore_is_mine(v) && no_leaf_lock_held(v));
	trace_waker(v, t, v->current && !v->in_event ? v->current->self.id : 0);
	atomic_store(&t->wake_pending, true);
	if (!task_claim(t))
		return;
	t->message = gift == DONATION_NONE || gift == DONATION_SIGNAL ? MESSAGE_WAKE : MESSAGE_DONATE;
	t->gift = (uint8_t)gift;
	t->donated_ns = 0;
	t->woken_tsc = rdtsc();
	defer(v, t);
	v->stats.wakes++;
}

void task_start(struct task *t)
{
	struct vcore *v;

	upcalls_mask();
	v = this_vcore();
	task_move(t, PLACE_NONE, PLACE_MAILBOX);
	t->message = MESSAGE_START;
	t->gift = DONATION_START;
	trace_name(v, t);
	trace_waker(v, t, v->current ? v->current->self.id : 0);
	defer(v, t);
	upcalls_unmask();
}

static enum sched_why why_of(const struct task *t)
{
	switch (t->message) {
	case MESSAGE_START:
		return SCHED_NEW;
	case MESSAGE_DONATE:
		return SCHED_DONATED;
	case MESSAGE_MIGRATE:
	case MESSAGE_STOLEN:
		return SCHED_MIGRATED;
	default:
		return SCHED_WOKEN;
	}
}

void task_accept(struct vcore *v, struct task *t)
{
	ASSERT_INVARIANT(vcore_is_mine(v) && atomic_load(&t->home) == v->cpu);
	if (t->message == MESSAGE_STOLEN) {
		v->steal_asked = 0;
		v->stats.steals_won++;
	}
	if (t->message == MESSAGE_MIGRATE || t->message == MESSAGE_STOLEN) {
		t->migrations++;
		v->stats.migrations_in++;
	}
	if (task_state(t) == TASK_BLOCKED) {
		task_set_state(t, TASK_RUNNABLE);
		t->ready_tsc = rdtsc();
	}
	task_move(t, PLACE_MAILBOX, PLACE_QUEUED);
	run_queue_add(v, t, why_of(t));
	place_offer(v, t);
}

static void trace_send(struct vcore *v, const struct task *t, unsigned cpu)
{
	if (t->message == MESSAGE_MIGRATE || t->message == MESSAGE_STOLEN)
		trace(v, TRACE_MIGRATE, t->self.id, 0, cpu, 0);
	else
		trace(v, TRACE_WAKE, t->self.id, t->message, cpu,
		      atomic_load_explicit(&t->waker, memory_order_relaxed));
}

static void send_to_cpu(struct vcore *v, struct task *t, unsigned cpu)
{
	ASSERT_INVARIANT(task_place(t) == PLACE_MAILBOX);
	if ((t->message == MESSAGE_WAKE || t->message == MESSAGE_DONATE) &&
	    atomic_load_explicit(&t->home, memory_order_relaxed) != (int)cpu)
		v->stats.pushes++;
	atomic_store_explicit(&t->home, (int16_t)cpu, memory_order_relaxed);
	if ((int)cpu == v->cpu) {
		task_accept(v, t);
		return;
	}
	v->stats.remote_wakes++;
	vcore_ring_if(cpu, mailbox_push_task(&vcore_of(cpu)->mailbox, t));
}

void task_send(struct vcore *v, struct task *t, unsigned cpu)
{
	trace_send(v, t, cpu);
	send_to_cpu(v, t, cpu);
}

void task_send_heir(struct vcore *v, struct task *t, unsigned cpu)
{
	if ((int)cpu != v->cpu)
		trace(v, TRACE_MIGRATE, t->self.id, 0, cpu, 0);
	send_to_cpu(v, t, cpu);
}

void wake_at_once(struct vcore *v, struct task *t)
{
	unsigned cpu = (unsigned)v->cpu;

	t->message = MESSAGE_WAKE;
	t->woken_tsc = v->ran_since_tsc;
	v->stats.wakes++;
	/* Its affinity may have changed since it last stopped; or the wake is meant for another sleep. */
	if (!sched_allowed(t, v->cpu))
		cpu = place_choose(v, t, SCHED_WOKEN);
	task_send(v, t, cpu);
	/* Somebody waits now, and who hands the CPU over does not look (hand_over.c). */
	timers_program(v);
}

static __attribute__((noinline)) void deliver_ordinarily(struct vcore *v, struct task *t)
{
	unsigned cpu = place_choose(v, t, why_of(t));

	task_send(v, t, cpu);
	/* If it went to another CPU, it is that one's by now. */
	if ((int)cpu == v->cpu && t->gift == DONATION_SIGNAL)
		donation_signalled(v, t);
}

static inline void deliver(struct vcore *v, struct task *t)
{
	if (t->message == MESSAGE_DONATE || t->message == MESSAGE_START)
		donation_deliver(v, t);
	else
		deliver_ordinarily(v, t);
}

/* The list has the youngest first. */
static __attribute__((noinline)) void deliver_all(struct vcore *v)
{
	struct task *oldest = NULL, *t;

	while (v->deferred) {
		t = v->deferred;
		v->deferred = t->mailbox_next;
		t->mailbox_next = oldest;
		oldest = t;
	}
	while (oldest) {
		t = oldest;
		oldest = t->mailbox_next;
		deliver(v, t);
	}
}

void wakes_deliver(struct vcore *v)
{
	struct task *t = v->deferred;

	ASSERT_INVARIANT(vcore_is_mine(v) && v->held_count == 0 && v->must_wake == (t != NULL));
	if (!t)
		return;
	v->must_wake = false;
	if (t->mailbox_next) {
		deliver_all(v);
	} else {
		v->deferred = NULL;
		deliver(v, t);
	}
	/* A CPU that is about to switch sets it then. */
	if (!v->need_resched)
		timers_program(v);
}

static void wake_waiter(struct waiter *w, enum donation_kind gift)
{
	list_remove(&w->link);
	w->woken = true;
	wake_later(w->task, gift);
}

/* -> has one that is exclusive woken a task, this one or, as `spent` says, one before? */
static bool call_waiter(struct waiter *w, uint32_t key, bool spent)
{
	struct wait_callback *c = container_of(w, struct called_waiter, waiter)->callback;

	if (c->exclusive && spent && key != WAKE_ANY)
		return true;
	return (c->call(c, key) && c->exclusive) || spent;
}

void wake_all(struct wait_queue *q, uint32_t key)
{
	bool spent = false;

	list_for_each_safe(pos, next, &q->waiters) {
		struct waiter *w = list_entry(pos, struct waiter, link);

		if (!(w->key & key))
			continue;
		if (w->task)
			wake_waiter(w, DONATION_NONE);
		else
			spent = call_waiter(w, key, spent);
	}
}

static struct task *wake_first(struct wait_queue *q, uint32_t key, enum donation_kind gift)
{
	list_for_each(pos, &q->waiters) {
		struct waiter *w = list_entry(pos, struct waiter, link);

		if (w->key & key) {
			struct task *t = w->task;

			ASSERT_INVARIANT(t != NULL); /* who is called is in a queue of pollers */
			wake_waiter(w, gift);
			return t;
		}
	}
	return NULL;
}

struct task *wake_one(struct wait_queue *q, uint32_t key)
{
	return wake_first(q, key, DONATION_NONE);
}

struct task *wake_one_donate(struct wait_queue *q, uint32_t key, enum donation_kind gift)
{
	return wake_first(q, key, gift);
}

static void wake_by_name(struct task *t, enum donation_kind gift)
{
	upcalls_mask();
	wake_later(t, gift);
	upcalls_unmask();
}

/*
 * Why a signal does not miss a sleeper: the sender makes it pending, then looks at wait_flags; the
 * sleeper sets wait_flags, then looks for pending signals (wait.c).  With a full barrier between
 * the two steps on both sides, one of them sees the other.
 */
void wake_task_signal(struct task *t)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&t->wait_flags) & (WAIT_INTERRUPTIBLE | WAIT_KILLABLE))
		wake_by_name(t, DONATION_SIGNAL);
}
