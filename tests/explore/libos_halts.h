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

int idle_poll_victim(const struct vcore *v, int (*find)(const struct vcore *v))
{
	return find(v);
}

#endif
