/* SPDX-License-Identifier: MIT */
/*
 * exact_shares NICE... MS      spinning tasks: how far each of them came
 * exact_shares deadlines MS    periodic tasks of 95% of a CPU, and one that takes the rest: how many
 *                              jobs each of them had, and how many were late
 *
 * For a machine whose time is the number of instructions (exact_shares.py).
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../guest/sched_attr.h"

#define MS 1000000ll
#define TASKS_MAX 8
#define START_NS (50 * MS) /* from the start of this program on: all children are there by then */

/* Utilization 0.25 + 0.3 + 0.2 + 0.2 = 0.95: work/deadlines.work of the simulator. */
static const struct { long long runtime_ms, period_ms; } periodic[] = {
	{ 2, 8 }, { 3, 10 }, { 4, 20 }, { 10, 50 },
};
#define PERIODIC (int)(sizeof(periodic) / sizeof(periodic[0]))

static struct {
	unsigned long count[TASKS_MAX], late[TASKS_MAX];
} *shared;

static long long start_ns, end_ns;

static long long clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void sleep_until(long long ns)
{
	struct timespec t = { ns / (1000 * MS), ns % (1000 * MS) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

static void spin(int i)
{
	volatile unsigned long n = 0;

	while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
		for (int k = 0; k < 500; k++)
			n++;
		shared->count[i] = n;
	}
}

/* Each job uses all of its budget but for what going to sleep and waking up cost. */
static void work_periodically(int i)
{
	long long period_ns = periodic[i].period_ms * MS, work_ns = periodic[i].runtime_ms * MS;

	work_ns -= work_ns / 32;
	for (long long at = start_ns; at + period_ns <= end_ns; at += period_ns) {
		long long used_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

		while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - used_ns < work_ns)
			;
		shared->count[i]++;
		shared->late[i] += clock_ns(CLOCK_MONOTONIC) > at + period_ns;
		sleep_until(at + period_ns);
	}
}

static void start(int i, struct sched_attr attr, void (*body)(int i))
{
	pid_t child = fork();

	if (child > 0)
		return;
	attr.size = sizeof(attr);
	if (child < 0 || syscall(SYS_sched_setattr, 0, &attr, 0) != 0) {
		perror("exact_shares");
		_exit(1);
	}
	sleep_until(start_ns);
	body(i);
	_exit(0);
}

int main(int argc, char **argv)
{
	int tasks = argc - 2, status, failed = 0;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || tasks < 1 || tasks > TASKS_MAX)
		return 2;
	start_ns = clock_ns(CLOCK_MONOTONIC) + START_NS;
	end_ns = start_ns + atoll(argv[argc - 1]) * MS;
	if (strcmp(argv[1], "deadlines") == 0) {
		tasks = PERIODIC + 1;
		for (int i = 0; i < PERIODIC; i++)
			start(i, (struct sched_attr){ .sched_policy = 6,
						      .sched_runtime = periodic[i].runtime_ms * MS,
						      .sched_deadline = periodic[i].period_ms * MS,
						      .sched_period = periodic[i].period_ms * MS },
			      work_periodically);
		start(PERIODIC, (struct sched_attr){ 0 }, spin);
	} else {
		for (int i = 0; i < tasks; i++)
			start(i, (struct sched_attr){ .sched_nice = atoi(argv[1 + i]) }, spin);
	}
	for (int i = 0; i < tasks; i++)
		failed |= wait(&status) < 0 || status != 0;
	for (int i = 0; i < tasks; i++)
		printf("%lu %lu\n", shared->count[i], shared->late[i]);
	return failed;
}
