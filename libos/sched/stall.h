/* SPDX-License-Identifier: MIT */
/* Noticing that a scheduler library leaves a task in its queue. */
#ifndef LIBOS_SCHED_STALL_H
#define LIBOS_SCHED_STALL_H

#include <stdint.h>

struct run_queue;
struct sched_instance;
struct task;
struct vcore;

#define STALL_NEVER (~0ul) /* sched_instance.timeout_ticks */

/* How long a task may wait under an instance whose limit is timeout_ns; ~0: for ever. */
void stall_limit_set(struct sched_instance *s, uint64_t timeout_ns);

/* All of these: the owner of the queue, masked, no lock held. */

/* Another instance comes into force there. */
void stall_begin(struct vcore *v);
/* Its pick() has answered with a slice that is longer than all before. */
void stall_learn_slice(struct vcore *v, uint64_t slice_ns);
/* Brings run_queue.granted up to date. */
void stall_clock_advance(struct run_queue *q);
/* A queued task leaves, but not to run: it waits on, here or on another CPU ... */
void stall_pause(struct vcore *v, struct task *t);
/* ... where it has come into `ready`, as the last. */
void stall_go_on(struct vcore *v, struct task *t);
/* Ejects the library if a queued task has been waiting for longer than its limit. */
void stall_check(struct vcore *v);
/* When that must be called next; 0: there is nothing to check. */
uint64_t stall_check_due_tsc(const struct vcore *v);

#endif
