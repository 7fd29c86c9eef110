/* SPDX-License-Identifier: MIT */
/*
 * Broken schedulers on a CPU where no event comes by itself: all other CPUs compute, each with one
 * task, so that none of them asks this one for work; nobody sleeps, and nobody is woken.  What
 * notices the scheduler is the timer that the core sets for this alone.
 *
 * Without it one of the libos's own timers would, seconds later.  NOTICED_MS says what is too late:
 * where time is instructions (tests/script/watched_callbacks.py), and a busy host changes nothing.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/resource.h>
#include "safety_net.h"

#define CPUS_MAX 64

static const struct broken_case loops = {
	.rule = BREAK_LOOP, .callback = IN_SETPARAM, .reported = "s setparam() ran too long, at 0x",
};
static const struct broken_case hogs = {
	.rule = BREAK_HOG,
	.callback = IN_NONE,
	.reported = " it did not run task ",
};

static atomic_bool noticed;
static atomic_uint started, gave_up;
static double patience_ends;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		abort();
	/* One that is not up yet gathers us when it comes. */
	while (sched_getcpu() != cpu)
		if (clock_s() > patience_ends)
			abort();
}

/* Computes on its CPU until the scheduler has been found out, or that takes too long. */
static void *compute_unnoticed(void *cpu)
{
	pin((int)(long)cpu);
	started++;
	while (!noticed)
		if (clock_s() > patience_ends) {
			gave_up++;
			break;
		}
	return NULL;
}

static void wait_busily(double seconds)
{
	double end = clock_s() + seconds;

	while (clock_s() < end)
		;
}

/* The library is called without any event, for the running task itself. */
static void change_niceness(void)
{
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1);
}

static void yield(void)
{
	sched_yield();
}

static void check_in_time(double seconds)
{
	const char *limit_ms = getenv("NOTICED_MS");

	if (limit_ms)
		CHECK(seconds * 1000 < atof(limit_ms));
}

/* The library is in force for a while and keeps to the rules; then this task acts. */
static void break_it_quietly(const struct broken_case *how, int cpus, int computing, void (*act)(void))
{
	double start = clock_s(), acted;
	pthread_t threads[CPUS_MAX];

	broken = how;
	noticed = false;
	started = gave_up = 0;
	patience_ends = start + PATIENCE_S;
	pin(cpus - 1);
	CHECK_EQ(tell("sched-load", "/tests/broken.so"), 0);
	CHECK_EQ(tune("rule", BREAK_NOTHING), 0);
	CHECK_EQ(tune("callback", how->callback), 0);
	CHECK_EQ(tune("after", 0), 0);
	CHECK_EQ(tell("sched", "broken"), 0);
	for (long i = 0; i < computing; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, compute_unnoticed, (void *)i), 0);
	while ((int)started < computing)
		sched_yield();
	wait_busily(0.3);
	CHECK(is_in_force("broken"));
	CHECK_EQ(tune("rule", how->rule), 0);
	acted = clock_s();
	act();
	check_in_time(clock_s() - acted);
	noticed = true;
	for (int i = 0; i < computing; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(gave_up, 0);
	CHECK(is_in_force("fifo"));
	check_report(start);
	CHECK_EQ(tell("sched-unload", "broken"), 0);
}

static int cpu_count(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void a_loop_is_noticed_where_nothing_else_happens(void)
{
	break_it_quietly(&loops, cpu_count(), cpu_count() - 1, change_niceness);
}

/* One task more, on this CPU: it gets a slice of an hour. */
static void a_hog_is_noticed_where_nothing_else_happens(void)
{
	break_it_quietly(&hogs, cpu_count(), cpu_count(), yield);
}

int main(void)
{
	char before[NAME_ROOM];

	current_scheduler(before);
	RUN(a_loop_is_noticed_where_nothing_else_happens);
	RUN(a_hog_is_noticed_where_nothing_else_happens);
	if (tell("sched", before) < 0)
		return 1;
	return test_result();
}
