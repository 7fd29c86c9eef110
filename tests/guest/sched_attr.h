/* SPDX-License-Identifier: MIT */
/* <linux/sched/types.h> has it, but also a struct sched_param, which <sched.h> has too. */
#ifndef TESTS_GUEST_SCHED_ATTR_H
#define TESTS_GUEST_SCHED_ATTR_H

#include <stdint.h>

struct sched_attr {
	uint32_t size, sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
	uint32_t sched_util_min, sched_util_max;
};

#endif
