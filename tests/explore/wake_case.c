/* SPDX-License-Identifier: MIT */
/* libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c: no wake is lost
 *
 * CPU 0 runs a task that sleeps; the others wake it.  The scheduler is the smallest there is: a CPU
 * whose task has left its stack halts, as idle() does, until its mailbox has been rung, and goes on
 * with the task when that has been queued.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include "abi/errno.h"
#include "core/event.h"
#include "core/lock.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "core/wake.h"
#include "explore.h"
#include "proc/signal.h"
#include "sched/donation.h"
#include "sched/place.h"
#include "time/time.h"
#include "trace/trace.h"

#define CPUS 3

struct vcore vcores[EXO_CPUS_MAX];
static struct exo_vcore_page pages[CPUS];
static char slots[CPUS][TASK_SLOT_SIZE] __attribute__((aligned(TASK_SLOT_SIZE)));

static struct lock lock = LOCK_INIT("case", RANK_PIPE);
static struct wait_queue queue;
static unsigned condition; /* under lock */
static _Atomic bool signalled;
static _Atomic bool queued; /* CPU 0's run queue: the one task */

static struct task *task_of(unsigned cpu)
{
	return (struct task *)(slots[cpu] + TASK_OFFSET);
}

/* ---------------------------------------------------------------- what the code under test calls */

static bool lock_is_free(void *l)
{
	return ((struct lock *)l)->holder == 0;
}

/* masking.asm; an upcall cannot come between, so masking is only counted. */
void upcalls_mask(void)
{
	this_vcore()->mask_depth++;
}

void upcalls_unmask(void)
{
	struct vcore *v = this_vcore();

	if (v->mask_depth == 1 && v->deferred)
		wakes_deliver(v);
	v->mask_depth--;
}

void lock_take(struct lock *l)
{
	uint32_t free = 0;

	upcalls_mask();
	while (!atomic_compare_exchange_strong(&l->holder, &free, 1)) {
		explore_wait(lock_is_free, l, "waits for the lock");
		free = 0;
	}
}

void lock_drop(struct lock *l)
{
	atomic_store_explicit(&l->holder, 0, memory_order_release);
	upcalls_unmask();
}

_Noreturn void libos_panic(const char *why, ...)
{
	explore_fail("%s", why);
}

static bool is_rung(void *cpu)
{
	return pages[(uintptr_t)cpu].pending != 0;
}

void vcore_ring_if(unsigned cpu, bool first)
{
	if (first)
		__atomic_fetch_or(&pages[cpu].pending, EXO_EVENT_DOORBELL, __ATOMIC_ACQ_REL);
}

/* The stack is left in name only: nothing of this function is on it that a resume would destroy. */
void switch_away(enum sched_why why)
{
	struct vcore *v = this_vcore();
	struct task *t = v->current, *arrived;

	EXPLORE_CHECK(v->mask_depth == 1);
	if (v->deferred)
		wakes_deliver(v);
	v->current = NULL;
	leave_blocked(v, t);
	while (!atomic_load(&queued)) {
		explore_wait(is_rung, (void *)(uintptr_t)v->cpu, "halts");
		__atomic_exchange_n(&v->page->pending, 0, __ATOMIC_ACQ_REL);
		for (arrived = mailbox_take_tasks(&v->mailbox); arrived; arrived = t) {
			EXPLORE_CHECK(arrived == t);
			t = arrived->mailbox_next;
			task_accept(v, arrived);
		}
		t = task_of((unsigned)v->cpu);
	}
	atomic_store(&queued, false);
	EXPLORE_CHECK(!atomic_load(&t->on_cpu));
	task_move(t, PLACE_QUEUED, PLACE_RUNNING);
	task_set_state(t, TASK_RUNNING);
	atomic_store(&t->on_cpu, true);
	v->current = t;
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	EXPLORE_CHECK(task_state(t) == TASK_RUNNABLE && v == this_vcore());
	EXPLORE_CHECK(!atomic_exchange(&queued, true));
}

unsigned place_choose(struct vcore *v, struct task *t, enum sched_why why)
{
	return 0;
}

void place_offer(struct vcore *v, const struct task *t)
{
}

void donation_deliver(struct vcore *v, struct task *t)
{
	explore_fail("nobody donates here");
}

