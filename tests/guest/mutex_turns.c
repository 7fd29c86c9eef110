/* SPDX-License-Identifier: MIT */
/*
 * Who wants a mutex of the libos now and then gets it, beside one who has it nearly all the time
 * (core/mutex.c): threads that make and join threads, on the CPU of one that maps, touches and unmaps memory
 * in the same process, until each of them has had so many turns.
 *
 *	mutex_turns            in the end each has had them
 *	mutex_turns counted    and the other one has not had four times as many by then
 *
 * How many turns a slice is good for depends on the host: it takes its CPU away from QEMU, more often, it
 * seems, where a machine has timers set and CPUs rung, as in a maker's turn, than where it computes; and by
 * the machine's clock a slice goes on meanwhile.  So turns are compared only where time is the number of
 * instructions (tests/script/mutex_turns.py).  There, with a mutex that goes to whoever comes first, and no
 * slices lent, a maker has from 10 to 100 turns in 1,000 of the other's; with both it has more turns than
 * that one.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include "test.h"

#define TURNS 5000
#define CHURNS_AT_MOST (TURNS * 4l)
#define MAKERS_MAX 3
#define BYTES 65536

static bool counted;

static int makers;
static _Atomic long made[MAKERS_MAX];
static _Atomic bool over; /* the churner has seen that all have had their turns */
static _Atomic long failures;
static long churns;

static void *do_nothing(void *unused)
{
	return NULL;
}

static bool all_have_had_their_turns(void)
{
	for (int i = 0; i < makers; i++)
		if (made[i] < TURNS)
			return false;
	return true;
}

static void *churn(void *unused)
{
	for (churns = 0; !all_have_had_their_turns() && !(counted && churns > CHURNS_AT_MOST);
	     churns++) {
		char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			failures++;
			break;
		}
		*p = 1;
		failures += munmap(p, BYTES) != 0;
	}
	over = true;
	return NULL;
}

static void *make_and_join(void *number)
{
	pthread_t thread;

	while (!over) {
		if (pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
			failures++;
		made[(long)number]++;
	}
	return NULL;
}

static void *compute(void *unused)
{
	while (!over)
		;
	return NULL;
}

/* Threads inherit it. */
static void use_one_cpu(bool one)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < (one ? 1 : CPU_SETSIZE); cpu++)
		CPU_SET(cpu, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Together with one that computes, or none. */
static void makers_have_turns(int n, bool beside_one_that_computes)
{
	pthread_t maker[MAKERS_MAX], churner, other;

	makers = n;
	over = false;
	failures = 0;
	use_one_cpu(true);
	for (long i = 0; i < makers; i++) {
		made[i] = 0;
		CHECK_EQ(pthread_create(&maker[i], NULL, make_and_join, (void *)i), 0);
	}
	if (beside_one_that_computes)
		CHECK_EQ(pthread_create(&other, NULL, compute, NULL), 0);
	CHECK_EQ(pthread_create(&churner, NULL, churn, NULL), 0);
	for (int i = 0; i < makers; i++)
		pthread_join(maker[i], NULL);
	if (beside_one_that_computes)
		pthread_join(other, NULL);
	pthread_join(churner, NULL);
	use_one_cpu(false);
	CHECK_EQ(failures, 0);
	for (int i = 0; i < makers; i++) {
		printf("# maker %d: %ld turns to %ld\n", i, (long)made[i], churns);
		CHECK(made[i] >= TURNS);
	}
}

static void a_maker_of_threads_has_turns_beside_a_mapper(void)
{
	makers_have_turns(1, false);
}

static void several_makers_of_threads_have_turns(void)
{
	makers_have_turns(MAKERS_MAX, false);
}

static void a_maker_has_turns_on_a_busy_cpu(void)
{
	makers_have_turns(1, true);
}

int main(int argc, char **argv)
{
	counted = argc > 1 && strcmp(argv[1], "counted") == 0;
	RUN(a_maker_of_threads_has_turns_beside_a_mapper);
	RUN(several_makers_of_threads_have_turns);
	RUN(a_maker_has_turns_on_a_busy_cpu);
	return test_result();
}
