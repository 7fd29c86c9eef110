/* SPDX-License-Identifier: MIT */
/* libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c: no wake is lost
 *
 * CPU 0 runs a task that sleeps; the others wake it.
 */
#include "abi/errno.h"
#include "libos_cpus.h"

static struct lock lock = LOCK_INIT("case", RANK_PIPE);
static struct wait_queue queue;
static unsigned condition; /* under lock */

static void setup(void)
{
	cpus_setup();
	lock.holder = 0;
	wait_queue_init(&queue);
	condition = 0;
	explore_name(&lock, sizeof(lock), "lock");
	explore_name(&queue, sizeof(queue), "queue");
	explore_name(&condition, sizeof(condition), "condition");
}

static void nothing_is_left(void)
{
	cpus_check();
	EXPLORE_CHECK(list_empty(&queue.waiters));
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
		signal_task(0);
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
		signal_task(0);
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
