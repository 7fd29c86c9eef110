/* SPDX-License-Identifier: MIT */
/* The state machine of tasks: see task_state.h. */
#include "core/task_state.h"
#include "core/log.h"

static const char *const state_names[TASK_STATES] = { "runnable", "running", "blocking", "blocked",
						      "zombie" };

void task_state_bug(const struct task *t, enum task_state to)
{
	libos_panic("task %u (%s): %s -> %s", t->self.id, t->name, state_names[task_state(t)],
		    state_names[to]);
}

void task_place_bug(const struct task *t, enum task_place from, enum task_place to)
{
	libos_panic("task %u (%s): moved from place %d to %d, but it is in %d", t->self.id, t->name,
		    from, to, task_place(t));
}
