/* SPDX-License-Identifier: MIT */
/* Which CPU a task goes to, and which CPUs have nothing to do. */
#ifndef LIBOS_PLACE_H
#define LIBOS_PLACE_H

#include <libos/sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct task;
struct vcore;

/* A bit for each CPU that has nothing to run.  Set by that CPU; cleared by whoever gives it something
 * to do, and by itself when it runs something. */
extern _Atomic uint64_t idle_cpus;

/* A bit for each CPU that takes part: set and cleared by that CPU (offline.c says what for).  Who sends it
 * something looks at its bit and sends in one masked section. */
extern _Atomic uint64_t online_cpus;
/* A bit for each that has taken part and does not any more: its timers are looked after by the first one
 * that is online. */
extern _Atomic uint64_t away_cpus;

static inline bool cpu_is_online(unsigned cpu)
{
	return atomic_load_explicit(&online_cpus, memory_order_relaxed) >> cpu & 1;
}

/* This CPU, masked, no lock held: where shall a task that is in flight be queued? */
unsigned place_choose(struct vcore *v, struct task *t, enum sched_why why);

/* This CPU, masked: t was queued here; if it has to wait although a CPU is idle, that one is told. */
void place_offer(struct vcore *v, const struct task *t);

#endif
