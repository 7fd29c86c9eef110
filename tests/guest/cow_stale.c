/* SPDX-License-Identifier: MIT */
/*
 * Copy on write, while another CPU still has the page in its TLB.
 *
 *	CPU 0, the parent          CPU 1, the child              CPU 2, a thread of the child
 *	                                                         reads the page, again and again
 *	                           writes: gets a copy
 *	writes: the page is        waits until CPU 2 knows
 *	its own now, as it seems
 *
 * What the thread reads is what was there before the fork, before the copy and after it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096
#define PAGES 48

/* Every second one: what is written to page after page would be copied ahead of time. */
static char *pages;

static struct turn {
	_Atomic int page;  /* from the last to the first: neither is then anything copied ahead */
	_Atomic int read;  /* the thread has it in its TLB */
	_Atomic int moved; /* the child writes, or has written */
	_Atomic int done;  /* the parent has written */
	_Atomic long wrong;
} * turn; /* shared by all three */

static volatile char *byte(int page, int which)
{
	return pages + 2l * page * PAGE + which;
}

static long cpus;

/* With fewer than three CPUs nothing is stale, and who waits has one that another needs. */
static void pause_here(void)
{
	if (cpus < 3)
		sched_yield();
}

static void wait_until(_Atomic int *what, int page)
{
	while (*what != page)
		pause_here();
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (int)cpus, &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

static void *read_on(void *unused)
{
	stay_on(2);
	for (int i = PAGES - 1; i >= 0; i--) {
		wait_until(&turn->page, i);
		turn->wrong += *byte(i, 1) != 1;
		turn->read = i;
		while (turn->page == i) {
			turn->wrong += *byte(i, 1) != 1;
			pause_here();
		}
	}
	return NULL;
}

static _Noreturn void part_pages(void)
{
	pthread_t thread;

	stay_on(1);
	if (pthread_create(&thread, NULL, read_on, NULL))
		_exit(1);
	for (int i = PAGES - 1; i >= 0; i--) {
		turn->page = i;
		wait_until(&turn->read, i);
		turn->moved = i;
		*byte(i, 0) = 7;
		wait_until(&turn->done, i);
	}
	turn->page = -1;
	pthread_join(thread, NULL);
	_exit(turn->wrong != 0);
}

static void what_the_parent_writes_no_thread_of_the_child_reads(void)
{
	int status;
	pid_t child;

	for (int i = 0; i < PAGES; i++)
		*byte(i, 1) = 1;
	turn->page = turn->read = turn->moved = turn->done = PAGES;
	child = fork();
	if (child == 0)
		part_pages();
	stay_on(0);
	for (int i = PAGES - 1; i >= 0; i--) {
		wait_until(&turn->moved, i);
		/* At different times of what the child does meanwhile. */
		for (volatile int wait = i * 67 % PAGES * 64; wait > 0; wait--)
			;
		*byte(i, 1) = 2;
		turn->done = i;
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(turn->wrong, 0);
}

int main(void)
{
	pages = mmap(NULL, 2l * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	turn = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	RUN(what_the_parent_writes_no_thread_of_the_child_reads);
	return test_result();
}
