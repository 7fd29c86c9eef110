/* SPDX-License-Identifier: MIT */
/* (included below) libos/core/lock_wait.c: a lock has one holder at a time, who finds what the last one did,
 * and no CPU waits for it for ever, whoever has asked to go first
 *
 * Each CPU takes it, and CPU 0 once more as soon as it has dropped it.
 */
#include <string.h>
#include "core/lock.h"
#include "explore.h"

#define CPUS EXPLORE_THREADS_MAX

static void look_again(void);
#undef LOCK_LOOKS
#define LOCK_LOOKS 1u
#define __builtin_ia32_pause() look_again()
#include "../../libos/core/lock_wait.c"
#undef __builtin_ia32_pause

static struct lock lock = LOCK_INIT("case", RANK_LEAF);
static unsigned inside, times; /* under lock */
static struct {
	uint16_t word; /* that it saw last */
	unsigned looks;
} cpus[CPUS]; /* each CPU's own */

static bool has_changed(void *word)
{
	return lock.word != *(uint16_t *)word;
}

/*
 * A CPU that looks again and again sees what is there for as long as nobody else goes on: from when
 * somebody is named, one that finds the lock held looks next when something has changed.
 */
static void look_again(void)
{
	uint16_t *word = &cpus[explore_self()].word;

	cpus[explore_self()].looks++;
	*word = atomic_load_explicit(&lock.word, memory_order_relaxed);
	if ((*word & 0xff) && *word >> 8)
		explore_wait(has_changed, word, "looks at the lock");
}

/* As lock_take and lock_drop in core/masking.asm do, masked. */
static void take(uint16_t me)
{
	uint16_t word = 0;

	if (!atomic_compare_exchange_strong(&lock.word, &word, me))
		lock_wait(&lock, me);
}

static void drop(void)
{
	atomic_store_explicit(&lock.holder, 0, memory_order_release);
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	lock.word = 0;
	inside = times = 0;
	memset(cpus, 0, sizeof(cpus));
	explore_name(&lock.word, sizeof(lock.word), "lock");
	explore_name(&inside, sizeof(inside), "inside");
	explore_name(&times, sizeof(times), "times");
}

static void setup_for(uint16_t first)
{
	setup();
	lock.word = (uint16_t)(first << 8);
}

static void setup_for_cpu_0(void)
{
	setup_for(1);
}

static void setup_for_one_that_does_not_come(void)
{
	setup_for(CPUS + 1);
}

static void take_and_drop(unsigned cpu)
{
	take((uint16_t)(cpu + 1));
	EXPLORE_CHECK(inside == 0);
	inside = cpu + 1;
	times++;
	EXPLORE_CHECK(inside == cpu + 1);
	inside = 0;
	drop();
}

static void take_turns(unsigned cpu)
{
	take_and_drop(cpu);
	if (cpu == 0)
		take_and_drop(cpu);
}

static void one_is_at_once(unsigned cpu)
{
	take_and_drop(cpu);
	EXPLORE_CHECK(cpus[cpu].looks == 0);
}

static void one_is_patient(unsigned cpu)
{
	take_and_drop(cpu);
	EXPLORE_CHECK(cpus[cpu].looks == LOCK_LOOKS);
}

static void is_free(void)
{
	EXPLORE_CHECK(lock.word == 0);
}

static void two_took_it(void)
{
	EXPLORE_CHECK(lock.holder == 0 && times == 3);
}

static void three_took_it(void)
{
	EXPLORE_CHECK(lock.holder == 0 && times == 4);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "two_take_turns", 2, 4, 2, setup, take_turns, two_took_it, NULL },
		{ "whose_turn_it_is_takes_it_at_once", 1, 2, 2, setup_for_cpu_0, one_is_at_once,
		  is_free, NULL },
		{ "others_are_patient_for_a_while", 1, 2, 2, setup_for_one_that_does_not_come,
		  one_is_patient, is_free, NULL },
		{ "three_take_turns", 3, 3, 1, setup, take_turns, three_took_it, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
