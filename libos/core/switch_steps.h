/* SPDX-License-Identifier: MIT */
/* What the two ways from one task to the next have in common (switch.c, hand_over.c): this CPU, masked. */
#ifndef LIBOS_SWITCH_STEPS_H
#define LIBOS_SWITCH_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/exo.h"
#include "core/task_registers.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "time/time.h"

/* Its address space cannot be loaded: the end of the domain. */
__attribute__((cold)) _Noreturn void switch_space_bug(const struct task *t, int64_t error);

/* t, which runs, has used the CPU up to now; true: the library has been told. */
static inline bool switch_charge(struct vcore *v, struct task *t)
{
	uint64_t now = rdtsc();
	uint64_t ns = vcore_ns(v, now - v->ran_since_tsc);

	v->ran_since_tsc = now;
	__asm__ volatile("" : : : "memory"); /* time/cpu_clock.c relies on the order */
	t->user_ns += ns; /* a system call is a function call: its time is the program's */
	/* Rounded up: were the end of a slice that is given a tick before that of the giver's, the timer
	 * would have to be set anew. */
	t->slice_ns = v->slice_end_tsc > now ? vcore_ns(v, v->slice_end_tsc - now) + 1 : 0;
	return run_queue_charge(v, t, ns);
}

/* False: the kernel gave this CPU to another vcore since `token` was read; decide again. */
static inline bool switch_space(struct vcore *v, const struct task *t, uint64_t token)
{
	exo_handle space = t->space;
	int64_t r;

	if (!space || space == v->space)
		return true;
	r = exo_switch(space, token);
	if (r == -EAGAIN)
		return false;
	if (r < 0)
		switch_space_bug(t, r);
	v->space = space;
	v->stats.space_switches++;
	return true;
}

/* The time at which the last task left, unless another domain has had the CPU since, or what may take longer
 * than a slice, events or a library, had it. */
static inline void switch_clock(struct vcore *v)
{
	if (v->page->token != v->left_token)
		v->ran_since_tsc = rdtsc();
}

/* The heir runs. */
static inline void switch_take_heir(struct vcore *v, struct task *heir)
{
	v->heir = NULL;
	v->stats.direct_switches++;
	task_move(heir, PLACE_MAILBOX, PLACE_RUNNING);
}

/* How long t, which runs now, waited for that since it was woken.  The waker's TSC may be a little ahead of
 * ours. */
static inline void switch_count_latency(struct vcore *v, struct task *t)
{
	uint64_t ns = 1;
	unsigned bucket;

	if (!t->woken_tsc)
		return;
	if (v->ran_since_tsc > t->woken_tsc)
		ns |= vcore_ns(v, v->ran_since_tsc - t->woken_tsc);
	t->woken_tsc = 0;
	bucket = 63u - (unsigned)__builtin_clzl(ns);
	v->stats.latency[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
}

/* t, which has been taken from where it was, is the current task, with all of its registers but those on its
 * stack. */
static inline void switch_run(struct vcore *v, struct task *t)
{
	ASSERT_INVARIANT(list_empty(&t->ready_link)); /* I2 */
	ASSERT_INVARIANT(!atomic_load(&t->on_cpu) && atomic_load(&t->home) == v->cpu);
	task_set_state(t, TASK_RUNNING);
	/* Sequentially consistent: core/notice.c argues why. */
	atomic_store(&t->on_cpu, true);
	switch_clock(v);
	v->current = t; /* after ran_since_tsc: time/cpu_clock.c reads them from elsewhere */
	v->steal_tried = 0;
	v->stats.switches++;
	switch_count_latency(v, t);
	task_registers_load(t);
}

#endif
