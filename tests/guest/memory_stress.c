/* SPDX-License-Identifier: MIT */
/*
 * Threads of several processes map, unmap, protect, fork, fault and exit at the same time, for a few
 * seconds; each checks that its memory holds what it wrote.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096
#define THREADS 4
#define PROCESSES 3

static _Atomic int stop;
static _Atomic long bad;

static unsigned random_below(unsigned *state, unsigned n)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % n;
}

static void fill(uint32_t *p, size_t pages, uint32_t seed)
{
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE / 4] = seed + (uint32_t)i;
}

/* The failure of a run that may not be seen twice is to say all that it can; not through stdio, whose locks a
 * child of one thread may find taken by another. */
static void is_wrong(const char *what, long long found, long long expected)
{
	bad++;
	dprintf(1, "# process %d: %s: %#llx, not %#llx\n", (int)getpid(), what, found, expected);
}

static int holds(const char *when, const uint32_t *p, size_t pages, uint32_t seed)
{
	for (size_t i = 0; i < pages; i++) {
		uint32_t found = p[i * PAGE / 4];

		if (found != seed + (uint32_t)i) {
			dprintf(1, "# page %zu of %zu at %p\n", i, pages, (const void *)p);
			is_wrong(when, found, seed + i);
			return 0;
		}
	}
	return 1;
}

static void is_zero(const char *when, uint32_t found)
{
	if (found != 0)
		is_wrong(when, found, 0);
}

static void one_round(unsigned *state)
{
	size_t pages = 1 + random_below(state, 40);
	uint32_t seed = *state;
	uint32_t *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	if (p == MAP_FAILED)
		return;
	fill(p, pages, seed);
	switch (random_below(state, 5)) {
	case 0:
		if (mprotect(p, pages * PAGE, PROT_READ) == 0)
			holds("read-only", p, pages, seed);
		mprotect(p, pages * PAGE, PROT_READ | PROT_WRITE);
		fill(p, pages, seed);
		break;
	case 1: {
		uint32_t *q = mremap(p, pages * PAGE, pages * PAGE * 3, MREMAP_MAYMOVE);

		if (q != MAP_FAILED) {
			holds("after mremap", q, pages, seed);
			is_zero("what mremap added", q[pages * PAGE / 4]);
			munmap(q + pages * PAGE / 4, 2 * pages * PAGE);
			p = q;
		}
		break;
	}
	case 2: {
		pid_t child = fork();
		int status = 0;

		if (child == 0) {
			int ok = holds("what a child was given", p, pages, seed);

			fill(p, pages, ~seed);
			_exit(holds("what a child wrote", p, pages, ~seed) && ok ? 0 : 1);
		}
		fill(p, pages, seed + 1);
		holds("beside a child", p, pages, ++seed);
		if (child > 0 && waitpid(child, &status, 0) != child)
			is_wrong("errno of waitpid", errno, 0);
		else if (status != 0)
			is_wrong("status of a child", status, 0);
		break;
	}
	case 3:
		if (madvise(p, pages * PAGE, MADV_DONTNEED) != 0)
			is_wrong("errno of madvise", errno, 0);
		is_zero("the first page after MADV_DONTNEED", p[0]);
		is_zero("the last page after MADV_DONTNEED", p[(pages - 1) * PAGE / 4]);
		fill(p, pages, seed);
		break;
	}
	holds("at the end", p, pages, seed);
	munmap(p, pages * PAGE);
}

static void *work(void *argument)
{
	unsigned state = (unsigned)(uintptr_t)argument;

	while (!stop)
		one_round(&state);
	return NULL;
}

static int run_threads(unsigned seed, int seconds)
{
	pthread_t thread[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)(seed + i * 7919)) != 0)
			return 2;
	sleep((unsigned)seconds);
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return bad != 0;
}

static void memory_holds_what_was_written(void)
{
	pid_t child[PROCESSES];

	for (unsigned i = 0; i < PROCESSES; i++) {
		child[i] = fork();
		CHECK(child[i] >= 0);
		if (child[i] == 0)
			_exit(run_threads(i * 31337 + 1, 3));
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		CHECK(waitpid(child[i], &status, 0) == child[i]);
		CHECK_EQ(status, 0);
	}
}

int main(void)
{
	RUN(memory_holds_what_was_written);
	return test_result();
}