void donation_signalled(struct vcore *v, struct task *t)
{
}

void timers_program(struct vcore *v)
{
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
}

void timer_cancel(struct timer *t)
{
}

uint64_t time_now_ns(void)
{
	return 1;
}

bool signal_is_pending(void)
{
	return atomic_load(&signalled);
}

void trace_record(struct vcore *v, enum trace_kind kind, uint32_t task, unsigned detail,
		  unsigned number, uint64_t value)
{
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	memset(vcores, 0, sizeof(vcores[0]) * CPUS);
	memset(pages, 0, sizeof(pages));
	lock.holder = 0;
	wait_queue_init(&queue);
	condition = 0;
	signalled = queued = false;
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		struct task *t = task_of(cpu);

		memset(t, 0, sizeof(*t));
		t->self.id = cpu + 1;
		t->state = TASK_RUNNING;
		t->where = PLACE_RUNNING;
		t->home = (int16_t)cpu;
		t->on_cpu = true;
		vcores[cpu].cpu = (int32_t)cpu;
		vcores[cpu].page = &pages[cpu];
		vcores[cpu].current = t;
		explore_stack(cpu, slots[cpu], TASK_OFFSET);
	}
	explore_name(&lock, sizeof(lock), "lock");
	explore_name(&queue, sizeof(queue), "queue");
	explore_name(&condition, sizeof(condition), "condition");
	explore_name(&signalled, sizeof(signalled), "signalled");
	explore_name(&queued, sizeof(queued), "queued");
	explore_name(&pages[0].pending, sizeof(pages[0].pending), "pending");
	explore_name(&vcores[0].mailbox, sizeof(vcores[0].mailbox), "mailbox");
	explore_name(task_of(0), sizeof(struct task), "sleeper");
	/* The waiter is on the sleeper's stack, and its waker's as well. */
	explore_name(slots[0] + TASK_OFFSET - 2048, 2048, "stack");
}

static void nothing_is_left(void)
{
	EXPLORE_CHECK(!queued && list_empty(&queue.waiters));
	EXPLORE_CHECK(vcores[0].mailbox.tasks == NULL);
}

/* Sleeps until the condition has been raised `times` times. */
static void sleep_for_condition(unsigned times)
{
	lock_acquire(&lock);
	while (condition < times)
		wait_on(&queue, &lock, 0, 0);
	lock_release(&lock);
}

static void raise_condition(void)
{
	lock_acquire(&lock);
	condition++;
	wake_all(&queue, WAKE_ANY);
	lock_release(&lock);
}

static void one_waker(unsigned cpu)
{
	if (cpu == 0)
		sleep_for_condition(1);
	else
		raise_condition();
}

static void two_wakers(unsigned cpu)
{
	if (cpu == 0)
		sleep_for_condition(2);
	else
		raise_condition();
}

/* A signal makes something pending and then wakes; the sleeper looks before it sleeps. */
static void signal_meets_sleep(unsigned cpu)
{
	if (cpu == 0) {
		wait_begin();
		EXPLORE_CHECK(wait_sleep(WAIT_INTERRUPTIBLE, 0) == -EINTR);
	} else {
		atomic_store_explicit(&signalled, true, memory_order_release);
		wake_task_signal(task_of(0));
	}
}

/* Both the condition and a signal, at once. */
static void signal_and_waker(unsigned cpu)
{
	if (cpu == 0) {
		lock_acquire(&lock);
		while (!condition && !signal_is_pending())
			wait_on(&queue, &lock, WAIT_INTERRUPTIBLE, 0);
		lock_release(&lock);
	} else if (cpu == 1) {
		raise_condition();
	} else {
		atomic_store_explicit(&signalled, true, memory_order_release);
		wake_task_signal(task_of(0));
	}
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_wake_is_not_lost", 2, 2, 2, setup, one_waker, nothing_is_left, NULL },
		{ "a_signal_is_not_lost", 2, 3, 2, setup, signal_meets_sleep, nothing_is_left,
		  NULL },
		{ "two_wakes_are_not_lost", 3, 1, 1, setup, two_wakers, nothing_is_left, NULL },
		{ "a_wake_and_a_signal_are_one_wake", 3, 1, 1, setup, signal_and_waker,
		  nothing_is_left, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
