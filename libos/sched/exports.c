/* SPDX-License-Identifier: MIT */
/*
 * The functions of <libos/sched.h> under "what a library may call", and those that the compiler
 * calls by itself.  tests/script/load_scheduler.py compares the table with the header.
 */
#include "sched/exports.h"
#include <libos/sched.h>
#include "core/string.h"

#define EXPORT(function) { #function, (uint64_t)(function) }

static const struct {
	const char *name;
	uint64_t address;
} exports[] = {
	EXPORT(memcmp),
	EXPORT(memcpy),
	EXPORT(memmove),
	EXPORT(memset),

	EXPORT(sched_private),
	EXPORT(sched_cpu_private),

	EXPORT(sched_task_ref),
	EXPORT(sched_task_name),
	EXPORT(sched_task_process),
	EXPORT(sched_task_cpu),
	EXPORT(sched_task_nice),
	EXPORT(sched_task_policy),
	EXPORT(sched_task_priority),
	EXPORT(sched_task_runtime_ns),
	EXPORT(sched_task_deadline_ns),
	EXPORT(sched_task_period_ns),
	EXPORT(sched_task_inherits),
	EXPORT(sched_allowed),
	EXPORT(sched_slice_left_ns),
	EXPORT(sched_donated_ns),
	EXPORT(sched_ready_since_ns),

	EXPORT(sched_now_ns),
	EXPORT(sched_weight),
	EXPORT(sched_random),

	EXPORT(sched_cpu_count),
	EXPORT(sched_this_cpu),
	EXPORT(sched_cpu_is_idle),
	EXPORT(sched_cpu_queued),
	EXPORT(sched_resched),
	EXPORT(sched_running),
	EXPORT(sched_trace),

	EXPORT(sched_fifo_push_back),
	EXPORT(sched_fifo_push_front),
	EXPORT(sched_fifo_pop),
	EXPORT(sched_fifo_first),
	EXPORT(sched_fifo_last),
	EXPORT(sched_fifo_next),
	EXPORT(sched_fifo_previous),
	EXPORT(sched_fifo_remove),

	EXPORT(sched_ordered_insert),
	EXPORT(sched_ordered_pop),
	EXPORT(sched_ordered_first),
	EXPORT(sched_ordered_next),
	EXPORT(sched_ordered_remove),
	EXPORT(sched_ordered_count),
	EXPORT(sched_key),
};

uint64_t export_address(const char *name)
{
	for (unsigned i = 0; i < sizeof(exports) / sizeof(exports[0]); i++)
		if (strcmp(exports[i].name, name) == 0)
			return exports[i].address;
	return 0;
}
