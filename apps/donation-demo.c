/* SPDX-License-Identifier: MIT */
/*
 * What giving away the rest of a time slice is worth.  Two processes pass a token back and forth
 * on one CPU that others keep busy:
 *
 *	over pipes, where the writer gives the rest of its slice to the reader that it wakes;
 *	over eventfds, where the woken process queues behind the busy ones.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* Microseconds for one round; there[] and back[] are {read end, write end}. */
static double measure(const int there[2], const int back[2])
{
	uint64_t token = 1;
	pid_t partner = fork();
	double began;

	if (partner == 0) {
		while (pass(there[0], back[1]))
			;
		_exit(0);
	}
	began = seconds();
	if (write(there[1], &token, sizeof(token)) != sizeof(token))
		return 0;
	for (int i = 1; i < ROUNDS; i++)
		pass(back[0], there[1]);
	if (read(back[0], &token, sizeof(token)) != sizeof(token))
		return 0;
	began = seconds() - began;
	kill(partner, SIGKILL);
	waitpid(partner, NULL, 0);
	return began * 1e6 / ROUNDS;
}

int main(void)
{
	pid_t busy[BUSY];
	int there[2], back[2], events[2] = { eventfd(0, 0), eventfd(0, 0) };
	cpu_set_t first;
	double pipes, queued;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) < 0 || pipe(there) < 0 || pipe(back) < 0 ||
	    events[0] < 0 || events[1] < 0) {
		perror("donation-demo");
		return 2;
	}
	for (int i = 0; i < BUSY; i++)
		busy[i] = start_busy();
	pipes = measure(there, back);
	queued = measure((int[]){ events[0], events[0] }, (int[]){ events[1], events[1] });
	for (int i = 0; i < BUSY; i++)
		kill(busy[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	printf("one round between two processes, on a CPU that %d others keep busy:\n", BUSY);
	printf("    %10.1f us over pipes, whose writers donate their slices\n", pipes);
	printf("    %10.1f us over eventfds, whose writers do not\n", queued);
	return 0;
}
