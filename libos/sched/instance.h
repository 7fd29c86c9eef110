/* SPDX-License-Identifier: MIT */
/* A scheduler library with its private memory, for library.c. */
#ifndef LIBOS_SCHED_INSTANCE_H
#define LIBOS_SCHED_INSTANCE_H

#include <libos/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/lock.h"

/* Used again when its library is asked for again, and freed only by sched_leave_all(): so CPUs may read
 * one that has just been replaced. */
struct sched_instance {
	/* Fixed. */
	const struct sched_ops *ops;
	uint64_t timeout_ticks, look_ticks; /* stall.c */
	void *cpu_private; /* cpu_stride bytes for each CPU */
	size_t cpu_stride; /* ops->cpu_size, rounded up to cache lines */

	/* Under sched_swap_lock; each coming into force has its own, even of the same instance. */
	_Atomic uint32_t generation;

	/* Under sched_swap_lock: CPUs whose queue it has.  exit() is called when there are none and it
	 * is not in force any more. */
	unsigned users;
	bool at_rest;          /* not in force, and exit() has returned: may be used again */
	struct sched_exit why; /* written by whoever replaced it */
	struct sched_instance *next; /* every instance but the built-in FIFO's */
};

struct vcore;

extern struct lock sched_swap_lock;

/* Task context, under sched_mutex: one that is not at rest any more.  0, -EINVAL or -ENOMEM. */
int instance_create(const struct sched_ops *ops, struct sched_instance **out);
/* It is out of force, or has never come into it. */
void instance_rest(struct sched_instance *s);
/* Is one of ops in force, or some CPU still in it? */
bool instance_is_used(const struct sched_ops *ops);
/* Under sched_swap_lock: are all at rest but s, and the built-in FIFO? */
bool instances_rest_but(const struct sched_instance *s);
/* Those of ops that are at rest, no longer among the others, linked by `next`. */
struct sched_instance *instances_take(const struct sched_ops *ops);

/* ---- library.c, for swap.c.  This CPU, masked, no callback running. */

/* The FIFO's: it needs no memory and cannot refuse, so that it can always take over. */
extern struct sched_instance sched_fifo_instance;

/* Makes s the one in force.  Unless `expect` is not in force any more: then somebody else was
 * first. */
bool instance_install(struct vcore *v, struct sched_instance *s, struct sched_instance *expect,
		      const struct sched_exit *why);
/* The other CPUs are told that another is in force. */
void instance_tell_all(struct vcore *v);
/* Calls init(): 0, or the error that keeps the library out of force; it has been reported. */
int instance_start(struct vcore *v, struct sched_instance *s);

/* swap.c, for library.c: an instance has come to rest. */
void swap_end_if_alone(struct vcore *v);

#endif
