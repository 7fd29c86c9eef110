/* SPDX-License-Identifier: MIT */
/*
 * Tests that run inside the system.  Each tests/guest/NAME.c is a program, built by
 * exo-cc and installed as /tests/NAME; tests/run starts all of them in one boot for
 * each number of CPUs.
 *
 *     static void pipe_keeps_order(void)
 *     {
 *             ...
 *             CHECK(n == 5);
 *     }
 *
 *     int main(void)
 *     {
 *             RUN(pipe_keeps_order);
 *             return test_result();
 *     }
 *
 * A case ends at the first CHECK that does not hold: what follows would rest on it.  In a child of the
 * program's that is the child's end, with status 1 and a line that says why.
 */
#ifndef TESTS_GUEST_TEST_H
#define TESTS_GUEST_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static jmp_buf test_end_of_case;
static pid_t test_process; /* that runs the cases */
static char test_reason[256];
static int test_failures;

static inline _Noreturn void test_fails(void)
{
	if (getpid() == test_process)
		longjmp(test_end_of_case, 1);
	printf("# in a child: %s\n", test_reason);
	fflush(stdout);
	_exit(1);
}

/* Only in the thread that called RUN: other threads hand their findings to it. */
#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			snprintf(test_reason, sizeof(test_reason), "line %d: %s (errno %d %s)", \
				 __LINE__, #condition, errno, strerror(errno));            \
			test_fails();                                                      \
		}                                                                          \
	} while (0)

#define CHECK_EQ(left, right)                                                              \
	do {                                                                               \
		long long test_left = (long long)(left), test_right = (long long)(right);  \
		if (test_left != test_right) {                                             \
			snprintf(test_reason, sizeof(test_reason),                         \
				 "line %d: %s is %lld, %s is %lld (errno %d)", __LINE__,   \
				 #left, test_left, #right, test_right, errno);             \
			test_fails();                                                      \
		}                                                                          \
	} while (0)

static inline void test_run(const char *name, void (*test)(void))
{
	test_process = getpid();
	if (setjmp(test_end_of_case) == 0) {
		test();
		printf("ok %s\n", name);
	} else {
		printf("not ok %s: %s\n", name, test_reason);
		test_failures++;
	}
	fflush(stdout);
}

#define RUN(test) test_run(#test, test)

static inline int test_result(void)
{
	return test_failures != 0;
}

#endif
