/* SPDX-License-Identifier: MIT */
/*
 * Evening out CPUs that are all busy.
 *
 * A new task goes where the fewest wait (place.c), and a CPU with nothing to do asks for work
 * (messages.c). What is uneven among CPUs that never run out of work stays so: of three tasks that only
 * compute, two share a CPU, and the third has one for itself.
 *
 * So a CPU at which somebody waits looks around when a slice ends.  If fewer wait at another CPU, and it
 * was so at each look for PERIOD_NS or longer, one task goes there: of those that wait the one that would
 * wait longest.  Where one waits here and nobody there, that evens out nothing but whose turn it is to be
 * alone; which is what it is for.
 *
 * Why nobody is moved to and fro: who has been moved stays until he has run, and for two periods, in which
 * his new CPU passes on others first, and no CPU passes on more than one in a period.  And what is moved
 * is what computes, as it has used up its last slice: who sleeps most of the time finds an idle CPU, if
 * there is one, at each wake, and who yields all the time has no slice that ends.
 *
 * Why a library that lets a task starve is found out all the same: the wait of a task goes on where it is
 * moved to (stall.c).
 *
 * Why several CPUs do not all send to the same one: nothing goes where something is on its way that has
 * not been taken, however long that CPU has no time for it.
 *
 * Why this and an idle CPU that asks do not get into each other's way: what has come into the mailbox is
 * dealt with before we look, so an asker has its answer, and the task that it got is not counted any more.
 * Whom a slice is promised to is in no queue, and a task that waits with a slice that it was given stays.
 *
 * Why it does not go to a CPU that is given up: we read online_cpus and send in one masked section, as
 * offline.c asks for.
 *
 * It costs a look at one word of each other CPU at the end of a slice, and nothing where nobody waits; a
 * switch does not know of it.
 *
 * A library that has select_cpu() places tasks itself, unless it is SCHED_EVENED_OUT, and one that is
 * SCHED_PARTITIONED wants them to stay.  One that has steal() is asked, and may refuse; whom it passes on,
 * and how often, is its own choice. If another library comes into force between our look and the task's
 * leaving, one task of it may be moved.
 */
#include "sched/balance.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "sched/library.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "sched/stall.h"
#include "time/time.h"

#define PERIOD_NS SCHED_MS(100)
#define LOOKED_AT_MAX 8 /* tasks: which are the last changes with each slice that ends */

static bool is_left_to_the_core(const struct vcore *v)
{
	uint32_t flags = v->queue.ops->flags;

	return (!run_queue_has_opinion(v) || (flags & SCHED_EVENED_OUT)) &&
	       !(flags & SCHED_PARTITIONED);
}

static bool has_task_on_its_way(int cpu)
{
	return atomic_load_explicit(&vcore_of((unsigned)cpu)->mailbox.tasks, memory_order_relaxed);
}

/* Of those allowed, the CPU where the fewest wait, if there are fewer than here; else -1. */
static int less_busy(const struct vcore *v, uint64_t allowed)
{
	uint64_t cpus = allowed & atomic_load_explicit(&online_cpus, memory_order_relaxed);
	unsigned fewest = sched_cpu_queued(v->cpu);
	int best = -1;

	for (unsigned i = 1; i < vcore_count; i++) {
		int cpu = (int)(((unsigned)v->cpu + i) % vcore_count);
		unsigned queued = sched_cpu_queued(cpu);

		if ((cpus >> cpu & 1) && queued < fewest && !has_task_on_its_way(cpu)) {
			fewest = queued;
			best = cpu;
		}
	}
	return best;
}

/* It is ready since it last ran: being moved does not change that. */
static bool has_run_since(const struct task *t, uint64_t then)
{
	return (int64_t)(t->ready_tsc - then) > 0;
}

/* The TSC of who moved it may be a little ahead of ours. */
static bool may_be_moved(const struct task *t, uint64_t now)
{
	return t->slice_ns == 0 && t->donated_ns == 0 && has_run_since(t, t->moved_tsc) &&
	       (int64_t)(now - t->moved_tsc) >= (int64_t)ns_to_tsc(2 * PERIOD_NS);
}

/* The core's choice, the last to come first, and where it may go.  NULL: none of those looked at may.  There
 * may be another at the next look. */
static struct task *find_task(const struct vcore *v, uint64_t now, int *cpu)
{
	unsigned looked_at = 0;

	for (struct list *at = v->queue.ready.prev; at != &v->queue.ready; at = at->prev) {
		struct task *t = list_entry(at, struct task, ready_link);

		*cpu = may_be_moved(t, now) ? less_busy(v, t->affinity) : -1;
		if (*cpu >= 0)
			return t;
		if (++looked_at == LOOKED_AT_MAX)
			break;
	}
	return NULL;
}

/* In nobody's queue any more; or NULL. */
static struct task *take_task(struct vcore *v, uint64_t now, int *cpu)
{
	struct task *t;

	if (v->queue.ops->steal) {
		v->queue.uneven_since_tsc = 0; /* it is asked once in a period, too */
		return run_queue_steal(v, (unsigned)*cpu);
	}
	t = find_task(v, now, cpu);
	if (t)
		run_queue_remove(v, t);
	return t;
}

void balance(struct vcore *v)
{
	uint64_t now = rdtsc();
	struct task *t;
	int cpu;

	ASSERT_INVARIANT(vcore_is_mine(v) && v->held_count == 0);
	sched_follow(v);
	cpu = is_left_to_the_core(v) ? less_busy(v, ~0ul) : -1;
	if (cpu < 0)
		v->queue.uneven_since_tsc = 0;
	else if (!v->queue.uneven_since_tsc)
		v->queue.uneven_since_tsc = now;
	if (cpu < 0 || now - v->queue.uneven_since_tsc < ns_to_tsc(PERIOD_NS))
		return;
	t = take_task(v, now, &cpu);
	if (!t)
		return;
	v->queue.uneven_since_tsc = 0;
	stall_pause(v, t);
	task_move(t, PLACE_QUEUED, PLACE_MAILBOX);
	t->message = MESSAGE_MIGRATE;
	t->moved_tsc = now;
	v->stats.migrations_out++;
	task_send(v, t, (unsigned)cpu);
}
