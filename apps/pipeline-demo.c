/* SPDX-License-Identifier: MIT */
/*
 * A pipeline of processes: each of N stages reads numbers from a pipe, adds one, and passes them
 * on.  Shows fork, pipes and wait, and how long a number takes from one process to the next: a
 * pipe's writer gives the rest of its time slice to the reader that it wakes.
 *
 *	pipeline-demo [N]    4, if no number is given
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "program.h"

#define NUMBERS 2000
#define STAGES_MAX 1000

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
	unsigned long wanted = 4;
	int stages, first, last, status, failed = 0;
	double began, took;
	long number;

	if (argc > 2 || (argc > 1 && !program_number(argv[1], 1, STAGES_MAX, &wanted))) {
		fprintf(stderr, "usage: pipeline-demo [PROCESSES], from 1 to %d\n", STAGES_MAX);
		return 2;
	}
	stages = (int)wanted;
	/* Those that there are see the end of their input when we end. */
	if (start(stages, &first, &last) < 0) {
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
	return failed || !program_has_printed("pipeline-demo");
}
