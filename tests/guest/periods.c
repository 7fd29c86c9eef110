/* SPDX-License-Identifier: MIT */
/* sched_yield() of a SCHED_DEADLINE task: the work of this period is done, and the next one is waited for. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sched_attr.h"
#include "test.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#define RESET_ON_FORK 1u
#define MS 1000000ull

/* What a child does, and what it was seen to do. */
static struct shared {
	atomic_int periods, signals;
	atomic_bool is_set, others_ran;
} * shared;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int be_periodic(uint64_t runtime, uint64_t period)
{
	struct sched_attr a = { .size = sizeof(a),
				.sched_policy = SCHED_DEADLINE,
				.sched_flags = RESET_ON_FORK,
				.sched_runtime = runtime,
				.sched_deadline = period,
				.sched_period = period };

	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

static void be_ordinary(void)
{
	struct sched_attr a = { .size = sizeof(a) };

	CHECK_EQ(syscall(SYS_sched_setattr, 0, &a, 0), 0);
}

static pid_t child(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	return pid;
}

static void wait_for(pid_t pid, int wanted)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, wanted);
}

/* The first yield ends the period that began with the policy; each other one takes a whole period. */
static void each_yield_takes_a_period(void)
{
	uint64_t before;

	CHECK_EQ(be_periodic(2 * MS, 20 * MS), 0);
	CHECK_EQ(sched_yield(), 0);
	before = now_ns();
	for (int i = 0; i < 5; i++)
		CHECK_EQ(sched_yield(), 0);
	/* Who came late has less to wait for: the first began, and the last ends, in another period. */
	CHECK(now_ns() - before >= 4 * 20 * MS);
	be_ordinary();
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(sched_yield(), 0);
}

static void yield_in_periods(void)
{
	CHECK_EQ(be_periodic(5 * MS, 10 * MS), 0);
	while (!shared->others_ran) {
		sched_yield();
		shared->periods++;
	}
}

/* Also on a CPU where nobody comes before who has a deadline. */
static void others_run_until_the_next_period(void)
{
	pid_t periodic, other;

	periodic = child(yield_in_periods);
	while (shared->periods < 3)
		sched_yield();
	other = fork();
	if (other == 0) {
		shared->others_ran = true;
		_exit(0);
	}
	wait_for(other, 0);
	wait_for(periodic, 0);
}

static void count_signal(int unused)
{
	(void)unused;
	shared->signals++;
}

static void yield_once(void)
{
	signal(SIGUSR1, count_signal);
	CHECK_EQ(be_periodic(1 * MS, 100 * MS), 0);
	sched_yield(); /* a period begins about now */
	shared->is_set = true;
	while (sched_yield() == 0 && shared->signals == 0)
		shared->periods++;
}

static void a_handler_runs_in_the_next_period(void)
{
	pid_t pid = child(yield_once);

	while (!shared->is_set)
		sched_yield();
	kill(pid, SIGUSR1);
	wait_for(pid, 0);
	CHECK_EQ(shared->signals, 1);
}

static void yield_for_long(void)
{
	CHECK_EQ(be_periodic(1 * MS, 4194 * MS), 0);
	shared->is_set = true;
	for (;;)
		sched_yield();
}

/* Linux has it end in the next period, too: so not there. */
static void who_waits_for_a_period_can_be_killed(void)
{
	pid_t pid;

	if (access("/proc/exo", F_OK) != 0)
		return;
	pid = child(yield_for_long);
	while (!shared->is_set)
		sched_yield();
	kill(pid, SIGKILL);
	wait_for(pid, SIGKILL);
}

static void begin(void)
{
	*shared = (struct shared){ 0 };
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	begin();
	RUN(each_yield_takes_a_period);
	begin();
	RUN(others_run_until_the_next_period);
	begin();
	RUN(a_handler_runs_in_the_next_period);
	begin();
	RUN(who_waits_for_a_period_can_be_killed);
	return test_result();
}
