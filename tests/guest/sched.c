/* SPDX-License-Identifier: MIT */
/* Scheduling as programs see it: progress, sharing, wakes, and schedulers that are swapped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define MS 1000000ll

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

#define SPINNERS 12

static atomic_int spinners_stop;
static atomic_long progress[SPINNERS];

static void *spin(void *argument)
{
	atomic_long *mine = argument;

	while (!spinners_stop)
		atomic_fetch_add_explicit(mine, 1, memory_order_relaxed);
	return NULL;
}

static int start_spinners(pthread_t *thread)
{
	spinners_stop = 0;
	for (int i = 0; i < SPINNERS; i++) {
		progress[i] = 0;
		if (pthread_create(&thread[i], NULL, spin, &progress[i]) != 0)
			return -1;
	}
	return 0;
}

static void stop_spinners(pthread_t *thread)
{
	spinners_stop = 1;
	for (int i = 0; i < SPINNERS; i++)
		pthread_join(thread[i], NULL);
}

/* How many have not moved in ten seconds: they share the CPUs with each other, and the machine may
 * share its own. */
static int count_starved(void)
{
	long long end = now() + 10000 * MS;
	int starved = SPINNERS;

	for (int i = 0; i < SPINNERS; i++)
		progress[i] = 0;
	while (starved && now() < end) {
		usleep(50000);
		starved = 0;
		for (int i = 0; i < SPINNERS; i++)
			starved += progress[i] == 0;
	}
	return starved;
}

static void every_spinning_thread_makes_progress(void)
{
	pthread_t thread[SPINNERS];
	int starved;

	CHECK_EQ(start_spinners(thread), 0);
	starved = count_starved();
	stop_spinners(thread);
	CHECK_EQ(starved, 0);
}

static void a_sleeper_wakes_in_time_among_spinning_threads(void)
{
	pthread_t thread[SPINNERS];
	long long worst = 0;

	CHECK_EQ(start_spinners(thread), 0);
	for (int i = 0; i < 20; i++) {
		long long start = now(), late;

		usleep(10000);
		late = now() - start - 10 * MS;
		if (late > worst)
			worst = late;
	}
	stop_spinners(thread);
	CHECK(worst < 10000 * MS);
}

/* Two processes hand a byte to and fro; each round, one of them is about to sleep when the other
 * wakes it.  A lost wake would leave both asleep. */
static void wakes_that_race_with_sleeping_are_not_lost(void)
{
	int there[2], back[2], status;
	char byte = 1;
	pid_t child;

	CHECK(pipe(there) == 0 && pipe(back) == 0);
	child = fork();
	if (child == 0) {
		while (read(there[0], &byte, 1) == 1 && byte)
			if (write(back[1], &byte, 1) != 1)
				break;
		_exit(byte);
	}
	CHECK(child > 0);
	for (int i = 0; i < 3000; i++) {
		struct pollfd answer = { .fd = back[0], .events = POLLIN };

		CHECK_EQ(write(there[1], &byte, 1), 1);
		/* Now and then a little work, so that the two meet at different moments. */
		for (volatile int work = i % 97 * 10; work > 0; work--)
			;
		CHECK_EQ(poll(&answer, 1, 10000), 1);
		CHECK_EQ(read(back[0], &byte, 1), 1);
	}
	byte = 0;
	CHECK_EQ(write(there[1], &byte, 1), 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
}

static void threads_move_to_the_cpus_they_are_allowed(void)
{
	cpu_set_t all, one;

	CHECK_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int round = 0; round < 20; round++) {
		for (int cpu = 0; cpu < CPU_COUNT(&all); cpu++) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
			CHECK_EQ(sched_getcpu(), cpu);
		}
	}
	CHECK_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

static int put_in_force(const char *name)
{
	int fd = open("/proc/exo/sched", O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, name, strlen(name));
	int error = errno;

	close(fd);
	errno = error;
	return n == (ssize_t)strlen(name) ? 0 : -1;
}

static void schedulers_are_swapped_while_threads_run(void)
{
	char before[256] = "", *name;
	pthread_t thread[SPINNERS];
	int fd = open("/proc/exo/sched", O_RDONLY), failed = 0, starved;

	CHECK(fd >= 0 && read(fd, before, sizeof(before) - 1) > 0);
	close(fd);
	name = strchr(before, '[');
	CHECK(name != NULL);
	name = strtok(name + 1, "]");
	CHECK_EQ(start_spinners(thread), 0);
	for (int i = 0; i < 20; i++) {
		failed |= put_in_force(i % 2 ? "rr" : "fifo");
		usleep(2000);
	}
	starved = count_starved();
	stop_spinners(thread);
	CHECK_EQ(put_in_force(name), 0);
	CHECK_EQ(failed, 0);
	CHECK_EQ(starved, 0);
}

static void unknown_schedulers_are_refused(void)
{
	CHECK_EQ(put_in_force("no-such-one"), -1);
	CHECK_EQ(errno, ENOENT);
}

int main(void)
{
	RUN(every_spinning_thread_makes_progress);
	RUN(a_sleeper_wakes_in_time_among_spinning_threads);
	RUN(wakes_that_race_with_sleeping_are_not_lost);
	RUN(threads_move_to_the_cpus_they_are_allowed);
	RUN(schedulers_are_swapped_while_threads_run);
	RUN(unknown_schedulers_are_refused);
	return test_result();
}
