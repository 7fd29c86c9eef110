/* SPDX-License-Identifier: MIT */
/* libos/core/mutex.c, libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c: a
 * mutex has one owner at a time, and nobody sleeps on while it is free
 */
#include "core/mutex.h"
#include "libos_cpus.h"

static struct mutex mutex;
static unsigned count; /* under mutex */
static _Atomic unsigned looked_in_vain;

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	l->holder = 0;
}

static void setup(void)
{
	cpus_setup();
	mutex_init(&mutex, "case", MUTEX_VM);
	count = looked_in_vain = 0;
	explore_name(&mutex.owner, sizeof(mutex.owner), "owner");
	explore_name(&mutex.lock, sizeof(mutex.lock), "lock");
	explore_name(&mutex.queue, sizeof(mutex.queue), "queue");
	explore_name(&count, sizeof(count), "count");
}

static void once(unsigned cpu)
{
	mutex_lock(&mutex);
	count++;
	mutex_unlock(&mutex);
}

static void twice(unsigned cpu)
{
	once(cpu);
	once(cpu);
}

/* One owner leaves two who wait, or meets them on their way. */
static void twice_for_the_first(unsigned cpu)
{
	once(cpu);
	if (cpu == 0)
		once(cpu);
}

/* A sender of signals that is late wakes whoever sleeps now. */
static void with_a_stray_wake(unsigned cpu)
{
	if (cpu < 2) {
		once(cpu);
	} else {
		upcalls_mask();
		wake_later(task_of(0), DONATION_NONE);
		upcalls_unmask();
	}
}

/* One looks without waiting: masked, and gives it back masked, or goes on unmasked. */
static void with_a_look(unsigned cpu)
{
	if (cpu > 0) {
		once(cpu);
		return;
	}
	upcalls_mask();
	if (mutex_try_masked(&mutex)) {
		count++;
		mutex_unlock_masked(&mutex);
	} else {
		atomic_fetch_add(&looked_in_vain, 1);
	}
	upcalls_unmask();
}

static void with_a_look_that_goes_on(unsigned cpu)
{
	bool taken;

	if (cpu > 0) {
		once(cpu);
		return;
	}
	upcalls_mask();
	taken = mutex_try_masked(&mutex);
	upcalls_unmask();
	if (!taken) {
		atomic_fetch_add(&looked_in_vain, 1);
		return;
	}
	count++;
	mutex_unlock(&mutex);
}

static void free_in_the_end(unsigned times)
{
	cpus_check();
	EXPLORE_CHECK(count + looked_in_vain == times);
	EXPLORE_CHECK(!mutex.owner && !mutex.lock.holder && list_empty(&mutex.queue.waiters));
}

static void two_times(void)
{
	free_in_the_end(2);
}

static void three_times(void)
{
	free_in_the_end(3);
}

static void four_times(void)
{
	free_in_the_end(4);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_mutex_has_one_owner", 2, 2, 2, setup, once, two_times, NULL },
		{ "a_mutex_is_taken_again", 2, 2, 1, setup, twice, four_times, NULL },
		{ "all_who_wait_get_the_mutex", 3, 2, 0, setup, once, three_times, NULL },
		{ "a_stray_wake_takes_no_mutex", 3, 2, 0, setup, with_a_stray_wake, two_times, NULL },
		{ "a_mutex_that_was_snatched_wakes_all", 3, 2, 0, setup, twice_for_the_first, four_times,
		  NULL },
		{ "who_looks_masked_has_it_alone", 2, 2, 2, setup, with_a_look, two_times, NULL },
		{ "who_looks_masked_wakes_all", 3, 2, 0, setup, with_a_look, three_times, NULL },
		{ "who_looks_masked_goes_on", 2, 2, 2, setup, with_a_look_that_goes_on, two_times, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
