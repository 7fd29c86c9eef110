/* SPDX-License-Identifier: MIT */
/* Until a task sleeps in a call, as /proc says: without guessing how long that takes.  One that has
 * ended does not sleep any more. */
#ifndef TESTS_GUEST_ASLEEP_H
#define TESTS_GUEST_ASLEEP_H

#include <sched.h>
#include <stdio.h>
#include "test.h"

static inline void wait_asleep(int process, int thread)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", process, thread);
	while (state != 'S') {
		sched_yield();
		f = fopen(path, "r");
		CHECK(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
		fclose(f);
		CHECK(state != 'Z');
	}
}

#endif
