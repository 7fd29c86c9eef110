/* SPDX-License-Identifier: MIT */
/*
 * A library meets a task, and hears what has changed of it: for run_queue.c.  This CPU, masked, no lock held;
 * the task is in no queue, or just queued here.  queue.guard.failed says whether the callback was abandoned.
 */
#ifndef LIBOS_SCHED_ATTACH_H
#define LIBOS_SCHED_ATTACH_H

#include "core/vcore.h"

struct task;

/* A callback's name and address; the kind of its result; the task that it is about, or NULL. */
#define CALL(v, callback, kind, t, a, b, c) \
	guard_call(v, #callback, (void *)(v)->queue.ops->callback, kind, t, \
		   (uint64_t)(a), (uint64_t)(b), (uint64_t)(c))

/* The library has not met it. */
void attach_now(struct vcore *v, struct task *t);
/* What it has not been told of the task's parameters. */
void attach_tell_params(struct vcore *v, struct task *t);

#endif
