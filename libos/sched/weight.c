/* SPDX-License-Identifier: MIT */
/* The share that a nice value stands for: see libos/sched.h.  Pure: also built for the host. */
#include <libos/sched.h>

#define WEIGHT_IDLE 3

/*
 * A quarter for each step, so that one step moves a tenth of the CPU from one of two tasks to the
 * other.  Sixteen more bits meanwhile, so that rounding does not add up.
 */
unsigned sched_weight(int policy, int nice)
{
	uint64_t weight = (uint64_t)SCHED_WEIGHT_NICE_0 << 16;

	if (policy == SCHED_POLICY_IDLE)
		return WEIGHT_IDLE;
	for (; nice < 0; nice++)
		weight = weight * 5 / 4;
	for (; nice > 0; nice--)
		weight = weight * 4 / 5;
	return (unsigned)((weight + (1 << 15)) >> 16);
}
