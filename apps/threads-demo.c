/* SPDX-License-Identifier: MIT */
/*
 * Threads on all CPUs: they add to one counter under a mutex, meet at a barrier, and tell where
 * they ran.  Shows pthreads, futexes and the work of the scheduler library.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 100000

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

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 2 * sysconf(_SC_NPROCESSORS_ONLN);
	struct worker *workers = calloc(threads, sizeof(*workers));

	if (threads < 1 || !workers)
		return 2;
	pthread_barrier_init(&barrier, NULL, threads);
	for (long i = 0; i < threads; i++)
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	for (long i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		printf("thread %ld ran on CPUs", i);
		for (int cpu = 0; cpu < 64; cpu++) {
			if (workers[i].cpus_seen >> cpu & 1)
				printf(" %d", cpu);
		}
		printf("\n");
	}
	printf("counter: %ld, expected: %ld\n", counter, threads * ROUNDS);
	return counter != threads * ROUNDS;
}
