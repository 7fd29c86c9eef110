/* SPDX-License-Identifier: MIT */
/* Which CPU a task goes to, and which CPUs have nothing to do. */
#ifndef LIBOS_PLACE_H
#define LIBOS_PLACE_H

#include <libos/sched.h>
#include <stdatomic.h>
#include <stdint.h>

struct task;
struct vcore;

/* A bit for each CPU that has nothing to run.  Set by that CPU; cleared by whoever gives it something
 * to do, and by itself when it runs something. */
extern _Atomic uint64_t idle_cpus;

/* A bit for each CPU that has been entered: set by it, and never cleared. */
extern _Atomic uint64_t online_cpus;

/* This CPU, masked, no lock held: where shall a task that is in flight be queued? */
unsigned place_choose(struct vcore *v, struct task *t, enum sched_why why);

/* This CPU, masked: t was queued here; if it has to wait although a CPU is idle, that one is told. */
void place_offer(struct vcore *v, const struct task *t);

#endif
