/* SPDX-License-Identifier: MIT */
/* What the explorer must find, and what it must not: the well-known small programs. */
#include <stdatomic.h>
#include <string.h>
#include "explore.h"

static struct {
	_Atomic int x, y;
	_Atomic int asleep;
	int data, seen[2];
	int *_Atomic pointer;
} m;

static void setup(void)
{
	memset(&m, 0, sizeof(m));
	explore_name(&m.x, sizeof(m.x), "x");
	explore_name(&m.y, sizeof(m.y), "y");
	explore_name(&m.data, sizeof(m.data), "data");
	explore_name(&m.asleep, sizeof(m.asleep), "asleep");
	explore_name(m.seen, sizeof(m.seen), "seen");
	explore_name(&m.pointer, sizeof(m.pointer), "pointer");
}

static void nothing(void)
{
}

/* ---------------------------------------------------------------- store, then load */

static void store_load(unsigned number, memory_order order)
{
	_Atomic int *mine = number ? &m.y : &m.x, *other = number ? &m.x : &m.y;

	atomic_store_explicit(mine, 1, order);
	m.seen[number] = atomic_load_explicit(other, memory_order_acquire);
}

static void store_load_weak(unsigned number)
{
	store_load(number, memory_order_release);
}

static void store_load_strong(unsigned number)
{
	store_load(number, memory_order_seq_cst);
}

static void one_has_seen_the_other(void)
{
	EXPLORE_CHECK(m.seen[0] || m.seen[1]);
}

/* ---------------------------------------------------------------- data, then a flag */

static bool flag_is_up(void *unused)
{
	(void)unused;
	return m.x != 0;
}

static void pass_message(unsigned number, memory_order order)
{
	if (number == 0) {
		m.data = 42;
		atomic_store_explicit(&m.x, 1, order);
		return;
	}
	explore_wait(flag_is_up, NULL, "waits for the flag");
	if (atomic_load_explicit(&m.x, memory_order_acquire))
		EXPLORE_CHECK(m.data == 42);
}

static void pass_message_released(unsigned number)
{
	pass_message(number, memory_order_release);
}

static void pass_message_relaxed(unsigned number)
{
	pass_message(number, memory_order_relaxed);
}

/* ---------------------------------------------------------------- a store, seen by who waits then */

/* It is seen before it is visible, and becomes visible while its thread is about to wait. */
static void store_look_and_wait(unsigned number)
{
	volatile int *data = &m.data;

	if (number == 0) {
		*data = 1;
		if (*data)
			explore_wait(flag_is_up, NULL, "waits for the flag");
		EXPLORE_CHECK(*data == 1);
	} else {
		atomic_store(&m.x, 1);
	}
}

/* ---------------------------------------------------------------- look, then sleep */

static bool is_woken(void *unused)
{
	(void)unused;
	return m.y != 0;
}

/* The waker looks for a sleeper before it raises the flag: then nobody rings. */
static void look_and_sleep(unsigned number, bool right)
{
	if (number == 0) {
		atomic_store(&m.asleep, 1);
		if (!atomic_load(&m.x))
			explore_wait(is_woken, NULL, "sleeps");
		return;
	}
	if (right)
		atomic_store(&m.x, 1);
	if (atomic_load(&m.asleep))
		atomic_store(&m.y, 1);
	if (!right)
		atomic_store(&m.x, 1);
}

static void sleep_well(unsigned number)
{
	look_and_sleep(number, true);
}

static void sleep_for_ever(unsigned number)
{
	look_and_sleep(number, false);
}

/* ---------------------------------------------------------------- two add */

static void add_in_two_steps(unsigned number)
{
	(void)number;
	atomic_store(&m.x, atomic_load(&m.x) + 1);
}

static void add_in_one_step(unsigned number)
{
	(void)number;
	atomic_fetch_add(&m.x, 1);
}

/* ---------------------------------------------------------------- a pointer that is not there yet */

static void follow_a_pointer(unsigned number)
{
	if (number == 0)
		atomic_store(&m.pointer, &m.data);
	else
		m.seen[0] = *atomic_load(&m.pointer);
}

static void both_were_added(void)
{
	EXPLORE_CHECK(m.x == 2);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_load_passes_a_store", 2, 2, 2, setup, store_load_weak, one_has_seen_the_other,
		  "m.seen" },
		{ "no_load_passes_a_locked_store", 2, 3, 2, setup, store_load_strong,
		  one_has_seen_the_other, NULL },
		{ "a_message_without_release_is_a_race", 2, 2, 2, setup, pass_message_relaxed,
		  nothing, "race" },
		{ "a_released_message_is_none", 2, 3, 2, setup, pass_message_released, nothing,
		  NULL },
		{ "a_store_stays_while_its_thread_waits", 2, 3, 2, setup, store_look_and_wait,
		  nothing, NULL },
		{ "a_lost_wake_is_found", 2, 2, 2, setup, sleep_for_ever, nothing, "sleeps" },
		{ "a_wake_is_not_lost", 2, 3, 2, setup, sleep_well, nothing, NULL },
		{ "a_lost_update_is_found", 2, 1, 0, setup, add_in_two_steps, both_were_added,
		  "m.x" },
		{ "no_update_is_lost", 2, 3, 2, setup, add_in_one_step, both_were_added, NULL },
		{ "a_fault_is_found", 2, 1, 0, setup, follow_a_pointer, nothing,
		  "thread 1 ends by a fault" },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
