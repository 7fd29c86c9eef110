/* SPDX-License-Identifier: MIT */
/* See attach.h. */
#include "sched/attach.h"
#include <libos/sched.h>
#include "core/string.h"
#include "core/task.h"

void attach_now(struct vcore *v, struct task *t)
{
	memset(t->sched_private, 0, v->queue.ops->task_size);
	t->sched_generation = v->queue.generation;
	t->sched_core_only = false;
	t->run_queue = NULL;
	if (v->queue.ops->attach)
		t->sched_core_only = (int)(uint64_t)CALL(v, attach, RESULT_NUMBER, t, t, 0, 0).task != 0;
}

static long param_value(const struct task *t, enum sched_parameter key)
{
	switch (key) {
	case SCHED_PARAM_NICE:
		return t->nice;
	case SCHED_PARAM_POLICY:
		return t->policy;
	case SCHED_PARAM_PRIORITY:
		return t->rt_priority;
	case SCHED_PARAM_RUNTIME:
		return (long)t->runtime_ns;
	case SCHED_PARAM_DEADLINE:
		return (long)t->deadline_ns;
	case SCHED_PARAM_PERIOD:
		return (long)t->period_ns;
	default:
		return (long)t->affinity;
	}
}

void attach_tell_params(struct vcore *v, struct task *t)
{
	uint32_t changed = atomic_exchange(&t->sched_changed, 0);

	if (!v->queue.ops->setparam || t->sched_core_only)
		return;
	for (int key = SCHED_PARAM_NICE; key < SCHED_PARAMS && !v->queue.guard.failed; key++)
		if (changed & (1u << key))
			CALL(v, setparam, RESULT_NONE, t, t, key,
			     param_value(t, (enum sched_parameter)key));
}
