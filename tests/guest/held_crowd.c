/* SPDX-License-Identifier: MIT */
/* More processes at once than there ever were: their stacks are kept for others, and nothing else is. */
#define _GNU_SOURCE
#include "test.h"
#include "held.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CROWD 200
#define TABLE_REACH (2ul << 20)
#define AREA (3 * TABLE_REACH)
#define PAIRS 24

/* Each waits until the last is there. */
static void gather(unsigned count)
{
	int gate[2];
	char byte;

	CHECK_EQ(pipe(gate), 0);
	for (unsigned i = 0; i < count; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			close(gate[1]);
			_exit(read(gate[0], &byte, 1) != 0);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (unsigned i = 0; i < count; i++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

static void a_crowd_leaves_nothing_behind(void)
{
	struct held before;

	gather(2); /* what is made once, and stays */
	before = held_now();
	gather(CROWD);
	CHECK(held_returns_to(&before));
}

static void touch(char *area)
{
	for (size_t at = 0; at < AREA; at += TABLE_REACH)
		area[at]++;
}

/* Each has a child, and ends before it: page tables that the two have shared are left to the child. */
static void end_before_children(unsigned count)
{
	int parents_gate[2], gate[2], ready[2];
	char byte, *area;

	CHECK(pipe(parents_gate) == 0 && pipe(gate) == 0 && pipe(ready) == 0);
	for (unsigned i = 0; i < count; i++) {
		if (fork() != 0)
			continue;
		close(parents_gate[1]);
		close(gate[1]);
		area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(area != MAP_FAILED);
		touch(area);
		if (fork() == 0)
			_exit(read(gate[0], &byte, 1) != 0);
		touch(area);
		_exit(write(ready[1], "x", 1) != 1 || read(parents_gate[0], &byte, 1) != 0);
	}
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(parents_gate[1]);
	for (unsigned i = 0; i < count; i++)
		CHECK(wait(NULL) > 0);
	close(gate[1]);
	for (unsigned i = 0; i < count; i++)
		CHECK(wait(NULL) > 0);
	close(parents_gate[0]);
	close(gate[0]);
	close(ready[0]);
	close(ready[1]);
}

static void what_children_keep_is_not_counted_for_their_parents(void)
{
	struct held before, after;

	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	end_before_children(2);
	/* What looked after the program before us (timeout) ends up to a second after it. */
	do {
		before = held_now();
		end_before_children(PAIRS);
		CHECK(held_returns_to(&before));
		after = held_now();
	} while (after.kind[HELD_PROCESSES] < before.kind[HELD_PROCESSES]);
	CHECK_EQ(after.kind[HELD_FRAMES], before.kind[HELD_FRAMES]);
}

int main(void)
{
	RUN(a_crowd_leaves_nothing_behind);
	RUN(what_children_keep_is_not_counted_for_their_parents);
	return test_result();
}
