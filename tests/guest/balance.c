/* SPDX-License-Identifier: MIT */
/*
 * Three that compute on two CPUs: none of the two ever has nothing to do, and yet nobody has one for himself
 * for ever (libos/sched/balance.c).  Whoever shared a CPU with the same one for ever would see no other CPU.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include "test.h"

#define HOGS 3
/* The first are for finding a CPU. */
#define FIRST_ROUNDS 100
/* How often one that shares a CPU is made to stop, until all is over.  CPUs are evened out some 12 of its
 * slices after the last time, and three times are enough. */
#define MANY_SLICES 300

static struct hog {
	pthread_t thread;
	unsigned allowed;     /* CPUs, a bit each */
	_Atomic unsigned seen; /* likewise, after the first rounds */
	_Atomic long rounds;
	long slices_max;
} hogs[HOGS];

static _Atomic bool go, over;

static void allow(unsigned cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < 32; cpu++)
		if (cpus >> cpu & 1)
			CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static bool all_have_seen(unsigned cpus)
{
	for (int i = 0; i < HOGS; i++)
		if (hogs[i].seen != cpus)
			return false;
	return true;
}

static bool all_have_begun(void)
{
	for (int i = 0; i < HOGS; i++)
		if (hogs[i].rounds < FIRST_ROUNDS)
			return false;
	return true;
}

/* That have ended, of the calling thread. */
static long slices(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : MANY_SLICES;
}

static void *compute(void *argument)
{
	struct hog *h = argument;
	long first;

	allow(h->allowed);
	while (!go)
		sched_yield();
	first = slices(); /* each yield to another counts as one, too */
	while (!over && slices() - first < h->slices_max) {
		for (volatile int i = 0; i < 10000; i++)
			;
		h->rounds++;
		if (!all_have_begun()) {
			first = slices();
			continue;
		}
		h->seen |= 1u << sched_getcpu();
		if (all_have_seen(3))
			over = true;
	}
	over = true;
	return NULL;
}

static void run_hogs(unsigned allowed_to_two, long slices_max)
{
	go = over = false;
	for (int i = 0; i < HOGS; i++) {
		hogs[i].allowed = i < 2 ? allowed_to_two : 3;
		hogs[i].seen = 0;
		hogs[i].slices_max = slices_max;
		hogs[i].rounds = 0;
		CHECK_EQ(pthread_create(&hogs[i].thread, NULL, compute, &hogs[i]), 0);
	}
	go = true;
	for (int i = 0; i < HOGS; i++)
		pthread_join(hogs[i].thread, NULL);
}

static void three_on_two_cpus_take_turns_at_being_alone(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	run_hogs(3, MANY_SLICES);
	for (int i = 0; i < HOGS; i++) {
		printf("# hog %d: %ld rounds, CPUs 0x%x\n", i, (long)hogs[i].rounds, hogs[i].seen);
		CHECK_EQ(hogs[i].seen, 3);
	}
}

/* Two may not leave the first CPU: nothing is to be evened out, and nobody is where he may not be. */
static void who_may_run_on_one_cpu_stays_there(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	run_hogs(1, MANY_SLICES / 3);
	CHECK_EQ(hogs[0].seen, 1);
	CHECK_EQ(hogs[1].seen, 1);
}

int main(void)
{
	RUN(three_on_two_cpus_take_turns_at_being_alone);
	RUN(who_may_run_on_one_cpu_stays_there);
	return test_result();
}
