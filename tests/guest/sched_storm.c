/* SPDX-License-Identifier: MIT */
/*
 * Schedulers are loaded, put in force, replaced and unloaded over and over while programs run.
 * `sched_storm ROUNDS`: as often as it is told (tests/stress/sched_storm.py); otherwise some times.
 */
#define _GNU_SOURCE
#include "safety_net.h"

#define ROUNDS 60
#define EJECTIONS_EACH 8 /* every so many rounds, one that is ejected */

static int rounds = ROUNDS;

/* A process that loads the system until the pipe is closed: its status is how much went wrong. */
static pid_t start_load(int *stop)
{
	int ends[2];
	pid_t child;
	char byte;

	if (pipe(ends) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		int wrong = 0;

		close(ends[1]);
		if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
			_exit(99);
		while (read(ends[0], &byte, 1) < 0 && wrong == 0)
			wrong += run_load();
		_exit(wrong);
	}
	close(ends[0]);
	*stop = ends[1];
	return child;
}

/* One that is ejected in the middle of it all, by looping where a task is queued. */
static int round_with_ejection(void)
{
	if (tell("sched-load", "/tests/broken.so") < 0 || tell("sched-param", "broken rule 1") < 0 ||
	    tell("sched-param", "broken callback 6") < 0 || tell("sched-param", "broken after 20") < 0)
		return 1;
	return tell("sched", "broken") < 0;
}

static int round_without(void)
{
	if (tell("sched-load", "/tests/quiet.so") < 0 || tell("sched", "quiet") < 0)
		return 1;
	sched_yield();
	return tell("sched", "rr") < 0 || tell("sched-unload", "quiet") < 0;
}

static void schedulers_come_and_go_under_load(void)
{
	int stop = -1, status, failed = 0, round;
	pid_t child = start_load(&stop);
	char before[NAME_ROOM];

	current_scheduler(before);
	CHECK(child > 0);
	for (round = 0; round < rounds && !failed; round++)
		failed = round % EJECTIONS_EACH == 0 ? round_with_ejection() : round_without();
	if (failed)
		printf("# round %d: errno %d\n", round, errno);
	close(stop);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(failed, 0);
	CHECK_EQ(tell("sched", before), 0);
	CHECK_EQ(tell("sched-unload", "broken"), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = atoi(argv[1]);
	RUN(schedulers_come_and_go_under_load);
	return test_result();
}
