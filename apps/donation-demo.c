/* SPDX-License-Identifier: MIT */
/*
 * What giving away the rest of a time slice is worth.  Two processes pass a token back and forth
 * on one CPU that others keep busy:
 *
 *	over pipes, where the writer gives the rest of its slice to the reader that it wakes;
 *	over eventfds, where the woken process queues behind the busy ones;
 *	over eventfds again, with sched_donate() to the process that was woken.
 *
 * Then it prints what the scheduling core has counted meanwhile.
 */
#define _GNU_SOURCE
#include <libos/donate.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "program.h"

#define BUSY 3
#define ROUNDS 50

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static pid_t start_busy(void)
{
	pid_t child = fork();

	if (child == 0)
		for (volatile long i = 0;; i++)
			;
	return child;
}

static int pass(int from, int to)
{
	uint64_t token = 1;

	return read(from, &token, sizeof(token)) == sizeof(token) &&
	       write(to, &token, sizeof(token)) == sizeof(token);
}

static pid_t busy[BUSY], partner; /* 0 or -1: not started */

/* What has been started ends with us. */
static _Noreturn void die(const char *what)
{
	perror(what);
	for (int i = 0; i < BUSY && busy[i] > 0; i++)
		kill(busy[i], SIGKILL);
	if (partner > 0)
		kill(partner, SIGKILL);
	exit(1);
}

/* Microseconds for one round; there[] and back[] are {read end, write end}. */
static double measure(const int there[2], const int back[2], bool donate)
{
	struct task_ref partner_ref;
	uint64_t token = 1;
	double began;

	partner = fork();
	if (partner == 0) {
		while (pass(there[0], back[1]))
			;
		_exit(0);
	}
	if (partner < 0 || sched_find(partner, &partner_ref) < 0)
		die("donation-demo: a partner");
	began = seconds();
	for (int i = 0; i < ROUNDS; i++) {
		if (write(there[1], &token, sizeof(token)) != sizeof(token))
			die("donation-demo: a token");
		if (donate)
			sched_donate(partner_ref, SCHED_DONATE_WAIT);
		if (read(back[0], &token, sizeof(token)) != sizeof(token))
			die("donation-demo: a token");
	}
	began = seconds() - began;
	kill(partner, SIGKILL);
	waitpid(partner, NULL, 0);
	partner = 0;
	return began * 1e6 / ROUNDS;
}

/* The lines of /proc/exo/sched-stats about gifts that were made: counter and total. */
static void print_statistics(void)
{
	char line[1024], name[64];
	FILE *f = fopen("/proc/exo/sched-stats", "r");
	long total;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", name, &total) == 2 && total > 0 &&
		    (strncmp(name, "donation-", 9) == 0 || strncmp(name, "switches", 8) == 0))
			printf("    %10ld %s\n", total, name);
	if (f)
		fclose(f);
}

int main(void)
{
	int there[2], back[2], events[2] = { eventfd(0, 0), eventfd(0, 0) };
	cpu_set_t first;
	double pipes, queued, given;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) < 0 || pipe(there) < 0 || pipe(back) < 0 ||
	    events[0] < 0 || events[1] < 0) {
		perror("donation-demo");
		return 2;
	}
	for (int i = 0; i < BUSY; i++) {
		busy[i] = start_busy();
		if (busy[i] < 0)
			die("donation-demo: a busy process");
	}
	pipes = measure(there, back, false);
	queued = measure((int[]){ events[0], events[0] }, (int[]){ events[1], events[1] }, false);
	given = measure((int[]){ events[0], events[0] }, (int[]){ events[1], events[1] }, true);
	for (int i = 0; i < BUSY; i++)
		kill(busy[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	printf("one round between two processes, on a CPU that %d others keep busy:\n", BUSY);
	printf("    %10.1f us over pipes, whose writers donate their slices\n", pipes);
	printf("    %10.1f us over eventfds, whose writers do not\n", queued);
	printf("    %10.1f us over eventfds and sched_donate()\n", given);
	printf("\nof all that ran since the machine started:\n");
	print_statistics();
	return !program_has_printed("donation-demo");
}
