/* SPDX-License-Identifier: MIT */
/*
 * Copy on write, while other threads write to the page and read it, on other CPUs.
 *
 *	CPU 0                      CPU 1                         CPU 2
 *	                                                         reads the page
 *	writes: the page is
 *	copied                     writes as well, and says so
 *	                                                         reads what CPU 1 has written
 *
 * What has been written is read by whoever has been told of it, whichever CPU he is on: it does not happen
 * that one CPU has the copy already, to write to, and another the page that was copied.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096
#define PAGES 64
#define ROUNDS 4

/* Every second one: what is written to page after page would be copied ahead of time. */
static char *pages;

static long cpus; /* fixed before there are threads */

/* The page that the reader, CPU 0 and the writer have come to, which say so; from the last to the first:
 * neither is then anything copied ahead. */
static _Atomic int read_first, copied, written;
static _Atomic long wrong; /* any thread adds */

static volatile char *byte(int page, int which)
{
	return pages + 2l * page * PAGE + which;
}

static void wait_until(_Atomic int *what, int page)
{
	while (*what != page)
		if (cpus < 3)
			sched_yield(); /* nothing is stale, and who waits has a CPU that another needs */
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (int)cpus, &set);
	/* No CHECK: other threads come here, too. */
	wrong += sched_setaffinity(0, sizeof(set), &set) != 0;
}

static void *write_on(void *round)
{
	stay_on(1);
	for (int i = PAGES - 1; i >= 0; i--) {
		wait_until(&copied, i);
		/* At different times of what CPU 0 does meanwhile. */
		for (volatile int wait = (i * 67 + *(int *)round * 13) % PAGES * 64; wait > 0;
		     wait--)
			;
		*byte(i, 1) = 2;
		written = i;
	}
	return NULL;
}

static void *read_on(void *unused)
{
	stay_on(2);
	for (int i = PAGES - 1; i >= 0; i--) {
		wrong += *byte(i, 1) != 1;
		read_first = i;
		wait_until(&written, i);
		wrong += *byte(i, 1) != 2;
	}
	return NULL;
}

static void copy_all(int round)
{
	pthread_t writer, reader;

	read_first = copied = written = PAGES;
	CHECK(pthread_create(&writer, NULL, write_on, &round) == 0);
	CHECK(pthread_create(&reader, NULL, read_on, NULL) == 0);
	stay_on(0);
	for (int i = PAGES - 1; i >= 0; i--) {
		wait_until(&read_first, i);
		copied = i;
		*byte(i, 0) = 7;
	}
	CHECK(pthread_join(writer, NULL) == 0 && pthread_join(reader, NULL) == 0);
}

static void what_one_cpu_writes_another_reads(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		pid_t child;

		for (int i = 0; i < PAGES; i++)
			*byte(i, 1) = 1;
		child = fork();
		CHECK(child >= 0);
		if (child == 0)
			for (;;)
				pause();
		copy_all(round);
		CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	}
	CHECK_EQ(wrong, 0);
}

int main(void)
{
	pages = mmap(NULL, 2l * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	RUN(what_one_cpu_writes_another_reads);
	return test_result();
}
