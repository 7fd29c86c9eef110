/* SPDX-License-Identifier: MIT */
/*
 * The scheduler library in force: which it is on each CPU, and ejecting it.  Swapping it: swap.c.
 *
 *	sched_in_force ---> instance 3: rr        each CPU has its own idea of what is in force
 *	                    instance 2: fifo      (run_queue.generation), and follows when it next
 *	                    instance 1: lottery   comes by, handing its own queue over
 *
 * So no CPU touches another's queue.  A library's exit() is called by the last CPU that leaves it; until
 * then its callbacks may still run on others.
 */
#include "sched/library.h"
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/task.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "sched/stall.h"
#include "time/time.h"
#include "trace/trace.h"

#define ERRNO_LAST 4095 /* what a call can return as an error */

const struct sched_ops sched_fifo_ops = { .name = "fifo", .abi = SCHED_ABI };

struct mutex sched_mutex;

struct sched_instance sched_fifo_instance = { .ops = &sched_fifo_ops, .timeout_ticks = STALL_NEVER };

struct sched_instance *_Atomic sched_in_force;
_Atomic uint32_t sched_generation;
const struct sched_ops *_Atomic sched_ejected;

/* Under sched_swap_lock. */
static uint32_t generations;

/* Masked, so that the instance is not left and freed in between; its library's name stays. */
const char *sched_current_name(void)
{
	const char *name;

	upcalls_mask();
	name = sched_instance()->ops->name;
	upcalls_unmask();
	return name;
}

static struct sched_exit why_abandoned(const struct vcore *v)
{
	const struct sched_guard *g = &v->queue.guard;

	return (struct sched_exit){ .reason = g->reason, .cpu = v->cpu, .callback = g->callback,
				    .detail = g->detail, .task = g->task };
}

/* exit() was abandoned: there is nothing left to be ejected. */
static void report_end(struct vcore *v, const struct sched_ops *ops)
{
	struct sched_exit why = why_abandoned(v);

	sched_report(v, ops, &why, "ended badly");
}

/*
 * The last CPU has left s, or it never had one.  This CPU, masked, no callback running.
 *
 * Nobody comes to it any more: a CPU goes to an instance under the swap lock, and only to the one
 * in force.
 */
static void retire(struct vcore *v, struct sched_instance *s)
{
	/* Its private state is what exit() sees, not that of its successor. */
	v->queue.visited = s;
	if (s->ops->exit)
		guard_call(v, "exit", (void *)s->ops->exit, RESULT_NONE, NULL, (uint64_t)&s->why, 0, 0);
	v->queue.visited = NULL;
	if (v->queue.guard.failed)
		report_end(v, s->ops);
	v->queue.guard.failed = false;
	instance_rest(s);
	swap_end_if_alone(v);
}

bool instance_install(struct vcore *v, struct sched_instance *s, struct sched_instance *expect,
		    const struct sched_exit *why)
{
	bool done = false, unused = false;

	lock_acquire(&sched_swap_lock);
	if (sched_instance() == expect) {
		if (expect) {
			expect->why = *why;
			unused = expect->users == 0;
		}
		atomic_store_explicit(&s->generation, ++generations, memory_order_relaxed);
		atomic_store_explicit(&sched_in_force, s, memory_order_release);
		/* Release: who finds this one follows to that instance, or to a later one. */
		atomic_store_explicit(&sched_generation, generations, memory_order_release);
		done = true;
	}
	lock_release(&sched_swap_lock);
	if (unused)
		retire(v, expect);
	return done;
}

void instance_tell_all(struct vcore *v)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		if ((int)cpu != v->cpu && cpu_is_online(cpu))
			vcore_ring_if(cpu, !atomic_fetch_or(&vcore_of(cpu)->mailbox.flags,
							    MAILBOX_RESCHED));
}

/* What runs was given its slice by the other library, which may have thought it could be for ever.
 * The caller programs the timer. */
static void shorten_slice(struct vcore *v)
{
	uint64_t latest = rdtsc() + ns_to_tsc(SCHED_SLICE_DEFAULT_NS);

	if (v->current && v->slice_end_tsc > latest)
		v->slice_end_tsc = latest;
}

static void follow_once(struct vcore *v)
{
	struct sched_instance *now, *old = v->queue.instance;
	bool last;

	lock_acquire(&sched_swap_lock);
	now = sched_instance();
	now->users++;
	last = old && --old->users == 0 && old != now;
	lock_release(&sched_swap_lock);
	trace(v, TRACE_SCHED, 0, 0, 0, trace_word(now->ops->name));
	shorten_slice(v);
	run_queue_hand_over(v, now);
	if (last)
		retire(v, old);
}

