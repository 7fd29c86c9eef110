/* SPDX-License-Identifier: MIT */
/* Donation: pipes, futexes and wait4 hand on the rest of a slice, and a third task still runs. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define ROUNDS 200

/* The sum over all CPUs of a column of /proc/exo/cpus. */
static long column(const char *name)
{
	char line[512], *word, *rest;
	FILE *f = fopen("/proc/exo/cpus", "r");
	int wanted = -1, i = 0;
	long sum = 0;

	if (!f || !fgets(line, sizeof(line), f))
		return -1;
	for (word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest), i++)
		if (!strcmp(word, name))
			wanted = i;
	while (wanted >= 0 && fgets(line, sizeof(line), f)) {
		i = 0;
		for (word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
			if (i++ == wanted)
				sum += atol(word);
	}
	fclose(f);
	return wanted < 0 ? -1 : sum;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void run_anywhere(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static int cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* A byte there and back, rounds times, between CPU 0 and `other`. */
static int ping_pong(int other, int rounds)
{
	int there[2], back[2];
	char byte = 'x';

	if (pipe(there) || pipe(back))
		return -1;
	run_on(0);
	pid_t child = fork();
	if (child == 0) {
		run_on(other);
		close(there[1]);
		while (read(there[0], &byte, 1) == 1)
			if (write(back[1], &byte, 1) != 1)
				break;
		_exit(0);
	}
	close(there[0]);
	int done = 0;
	while (done < rounds && write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
		done++;
	close(there[1]);
	waitpid(child, NULL, 0);
	close(back[0]);
	close(back[1]);
	run_anywhere();
	return done;
}

static void a_pipe_donates_on_the_same_cpu(void)
{
	long before = column("donations");

	CHECK_EQ(ping_pong(0, ROUNDS), ROUNDS);
	CHECK(column("donations") - before >= ROUNDS);
}

static void a_pipe_donates_across_cpus(void)
{
	if (cpus() < 2)
		return;
	long before = column("donations");

	CHECK_EQ(ping_pong(1, ROUNDS), ROUNDS);
	CHECK(column("donations") > before);
}

static _Atomic int word;

static void *futex_partner(void *unused)
{
	run_on(0);
	for (int i = 0; i < ROUNDS; i++) {
		while (atomic_load(&word) != 1)
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		atomic_store(&word, 0);
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return unused;
}

static void a_futex_donates(void)
{
	pthread_t partner;
	long before = column("donations");

	run_on(0);
	CHECK_EQ(pthread_create(&partner, NULL, futex_partner, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		atomic_store(&word, 1);
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		while (atomic_load(&word) != 0)
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	}
	pthread_join(partner, NULL);
	run_anywhere();
	CHECK(column("donations") - before >= ROUNDS / 2);
}

/* The child ends only once its parent sleeps in wait4. */
static void an_end_donates_to_the_parent_that_waits(void)
{
	long before = column("donations");

	run_on(0);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			usleep(3000);
			_exit(7);
		}
		int status = 0;
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WEXITSTATUS(status), 7);
	}
	run_anywhere();
	CHECK(column("donations") - before >= 10);
}

static void two_that_donate_do_not_starve_a_third(void)
{
	_Atomic long *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(count != MAP_FAILED);
	run_on(0);
	pid_t third = fork();
	if (third == 0)
		for (;;)
			atomic_fetch_add(count, 1);
	long done = 0;
	/* Until the third has been seen to run in between; starved, it never would. */
	for (int i = 0; i < 200 && !done; i++) {
		long before = atomic_load(count);

		CHECK_EQ(ping_pong(0, 100), 100);
		done += atomic_load(count) > before;
	}
	kill(third, SIGKILL);
	CHECK_EQ(waitpid(third, NULL, 0), third);
	CHECK(done > 0);
	munmap(count, 4096);
}

int main(void)
{
	RUN(a_pipe_donates_on_the_same_cpu);
	RUN(a_pipe_donates_across_cpus);
	RUN(a_futex_donates);
	RUN(an_end_donates_to_the_parent_that_waits);
	RUN(two_that_donate_do_not_starve_a_third);
	return test_result();
}
