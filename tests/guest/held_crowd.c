/* SPDX-License-Identifier: MIT */
/* More processes at once than there ever were: their stacks are kept for others, and nothing else is. */
#include "test.h"
#include "held.h"
#include <sys/wait.h>

#define CROWD 200

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

int main(void)
{
	RUN(a_crowd_leaves_nothing_behind);
	return test_result();
}
