/* SPDX-License-Identifier: MIT */
/*
 * Run queues of a libos for the explorer: they hold what they are given, in order, and there is no
 * scheduler library with an opinion.  Include it once, after sched/place.c.
 */
#ifndef TESTS_EXPLORE_LIBOS_QUEUES_H
#define TESTS_EXPLORE_LIBOS_QUEUES_H

#include "core/list.h"
#include "core/task_state.h"
#include "libos_vcores.h"
#include "sched/place.h"
#include "time/time.h"

unsigned vcore_count;

/* ---------------------------------------------------------------- what the code under test calls */

/* There is one library, and nobody wants another. */
static const struct sched_ops no_ops;
static struct sched_instance library;
struct sched_instance *_Atomic sched_in_force = &library;
_Atomic uint32_t sched_generation;

void sched_follow_now(struct vcore *v)
{
	v->queue.instance = &library;
}

void run_queue_remove(struct vcore *v, struct task *t)
{
	list_remove(&t->ready_link);
	atomic_fetch_sub_explicit(&v->queue.count, 1, memory_order_relaxed);
}

struct task *run_queue_oldest(const struct vcore *v)
{
	return list_entry(v->queue.ready.next, struct task, ready_link);
}

struct task *run_queue_steal(struct vcore *v, unsigned thief)
{
	struct task *t = list_empty(&v->queue.ready) ? NULL : run_queue_oldest(v);

	if (t)
		run_queue_remove(v, t);
	return t;
}

bool run_queue_has_opinion(const struct vcore *v)
{
	return false;
}

int run_queue_select_cpu(struct vcore *v, struct task *t, int prev, enum sched_why why)
{
	return -1;
}

unsigned sched_cpu_queued(int cpu)
{
	return atomic_load_explicit(&vcore_of(cpu)->queue.count, memory_order_relaxed);
}

bool sched_allowed(const struct task *t, int cpu)
{
	return t->affinity >> cpu & 1;
}

uint64_t tsc_to_ns(uint64_t ticks)
{
	return ticks;
}

uint64_t ns_to_tsc(uint64_t ns)
{
	return ns;
}

void task_put(struct task *t)
{
}

/* Nobody's patience ends here. */
void stall_pause(struct vcore *v, struct task *t)
{
}

/* ---------------------------------------------------------------- for the case */

/* What the case's run_queue_add() does at least. */
static void queue_add(struct vcore *v, struct task *t)
{
	EXPLORE_CHECK(task_state(t) == TASK_RUNNABLE && task_place(t) == PLACE_QUEUED);
	EXPLORE_CHECK(list_empty(&t->ready_link) && t->home == v->cpu);
	list_push_back(&v->queue.ready, &t->ready_link);
	atomic_fetch_add(&v->queue.count, 1);
}

/* Setup: a task that waits there from the beginning. */
static inline void queue_setup_task(unsigned cpu, struct task *t)
{
	t->state = TASK_RUNNABLE;
	t->where = PLACE_QUEUED;
	t->home = (int16_t)cpu;
	list_push_back(&vcore_of(cpu)->queue.ready, &t->ready_link);
	vcore_of(cpu)->queue.count = 1;
}

static void queue_setup_cpu(unsigned cpu)
{
	vcore_setup(cpu);
	list_init(&vcore_of(cpu)->queue.ready);
	vcore_of(cpu)->queue.ops = &no_ops;
	online_cpus |= 1ul << cpu;
	vcore_count++;
}

/* The others are not there. */
static void queues_setup(unsigned cpus)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		memset(vcore_of(cpu), 0, sizeof(*vcore_of(cpu)));
	idle_cpus = online_cpus = 0;
	vcore_count = 0;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		queue_setup_cpu(cpu);
	explore_name(&idle_cpus, sizeof(idle_cpus), "idle_cpus");
}

#endif
