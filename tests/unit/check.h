/* SPDX-License-Identifier: MIT */
/*
 * Unit tests on the host: each tests/unit/NAME_test.c is a program whose main()
 * calls RUN(case) for each of its cases and returns check_result().  A case is a
 * void function named for what it shows; it uses CHECK() and CHECK_EQ(), which
 * report and go on, so that one run shows every failure.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdio.h>

static int check_failed_cases;
static int check_failures_in_case;

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);           \
			check_failures_in_case++;                                          \
		}                                                                          \
	} while (0)

#define CHECK_EQ(left, right)                                                              \
	do {                                                                               \
		long long check_left = (long long)(left);                                  \
		long long check_right = (long long)(right);                                \
		if (check_left != check_right) {                                           \
			printf("# %s:%d: %s is %lld, but %s is %lld\n", __FILE__, __LINE__, \
			       #left, check_left, #right, check_right);                    \
			check_failures_in_case++;                                          \
		}                                                                          \
	} while (0)

/* Runs one case and prints its `ok NAME` or `not ok NAME` line for tests/run. */
#define RUN(test)                                                                          \
	do {                                                                               \
		check_failures_in_case = 0;                                                \
		test();                                                                    \
		printf("%sok %s\n", check_failures_in_case ? "not " : "", #test);          \
		check_failed_cases += check_failures_in_case != 0;                         \
	} while (0)

static inline int check_result(void)
{
	return check_failed_cases != 0;
}

#endif
