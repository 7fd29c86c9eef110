/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL at any moment, of any process: workers (workload.h) and their children are ended at random in the
 * middle of what they do.  Nobody else notices, and everything is there again afterwards.
 *
 *     kill_storm [SEED [KILLS]]
 */
#define _GNU_SOURCE
#include "test.h"
#include "held.h"
#include "witness.h"
#include "workload.h"

#define WORKERS 8
#define VICTIMS_MAX 512

static unsigned seed = 20261122;
static unsigned long wanted = 200;

static pid_t workers[WORKERS];
static unsigned long killed;

/* Whoever is in our session, but for ourselves. */
static unsigned find_victims(pid_t *victims)
{
	pid_t self = getpid();
	struct dirent *entry;
	unsigned n = 0;
	DIR *d = opendir("/proc");

	CHECK(d != NULL);
	while (n < VICTIMS_MAX && (entry = readdir(d))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != self && getsid(pid) == self)
			victims[n++] = pid;
	}
	closedir(d);
	return n;
}

/* Ours, and those whose parents have been killed: we are the subreaper. */
static void bury(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		for (int i = 0; i < WORKERS; i++)
			if (workers[i] == pid)
				workers[i] = 0;
	}
}

static void keep_workers(void)
{
	for (int i = 0; i < WORKERS; i++) {
		unsigned number = (unsigned)rand_r(&seed);

		if (workers[i] != 0)
			continue;
		workers[i] = fork();
		CHECK(workers[i] >= 0);
		if (workers[i] == 0)
			work(i, number, 0);
	}
}

static void kill_one(void)
{
	pid_t victims[VICTIMS_MAX];
	unsigned n = find_victims(victims);

	if (n > 0)
		kill(victims[(unsigned)rand_r(&seed) % n], SIGKILL);
}

static void end_all(void)
{
	pid_t victims[VICTIMS_MAX];
	unsigned n;

	while ((n = find_victims(victims)) > 0) {
		while (n > 0)
			kill(victims[--n], SIGKILL);
		bury();
		usleep(1000);
	}
	for (int i = 0; i < WORKERS; i++)
		work_clean(i);
}

/* In a session of our own, of which we are the first. */
static void storm_of(unsigned long kills)
{
	struct witness *witness = witness_start();

	CHECK(witness != NULL);
	while (killed < kills) {
		keep_workers();
		usleep((unsigned)rand_r(&seed) % 2000);
		for (unsigned n = 1 + (unsigned)rand_r(&seed) % 3; n > 0; n--)
			kill_one();
		bury();
	}
	end_all();
	CHECK(witness_ends_well(witness));
}

static void storm(void)
{
	storm_of(wanted);
}

/* All that is made once and stays: the room for so many names in /tmp, for example. */
static void drizzle(void)
{
	work_prepare(WORKERS);
	storm_of(20);
}

/* In a process that does nothing else, so that all that it takes is given back. */
static void in_a_child(void (*function)(void))
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		setsid();
		function();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void whoever_is_killed_leaves_nothing_behind_and_harms_nobody(void)
{
	struct held before;

	in_a_child(drizzle);
	before = held_now();
	in_a_child(storm);
	CHECK(held_returns_to(&before));
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seed = (unsigned)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		wanted = strtoul(argv[2], NULL, 0);
	printf("seed %u, %lu kills\n", seed, wanted);
	fflush(stdout);
	RUN(whoever_is_killed_leaves_nothing_behind_and_harms_nobody);
	return test_result();
}
