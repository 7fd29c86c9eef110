/* SPDX-License-Identifier: MIT */
/* libos/core/notice.c: a task that goes on with its program knows of all that there is to do
 *
 * CPU 0, or CPU 0 and then CPU 1, runs the task; the others give it work.
 */
#include <string.h>
#include "core/memory.h"
#include "explore.h"
#include "libos_awake.h"
#include "libos_vcores.h"

static struct task task;
static _Atomic unsigned given; /* pieces of work, not yet looked at */
static unsigned found;         /* of whoever runs the task */
static _Atomic bool left;      /* CPU 0 has left the task to CPU 1 */

/* ---------------------------------------------------------------- what the code under test calls */

void wakes_deliver(struct vcore *v)
{
	explore_fail("nobody is woken here");
}

void vcore_ring(unsigned cpu)
{
	vcore_ring_if(cpu, true);
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		vcore_setup(cpu);
	memset(&task, 0, sizeof(task));
	given = found = 0;
	left = false;
	explore_name(&task.work, sizeof(task.work), "work");
	explore_name(&task.on_cpu, sizeof(task.on_cpu), "on_cpu");
	explore_name(&task.home, sizeof(task.home), "home");
	explore_name(&given, sizeof(given), "given");
	explore_name(&found, sizeof(found), "found");
	explore_name(&left, sizeof(left), "left");
}

static void give(void)
{
	atomic_fetch_add(&given, 1);
	upcalls_mask();
	task_notice_masked(&task, WORK_SIGNAL);
	upcalls_unmask();
}

/* On the way to the program, or of an event that has interrupted it. */
static void look(void)
{
	while (atomic_load(&task.work) != 0) {
		atomic_fetch_and_explicit(&task.work, ~(uint32_t)WORK_SIGNAL, memory_order_relaxed);
		found += atomic_exchange(&given, 0);
	}
}

/* As switch_run() and what follows it until the program goes on. */
static void enter(unsigned cpu)
{
	vcore_of(cpu)->current = &task;
	atomic_store(&task.on_cpu, true);
	look();
}

static void leave(unsigned cpu)
{
	vcore_of(cpu)->current = NULL;
	atomic_store_explicit(&task.on_cpu, false, memory_order_release);
}

static void program_runs_until_found(unsigned cpu, unsigned pieces)
{
	while (found < pieces) {
		explore_wait(is_rung, (void *)(uintptr_t)cpu, "is in the program");
		ring_take(vcore_of(cpu));
		look();
	}
}

static bool is_left(void *unused)
{
	return atomic_load(&left);
}

static void one_sender(unsigned cpu)
{
	if (cpu == 0) {
		enter(cpu);
		program_runs_until_found(cpu, 1);
	} else {
		give();
	}
}

static void two_senders(unsigned cpu)
{
	if (cpu == 0) {
		enter(cpu);
		program_runs_until_found(cpu, 2);
	} else {
		give();
	}
}

/* It is interrupted, and goes on where it is then queued: the first bell may ring where it was. */
static void a_task_that_moves(unsigned cpu)
{
	if (cpu == 0) {
		enter(cpu);
		leave(cpu);
		atomic_store(&left, true);
	} else if (cpu == 1) {
		while (!atomic_load(&left))
			explore_wait(is_left, NULL, "waits for the task");
		atomic_store(&task.home, (int16_t)cpu);
		enter(cpu);
		program_runs_until_found(cpu, 2);
	} else {
		give();
		give();
	}
}

static void all_is_found(void)
{
	EXPLORE_CHECK(given == 0);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "what_one_gives_is_found", 2, 4, 2, setup, one_sender, all_is_found, NULL },
		{ "what_two_give_is_found", 3, 3, 2, setup, two_senders, all_is_found, NULL },
		{ "what_a_task_that_moves_is_given_is_found", 3, 3, 2, setup, a_task_that_moves,
		  all_is_found, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
