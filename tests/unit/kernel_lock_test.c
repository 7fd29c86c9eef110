/* SPDX-License-Identifier: MIT */
/* exo/lock.c, included: the kernel's lock lets one in at a time, and a debug build stops on the wrong order
 * and on interrupts that are on (I11).
 *
 * Threads take the place of CPUs.  A failed assertion ends the attempt, and leaves its text. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <string.h>
#include "check.h"
#define this_cpu this_cpu_of_the_machine
#define interrupts_enabled interrupts_enabled_of_the_machine
#define cpu_pause cpu_pause_of_the_machine
#include "kernel.h"
#undef this_cpu
#undef interrupts_enabled
#undef cpu_pause

enum { CPUS = 3, TURNS = 3000 };

static struct cpu blocks[CPUS];
static _Thread_local unsigned self;
static _Thread_local bool interrupts_on;
static jmp_buf on_failure;
static const char *failure;
static struct lock space, other_space, ioapic, console;
static unsigned inside, turns; /* under `console` */

static struct cpu *this_cpu(void)
{
	return &blocks[self];
}

static bool interrupts_enabled(void)
{
	return interrupts_on;
}

static void cpu_pause(void)
{
	sched_yield();
}

#include "../../exo/lock.c"

void invariant_failed(const char *condition, const char *file, unsigned line)
{
	failure = condition;
	longjmp(on_failure, 1);
}

static void start(void)
{
	memset(blocks, 0, sizeof(blocks));
	for (unsigned i = 0; i < CPUS; i++)
		blocks[i].number = i;
	space = (struct lock){ .rank = LOCK_SPACE };
	other_space = space;
	ioapic = (struct lock){ .rank = LOCK_IOAPIC };
	console = (struct lock){ .rank = LOCK_CONSOLE };
	failure = "";
	interrupts_on = false;
}

/* -> the assertion that failed, "" if none did */
static const char *take_both(struct lock *first, struct lock *second)
{
	start();
	if (!setjmp(on_failure)) {
		lock_acquire(first);
		lock_acquire(second);
		lock_release(second);
		lock_release(first);
	}
	return failure;
}

static void ranks_rise(void)
{
	CHECK(!*take_both(&space, &ioapic));
	CHECK(!*take_both(&ioapic, &console));
	CHECK(strstr(take_both(&ioapic, &space), "rank_allowed"));
	CHECK(strstr(take_both(&console, &ioapic), "rank_allowed"));
	CHECK(strstr(take_both(&space, &other_space), "rank_allowed"));
}

static void two_of_a_rank_are_taken_as_a_pair(void)
{
	start();
	if (!setjmp(on_failure)) {
		lock_acquire_pair(&other_space, &space);
		lock_acquire(&ioapic);
		lock_release(&ioapic);
		lock_release_pair(&space, &other_space);
		lock_acquire_pair(&space, &space);
		lock_release_pair(&space, &space);
	}
	CHECK(!*failure);
	CHECK_EQ(blocks[0].locks_held[LOCK_SPACE], 0);
}

static void interrupts_are_off(void)
{
	start();
	interrupts_on = true;
	if (!setjmp(on_failure))
		lock_acquire(&space);
	CHECK(strstr(failure, "interrupts_enabled"));
}

static void who_does_not_hold_a_lock_cannot_release_it(void)
{
	start();
	if (!setjmp(on_failure))
		lock_release(&space);
	CHECK(strstr(failure, "lock_held"));
}

static void *take_turns(void *cpu)
{
	self = (unsigned)(uintptr_t)cpu;
	for (unsigned i = 0; i < TURNS; i++) {
		lock_acquire(&console);
		CHECK_EQ(inside++, 0);
		turns++;
		sched_yield();
		inside--;
		lock_release(&console);
	}
	return NULL;
}

static void one_cpu_at_a_time_is_inside(void)
{
	pthread_t threads[CPUS];

	start();
	for (uintptr_t i = 0; i < CPUS; i++)
		pthread_create(&threads[i], NULL, take_turns, (void *)i);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(turns, CPUS * TURNS);
}

int main(void)
{
	RUN(ranks_rise);
	RUN(two_of_a_rank_are_taken_as_a_pair);
	RUN(interrupts_are_off);
	RUN(who_does_not_hold_a_lock_cannot_release_it);
	RUN(one_cpu_at_a_time_is_inside);
	return check_result();
}
