/* SPDX-License-Identifier: MIT */
/*
 * CPUs of a libos for the explorer: each of its threads (libos_vcores.h) runs one task, on that task's
 * stack, as core/task.h lays it out.  Include it once.
 *
 * The scheduler is the smallest there is: a CPU whose task has left its stack halts, as idle() does,
 * until its mailbox has been rung, and goes on with the task when that has been queued.
 */
#ifndef TESTS_EXPLORE_LIBOS_CPUS_H
#define TESTS_EXPLORE_LIBOS_CPUS_H

#include <string.h>
#include "core/lock.h"
#include "core/switch.h"
#include "core/task_state.h"
#include "core/wait.h"
#include "core/wake.h"
#include "libos_vcores.h"
#include "proc/signal.h"
#include "sched/donation.h"
#include "sched/place.h"
#include "time/time.h"

#define SHARED_STACK 2048 /* what others may touch of a stack: its upper end */

static char slots[CPUS][TASK_SLOT_SIZE] __attribute__((aligned(TASK_SLOT_SIZE)));

static _Atomic bool queued[CPUS]; /* each CPU's run queue: its one task */

static struct task *task_of(unsigned cpu)
{
	return (struct task *)(slots[cpu] + TASK_OFFSET);
}

/* ---------------------------------------------------------------- what the code under test calls */

static bool lock_is_free(void *l)
{
	return ((struct lock *)l)->holder == 0;
}

/* What a CPU has tried in vain to take: whoever tries again and again would never let the holder go
 * on, so before its next lock it waits until that one is free. */
static struct lock *tried[CPUS];

void lock_take_masked(struct lock *l)
{
	struct lock **in_vain = &tried[explore_self()];
	uint8_t free = 0;

	if (*in_vain)
		explore_wait(lock_is_free, *in_vain, "waits for the lock that it has tried");
	*in_vain = NULL;
	while (!atomic_compare_exchange_strong(&l->holder, &free, 1)) {
		explore_wait(lock_is_free, l, "waits for the lock");
		free = 0;
	}
}

void lock_take(struct lock *l)
{
	upcalls_mask();
	lock_take_masked(l);
}

bool lock_try(struct lock *l)
{
	uint8_t free = 0;

	upcalls_mask();
	if (atomic_compare_exchange_strong(&l->holder, &free, 1))
		return true;
	upcalls_unmask();
	tried[explore_self()] = l;
	return false;
}

void lock_drop(struct lock *l)
{
	atomic_store_explicit(&l->holder, 0, memory_order_release);
	upcalls_unmask();
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
	t->voluntary_switches++;
	leave_blocked(v, t);
	while (!atomic_load(&queued[v->cpu])) {
		explore_wait(is_rung, (void *)(uintptr_t)v->cpu, "halts");
		ring_take(v);
		for (arrived = mailbox_take_tasks(&v->mailbox); arrived; arrived = t) {
			EXPLORE_CHECK(arrived == t);
			t = arrived->mailbox_next;
			task_accept(v, arrived);
		}
		t = task_of((unsigned)v->cpu);
	}
	atomic_store(&queued[v->cpu], false);
	EXPLORE_CHECK(!atomic_load(&t->on_cpu));
	task_move(t, PLACE_QUEUED, PLACE_RUNNING);
	task_set_state(t, TASK_RUNNING);
	atomic_store(&t->on_cpu, true);
	v->current = t;
}

void run_queue_add(struct vcore *v, struct task *t, enum sched_why why)
{
	EXPLORE_CHECK(task_state(t) == TASK_RUNNABLE && v == this_vcore());
	EXPLORE_CHECK(!atomic_exchange(&queued[v->cpu], true));
}

bool sched_allowed(const struct task *t, int cpu)
{
	return true;
}

unsigned place_choose(struct vcore *v, struct task *t, enum sched_why why)
{
	/* It is ours to give to any CPU, which may run it at once: its stack must have been left. */
	EXPLORE_CHECK(!atomic_load(&t->on_cpu));
	return (unsigned)atomic_load(&t->home);
}

void place_offer(struct vcore *v, const struct task *t)
{
}

bool donation_promise(struct vcore *v)
{
	return false; /* it goes the long way */
}

void donation_deliver(struct vcore *v, struct task *t)
{
	task_send(v, t, place_choose(v, t, SCHED_DONATED)); /* nothing is left of the slice */
}

void donation_signalled(struct vcore *v, struct task *t)
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

/* ---------------------------------------------------------------- for the case */

static void cpus_setup(void)
{
	static const char *const names[CPUS][2] = {
		{ "task 0", "stack 0" },
		{ "task 1", "stack 1" },
		{ "task 2", "stack 2" },
	};

	memset(queued, 0, sizeof(queued));
	memset(tried, 0, sizeof(tried));
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		struct task *t = task_of(cpu);

		memset(t, 0, sizeof(*t));
		t->self.id = cpu + 1;
		t->state = TASK_RUNNING;
		t->where = PLACE_RUNNING;
		t->home = (int16_t)cpu;
		t->on_cpu = true;
		vcore_setup(cpu);
		vcore_of(cpu)->current = t;
		explore_stack(cpu, slots[cpu], TASK_OFFSET);
		explore_name(t, sizeof(*t), names[cpu][0]);
		/* A waiter is on its sleeper's stack. */
		explore_name(slots[cpu] + TASK_OFFSET - SHARED_STACK, SHARED_STACK, names[cpu][1]);
	}
	explore_name(queued, sizeof(queued), "queued");
	explore_name(tried, sizeof(tried), "tried");
}

/* As a sender of signals does; only a store, so that the fence behind it is what orders it. */
static inline void signal_task(unsigned cpu)
{
	atomic_store_explicit(&task_of(cpu)->work, WORK_SIGNAL, memory_order_release);
	wake_task_signal(task_of(cpu));
}

/* Nothing is under way, and nobody waits to run. */
static void cpus_check(void)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		EXPLORE_CHECK(!queued[cpu] && !vcore_of(cpu)->mailbox.tasks && !vcore_of(cpu)->deferred);
}

#endif
