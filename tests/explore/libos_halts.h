/* SPDX-License-Identifier: MIT */
/* For a case of the explorer in which a CPU with nothing to do halts at once. */
#ifndef TESTS_EXPLORE_LIBOS_HALTS_H
#define TESTS_EXPLORE_LIBOS_HALTS_H

#include "core/idle_poll.h"

bool idle_poll(struct vcore *v)
{
	return false;
}

void idle_poll_learn(struct vcore *v, uint64_t idle_tsc)
{
}

bool idle_poll_settles(const struct vcore *v, unsigned victim)
{
	return false;
}

#endif
