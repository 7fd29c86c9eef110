/* SPDX-License-Identifier: MIT */
/* A program whose stack holds code, because the compiler put it there and said so (PT_GNU_STACK): the
 * trampoline of a nested function whose address is taken. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static int larger_first(const int *numbers, size_t count)
{
	int calls = 0;
	int compare(const void *a, const void *b)
	{
		calls++;
		return *(const int *)b - *(const int *)a;
	}
	int sorted[4];

	for (size_t i = 0; i < count; i++)
		sorted[i] = numbers[i];
	qsort(sorted, count, sizeof(sorted[0]), compare);
	CHECK(calls >= 3);
	return sorted[0] * 1000 + sorted[1] * 100 + sorted[2] * 10 + sorted[3];
}

static void nested_functions_are_called(void)
{
	CHECK_EQ(larger_first((const int[]){ 3, 9, 1, 4 }, 4), 9431);
}

/* So far down that the stack has to grow before the trampoline lies there. */
static int deep(int depth)
{
	volatile char room[8192];

	room[0] = (char)depth;
	return depth ? deep(depth - 1) + room[0] * 0 : larger_first((const int[]){ 1, 2, 3, 4 }, 4);
}

static void nested_functions_are_called_where_the_stack_grew(void)
{
	CHECK_EQ(deep(40), 4321);
}

static void a_child_may_do_so_too(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(deep(20) == 4321 ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

int main(void)
{
	RUN(nested_functions_are_called);
	RUN(nested_functions_are_called_where_the_stack_grew);
	RUN(a_child_may_do_so_too);
	return test_result();
}
