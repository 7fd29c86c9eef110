/* SPDX-License-Identifier: MIT */
/* Stacks of ended threads are kept for other threads (scripts/musl/thread_stack.c): nobody sees it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "test.h"

#define PAGE 4096
#define AT_ONCE 32

static _Thread_local int of_zeros, of_sevens = 7;
static pthread_key_t key;

static void *look_and_soil(void *unused)
{
	int fresh = of_zeros == 0 && of_sevens == 7 && !pthread_getspecific(key) && errno == 0;

	(void)unused;
	of_zeros = of_sevens = errno = 5;
	pthread_setspecific(key, &key);
	return (void *)(intptr_t)fresh;
}

static void a_thread_s_own_data_is_fresh(void)
{
	CHECK_EQ(pthread_key_create(&key, NULL), 0);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;
		void *fresh;

		CHECK_EQ(pthread_create(&thread, NULL, look_and_soil, NULL), 0);
		CHECK_EQ(pthread_join(thread, &fresh), 0);
		CHECK(fresh != NULL);
	}
}

static void *measure(void *wanted)
{
	size_t *sizes = wanted, stack, guard;
	pthread_attr_t have;
	void *base;
	int right = pthread_getattr_np(pthread_self(), &have) == 0 &&
		    pthread_attr_getstack(&have, &base, &stack) == 0 &&
		    pthread_attr_getguardsize(&have, &guard) == 0;

	/* All of it can be used. */
	if (right && stack >= sizes[0])
		for (size_t i = 0; i < stack / 2; i += PAGE)
			((volatile char *)base)[i] = 1;
	return (void *)(intptr_t)(right && stack >= sizes[0] && guard == sizes[1]);
}

static void run_sized(size_t stack, size_t guard)
{
	size_t sizes[2] = { stack, guard };
	pthread_attr_t attr;
	pthread_t thread;
	void *right;

	pthread_attr_init(&attr);
	CHECK_EQ(pthread_attr_setstacksize(&attr, stack), 0);
	CHECK_EQ(pthread_attr_setguardsize(&attr, guard), 0);
	CHECK_EQ(pthread_create(&thread, &attr, measure, sizes), 0);
	CHECK_EQ(pthread_join(thread, &right), 0);
	CHECK(right != NULL);
}

/* Also where the whole has the size of another whole. */
static void each_gets_the_size_it_asks_for(void)
{
	for (int round = 0; round < 3; round++) {
		for (size_t pages = 4; pages < 72; pages += 3) {
			run_sized(pages * PAGE, PAGE);
			run_sized((pages + 1) * PAGE, 0);
			run_sized((pages - 1) * PAGE, 2 * PAGE);
		}
	}
}

static void *overrun(void *unused)
{
	volatile char here[PAGE];
	size_t stack, guard;
	pthread_attr_t have;
	void *base;

	(void)unused;
	here[0] = 0;
	pthread_getattr_np(pthread_self(), &have);
	pthread_attr_getstack(&have, &base, &stack);
	pthread_attr_getguardsize(&have, &guard);
	for (size_t i = 1; i < guard; i += PAGE)
		if (((volatile char *)base)[-(long)i])
			here[0]++;
	return NULL;
}

static void *nothing(void *unused)
{
	return unused;
}

static void guards_stay(void)
{
	pthread_t thread;
	int status;

	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	pid_t child = fork();

	if (child == 0) {
		pthread_create(&thread, NULL, overrun, NULL);
		pthread_join(thread, NULL);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static long size_kb(void)
{
	unsigned long pages;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	return (long)pages * PAGE / 1024;
}

static void run_crowd(size_t stack)
{
	pthread_attr_t attr;
	pthread_t threads[AT_ONCE];

	pthread_attr_init(&attr);
	CHECK_EQ(pthread_attr_setstacksize(&attr, stack), 0);
	for (int i = 0; i < AT_ONCE; i++)
		CHECK_EQ(pthread_create(&threads[i], &attr, nothing, NULL), 0);
	for (int i = 0; i < AT_ONCE; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void what_is_kept_is_little(void)
{
	run_crowd(200 * 1024);
	long before = size_kb();

	run_crowd(1 << 20);
	CHECK(size_kb() <= before);
	for (size_t kb = 32; kb < 240; kb += 16)
		run_crowd(kb * 1024);
	CHECK(size_kb() <= before + 8 * 256);
}

/* Nobody else writes to a stack in use. */
static void *write_and_check(void *number)
{
	volatile intptr_t words[512];

	for (int i = 0; i < 512; i++)
		words[i] = (intptr_t)number + i;
	sched_yield();
	for (int i = 0; i < 512; i++)
		if (words[i] != (intptr_t)number + i)
			return NULL;
	return number;
}

static void *make_threads(void *number)
{
	for (int i = 0; i < 100; i++) {
		pthread_t thread;
		void *result;

		if (pthread_create(&thread, NULL, write_and_check, number) ||
		    pthread_join(thread, &result) || result != number)
			return NULL;
	}
	return number;
}

static void no_stack_is_given_twice(void)
{
	pthread_t makers[12];
	void *result;

	for (intptr_t i = 0; i < 12; i++)
		CHECK_EQ(pthread_create(&makers[i], NULL, make_threads, (void *)(i + 1)), 0);
	for (intptr_t i = 0; i < 12; i++) {
		CHECK_EQ(pthread_join(makers[i], &result), 0);
		CHECK(result == (void *)(i + 1));
	}
}

static void a_forked_child_has_the_stacks_too(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(make_threads((void *)1) ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(status == 0);
}

int main(void)
{
	RUN(a_thread_s_own_data_is_fresh);
	RUN(each_gets_the_size_it_asks_for);
	RUN(guards_stay);
	RUN(what_is_kept_is_little);
	RUN(no_stack_is_given_twice);
	RUN(a_forked_child_has_the_stacks_too);
	return test_result();
}
