/* SPDX-License-Identifier: MIT */
/*
 * Threads on all CPUs: they add to one counter under a mutex, meet at a barrier, and tell where
 * they ran.  Shows pthreads, futexes and the work of the scheduler library.
 *
 *	threads-demo [THREADS]    two for each CPU, if no number is given
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "program.h"

#define ROUNDS 100000
#define THREADS_MAX 10000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static long counter; /* under mutex */

struct worker {
	pthread_t thread;
	long cpus_seen; /* bit per CPU */
};

static void *work(void *argument)
{
	struct worker *w = argument;

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		w->cpus_seen |= 1l << sched_getcpu();
	}
	return NULL;
}

/* Those that there are already wait for the others, and end with the program. */
static int start(struct worker *workers, unsigned long threads)
{
	for (unsigned long i = 0; i < threads; i++) {
		int error = pthread_create(&workers[i].thread, NULL, work, &workers[i]);

		if (error) {
			fprintf(stderr, "threads-demo: thread %lu of %lu: %s\n", i, threads,
				strerror(error));
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long threads = 2 * (unsigned long)sysconf(_SC_NPROCESSORS_ONLN);
	struct worker *workers;

	if (argc > 2 || (argc > 1 && !program_number(argv[1], 1, THREADS_MAX, &threads))) {
		fprintf(stderr, "usage: threads-demo [THREADS], from 1 to %d\n", THREADS_MAX);
		return 2;
	}
	workers = calloc(threads, sizeof(*workers));
	if (!workers) {
		perror("threads-demo");
		return 1;
	}
	pthread_barrier_init(&barrier, NULL, (unsigned)threads);
	if (start(workers, threads) < 0)
		return 1;
	for (unsigned long i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		printf("thread %lu ran on CPUs", i);
		for (int cpu = 0; cpu < 64; cpu++) {
			if (workers[i].cpus_seen >> cpu & 1)
				printf(" %d", cpu);
		}
		printf("\n");
	}
	printf("counter: %ld, expected: %ld\n", counter, (long)threads * ROUNDS);
	return !program_has_printed("threads-demo") || counter != (long)threads * ROUNDS;
}
