/* SPDX-License-Identifier: MIT */
/*
 * A scheduler that is abandoned in the middle of sched_resched(), wherever that is
 * (tests/schedulers/rings.c): the other CPU, which idles, still hears of what comes next, so that a swap
 * comes to its end.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <time.h>
#include "scheduler_files.h"
#include "test.h"

#define PATIENCE_S 2 /* less than time/load_average.c's timer, which may ring the other CPU */
/* Then the other CPU looks for no mail, and has no timer for its last callback (guard.c). */
#define IDLE_S 0.15
#define ROOM_STEP 8
#define ROOM_MAX 1024 /* for the whole call */

static atomic_bool swapped;

static double clock_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void *swap_to_fifo(void *unused)
{
	tell("sched", "fifo");
	swapped = true;
	return NULL;
}

/* In time?  A task that is sent to the other CPU rings it, if nothing else does. */
static bool swap_ends_in_time(void)
{
	double start = clock_s();
	pthread_t thread;
	bool in_time;

	swapped = false;
	if (pthread_create(&thread, NULL, swap_to_fifo, NULL) != 0)
		return false;
	while (!swapped && clock_s() < start + PATIENCE_S)
		sched_yield();
	in_time = swapped;
	pin(1);
	pthread_join(thread, NULL);
	pin(0);
	return in_time;
}

/* True: it was abandoned. */
static bool call_with_room(unsigned room)
{
	char line[64], now[NAME_ROOM];
	double start;

	CHECK_EQ(tell("sched", "rings"), 0);
	snprintf(line, sizeof(line), "rings room %u", room);
	for (start = clock_s(); clock_s() < start + IDLE_S;)
		;
	CHECK_EQ(tell("sched-param", line), 0);
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) ? 0 : 1);
	sched_yield();
	CHECK_EQ(tell("sched-param", "rings room 0"), 0);
	return strcmp(current_scheduler(now), "fifo") == 0;
}

/* A ring that is lost is lost each time; a host that has no time for us is not. */
static bool swap_ends(unsigned room)
{
	for (int tries = 0; tries < 3; tries++)
		if (swap_ends_in_time() || (room && !call_with_room(room)))
			return true;
	return false;
}

static void who_is_asked_and_not_rung_hears_of_the_next_swap(void)
{
	unsigned room = ROOM_STEP;

	pin(0);
	CHECK_EQ(tell("sched-load", "/tests/rings.so"), 0);
	for (; room < ROOM_MAX && call_with_room(room); room += ROOM_STEP)
		if (!swap_ends(room)) {
			printf("# with room for %u bytes\n", room);
			CHECK(!"the swap did not come to its end");
		}
	CHECK(room > ROOM_STEP && room < ROOM_MAX);
	CHECK(swap_ends(0));
	CHECK_EQ(tell("sched-unload", "rings"), 0);
}

int main(void)
{
	char before[NAME_ROOM];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("ok who_is_asked_and_not_rung_hears_of_the_next_swap # skip needs 2 CPUs\n");
		return 0;
	}
	current_scheduler(before);
	RUN(who_is_asked_and_not_rung_hears_of_the_next_swap);
	if (tell("sched", before) < 0)
		return 1;
	return test_result();
}
