/* SPDX-License-Identifier: MIT */
/*
 * What tasks that sleep take, by the machine's free memory before and after there are many:
 *
 *	process   kB for each that was forked, with the pages that it wrote on its way to sleep
 *	thread    kB for each, without the page of its own stack that it wrote
 *	tasks     kB for all the threads, with those pages
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_KB 4.0
#define STACK 8192ul /* of a thread */
#define PROCESSES 200
#define THREADS 10000

static int ready[2], until[2]; /* a byte from each that is about to sleep; nobody writes: time to end */

static void fail(const char *what)
{
	fprintf(stderr, "memory: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double free_kb(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		fail("sysinfo");
	return (double)info.freeram * info.mem_unit / 1024;
}

static void make_pipes(void)
{
	if (pipe(ready) || pipe(until))
		fail("pipe");
}

static void await_one(void)
{
	char c;

	if (read(ready[0], &c, 1) != 1)
		fail("read");
}

static void sleep_until_the_end(void)
{
	char c = 0;

	if (write(ready[1], &c, 1) != 1 || read(until[0], &c, 1) != 0)
		fail("sleep");
}

static void processes(void)
{
	double before;

	make_pipes();
	before = free_kb();
	for (unsigned i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			close(until[1]);
			sleep_until_the_end();
			_exit(0);
		}
		await_one();
	}
	printf("process %.2f kB\n", (before - free_kb()) / PROCESSES);
	close(until[1]);
	while (wait(NULL) > 0)
		;
}

static void *sleeper(void *argument)
{
	sleep_until_the_end();
	return argument;
}

static void threads(void)
{
	char *stacks = mmap(NULL, THREADS * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	pthread_attr_t attributes;
	struct rlimit limit;
	pthread_t thread;
	double before, taken;

	if (stacks == MAP_FAILED)
		fail("mmap");
	limit = (struct rlimit){ THREADS + 100, THREADS + 100 };
	if (setrlimit(RLIMIT_NPROC, &limit))
		fail("setrlimit");
	make_pipes();
	before = free_kb();
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_attr_init(&attributes);
		pthread_attr_setstack(&attributes, stacks + i * STACK, STACK);
		errno = pthread_create(&thread, &attributes, sleeper, NULL);
		if (errno)
			fail("pthread_create");
		await_one();
	}
	taken = before - free_kb();
	printf("thread %.2f kB\ntasks %.0f kB\n", taken / THREADS - PAGE_KB, taken);
}

int main(void)
{
	processes();
	threads();
	return 0;
}