/* The last that leaves a library may have put another in force. */
void sched_follow_now(struct vcore *v)
{
	do
		follow_once(v);
	while (!sched_is_followed(v));
}

void sched_eject(struct vcore *v, enum sched_exit_reason reason, const char *callback,
		 struct task_ref task, uint64_t detail)
{
	struct sched_instance *old = v->queue.instance;
	struct sched_exit why = { .reason = reason, .cpu = v->cpu, .callback = callback,
				  .detail = detail, .task = task };

	v->queue.guard.failed = false;
	if (old->ops == &sched_fifo_ops)
		libos_panic("the built-in scheduler: reason %d, detail %lx", reason, detail);
	trace(v, TRACE_EJECT, 0, reason, 0, trace_word(old->ops->name));
	if (instance_install(v, &sched_fifo_instance, old, &why)) {
		atomic_store_explicit(&sched_ejected, old->ops, memory_order_relaxed);
		sched_report(v, old->ops, &why, "is ejected, and fifo takes over");
		instance_tell_all(v);
	} else if (old->why.reason == SCHED_EXIT_SWAPPED) {
		/* Who replaced it has said so under the swap lock, and it is ours until we follow. */
		sched_report(v, old->ops, &why, "fails while it is swapped out");
	}
	sched_follow(v);
}

int instance_start(struct vcore *v, struct sched_instance *s)
{
	struct sched_exit why = { .reason = SCHED_EXIT_INIT, .cpu = v->cpu, .callback = "init" };
	struct sched_run r;
	int error;

	if (!s->ops->init)
		return 0;
	v->queue.visited = s;
	r = guard_call(v, "init", (void *)s->ops->init, RESULT_NUMBER, NULL, vcore_count, 0, 0);
	v->queue.visited = NULL;
	error = (int)(uint64_t)r.task;
	why.detail = (uint64_t)error;
	if (v->queue.guard.failed) {
		why = why_abandoned(v);
		v->queue.guard.failed = false;
		error = -EINVAL;
	}
	if (error == 0)
		return 0;
	sched_report(v, s->ops, &why, "is not put in force");
	/* Whatever it was, an error is seen. */
	return error < 0 && error >= -ERRNO_LAST ? error : -EINVAL;
}

static void follow_here(void *unused)
{
	sched_follow(this_vcore());
}

/*
 * A CPU that has answered has followed to what is in force, as one that comes later will, which
 * `ops` is not, and cannot become while we have the mutex.  One that is just being given up is not asked: it
 * leaves by itself, soon.  The last one to leave has been through exit() when the instance is at rest.
 */
void sched_leave_all(const struct sched_ops *ops)
{
	struct sched_instance *s, *next;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		(void)message_call_wait(cpu, follow_here, NULL);
	while (instance_is_used(ops))
		task_yield();
	for (s = instances_take(ops); s; s = next) {
		next = s->next;
		heap_free(s->cpu_private);
		heap_free(s);
	}
}

void sched_cpu_start(struct vcore *v)
{
	sched_follow(v);
}

/* The CPU has nothing queued, and nothing will come. Whatever is in force when it comes again,
 * it is told. */
void sched_cpu_stop(struct vcore *v)
{
	struct sched_instance *old;
	bool last;

	sched_follow(v);
	run_queue_leave(v);
	lock_acquire(&sched_swap_lock);
	old = v->queue.instance;
	last = --old->users == 0 && old != sched_instance();
	lock_release(&sched_swap_lock);
	if (last)
		retire(v, old);
	/* Who waits for the end of a swap may have been woken by us.  The FIFO has no opinion on where. */
	v->queue.instance = &sched_fifo_instance;
	run_queue_set_ops(&v->queue, &sched_fifo_ops);
	v->queue.generation = 0;
	wakes_deliver(v);
	v->queue.instance = NULL;
}

void sched_init(const char *name)
{
	const struct sched_ops *ops = library_find(name);
	const struct sched_exit why = { .reason = SCHED_EXIT_SWAPPED, .callback = "" };
	struct sched_instance *s = NULL;
	int r;

	guard_init();
	mutex_init(&sched_mutex, "scheduler libraries", MUTEX_SCHED);
	if (!ops)
		log_print("libos: there is no scheduler %s; fifo takes its place\n", name);
	instance_install(this_vcore(), &sched_fifo_instance, NULL, NULL);
	if (!ops || ops == &sched_fifo_ops)
		return;
	r = instance_create(ops, &s);
	if (r)
		log_print("libos: scheduler %s is not put in force: error %d\n", name, r);
	else if (instance_start(this_vcore(), s) == 0)
		instance_install(this_vcore(), s, &sched_fifo_instance, &why);
	else
		instance_rest(s);
}
