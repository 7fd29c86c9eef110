/* SPDX-License-Identifier: MIT */
/*
 * A pipeline of processes: each of N stages reads numbers from a pipe, adds one, and passes them
 * on.  Shows fork, pipes and wait, and how long a number takes from one process to the next: a
 * pipe's writer gives the rest of its time slice to the reader that it wakes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NUMBERS 2000

static _Noreturn void stage(int from, int to)
{
	long number;

	while (read(from, &number, sizeof(number)) == sizeof(number)) {
		number++;
		if (write(to, &number, sizeof(number)) != sizeof(number))
			_exit(1);
	}
	_exit(0);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Starts the stages; the pipe into the first is *first, what comes out of the last *last. */
static int start(int stages, int *first, int *last)
{
	int ends[2], from;

	if (pipe(ends) < 0)
		return -1;
	*first = ends[1];
	from = ends[0];
	for (int i = 0; i < stages; i++) {
		if (pipe(ends) < 0)
			return -1;
		switch (fork()) {
		case -1:
			return -1;
		case 0:
			close(*first);
			close(ends[0]);
			stage(from, ends[1]);
		}
		close(from);
		close(ends[1]);
		from = ends[0];
	}
	*last = from;
	return 0;
}

int main(int argc, char **argv)
{
	int stages = argc > 1 ? atoi(argv[1]) : 4, first, last, status, failed = 0;
	double began, took;
	long number;

	if (stages < 1 || start(stages, &first, &last) < 0) {
		perror("pipeline-demo");
		return 2;
	}
	began = seconds();
	for (long i = 0; i < NUMBERS; i++) {
		if (write(first, &i, sizeof(i)) != sizeof(i) ||
		    read(last, &number, sizeof(number)) != sizeof(number) || number != i + stages)
			failed = 1;
	}
	took = seconds() - began;
	close(first);
	while (wait(&status) > 0)
		failed |= status != 0;
	printf("%d numbers through %d processes: %.2f us from each to the next%s\n", NUMBERS, stages,
	       took * 1e6 / NUMBERS / (stages + 1), failed ? ", but some were wrong" : "");
	return failed;
}
