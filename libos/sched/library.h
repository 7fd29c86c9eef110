/* SPDX-License-Identifier: MIT */
/* Which scheduler library is in force, and calling it. */
#ifndef LIBOS_SCHED_LIBRARY_H
#define LIBOS_SCHED_LIBRARY_H

#include <libos/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/mutex.h"
#include "core/vcore.h"
#include "sched/instance.h"
#include "sched/run_queue.h"

/* Task context: libraries are loaded, unloaded, swapped and tuned one at a time. */
extern struct mutex sched_mutex;

/* Boot, or under sched_mutex: a library by its name, a loaded one first; NULL if there is none. */
const struct sched_ops *library_find(const char *name);
/* registry.c: NULL, or what is not as <libos/sched.h> asks for. */
const char *sched_ops_wrong(const struct sched_ops *ops);
/*
 * Under sched_mutex, the library not in force: when this returns, no CPU is in one of its callbacks,
 * or ever will be, and its instances are freed.
 */
void sched_leave_all(const struct sched_ops *ops);

extern struct sched_instance *_Atomic sched_in_force;
/* Any CPU reads both; they are written under sched_swap_lock, this after the other: its generation, which no
 * other coming into force has had. */
extern _Atomic uint32_t sched_generation;

/* For a panic's report: the library that was ejected last, or NULL.  What it points to stays readable. */
extern const struct sched_ops *_Atomic sched_ejected;

/* The instance in force.  Acquire: what it points to is complete. */
static inline struct sched_instance *sched_instance(void)
{
	return atomic_load_explicit(&sched_in_force, memory_order_acquire);
}

/* Boot CPU, before any task runs: the library that sched= names, or the default. */
void sched_init(const char *name);

/* A CPU starts taking part; masked. */
void sched_cpu_start(struct vcore *v);
/* Its opposite: the library in force calls no more on this CPU. */
void sched_cpu_stop(struct vcore *v);

/* report.c.  This CPU, masked: who did what, where, when, about whom, and what came before, to the
 * log.  `fate` says what becomes of it. */
void sched_report(struct vcore *v, const struct sched_ops *ops, const struct sched_exit *why,
		  const char *fate);

struct text;
/* api.c.  Task context, no lock held: every CPU's state and queue, one after the other. */
void sched_dump_text(struct text *out);

/* Out of the way of sched_follow(), which is called at every step and has nothing to do. */
void sched_follow_now(struct vcore *v);

/* This CPU, masked, no callback running: follows to the instance in force, handing over the queued
 * tasks.  Cheap when there is nothing to do. */
static inline bool sched_is_followed(const struct vcore *v)
{
	return v->queue.generation == atomic_load_explicit(&sched_generation, memory_order_acquire);
}

static inline void sched_follow(struct vcore *v)
{
	if (!sched_is_followed(v))
		sched_follow_now(v);
}

/*
 * Replaces the library in force by the FIFO because of what it did, unless it has been replaced
 * already.  This CPU, masked, no callback running; follows at once.
 */
void sched_eject(struct vcore *v, enum sched_exit_reason reason, const char *callback,
		 struct task_ref task, uint64_t detail);

/* The ops of the built-in FIFO: everything is the core's default. */
extern const struct sched_ops sched_fifo_ops;

#endif
