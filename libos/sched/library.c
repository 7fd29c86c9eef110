/* SPDX-License-Identifier: MIT */
/*
 * The scheduler library in force: choosing, swapping and ejecting it.
 *
 *	sched_in_force ---> instance 3: rr        each CPU has its own idea of what is in force
 *	                    instance 2: fifo      (run_queue.generation), and follows when it next
 *	                    instance 1: lottery   comes by, handing its own queue over
 *
 * So no CPU touches another's queue.  A library's exit() is called by the last CPU that leaves it; until
 * then its callbacks may still run on others.
 *
 *	lottery in force    fifo in force                  rr in force
 *	------------------>|----------------------------->|----------->
 *	          a task wants rr     the last CPU leaves lottery: exit(), and rr comes into force
 *
 * Why not at once.  What a library keeps in a task, and the links of its queues, are in the task, where the
 * next library has its own.  A callback of the old one, on a CPU that has not followed yet, may write to any
 * task that it knows, also to one that another CPU has handed on.  The built-in FIFO uses neither, so it is
 * in force until all have followed.  A CPU that does not come by for a while, because it has no time, holds
 * the swap up, but no task.
 */
#include "sched/library.h"
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/switch.h"
#include "core/task.h"
#include "core/timer_queue.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "sched/stall.h"
#include "time/time.h"
#include "trace/trace.h"

const struct sched_ops sched_fifo_ops = { .name = "fifo", .abi = SCHED_ABI };

#define ERRNO_LAST 4095 /* what a call can return as an error */

struct mutex sched_mutex;

/* The FIFO needs no memory and cannot refuse, so that it can always take over. */
static struct sched_instance fifo_instance = { .ops = &sched_fifo_ops,
					       .timeout_ticks = STALL_NEVER };

struct sched_instance *_Atomic sched_in_force;

/* A task's wish for another library, until it is in force.  On the stack of the task, which waits. */
struct swap {
	struct sched_instance *to;
	bool begin; /* init() is yet to be called */
	struct task *from;
	int result;        /* why it is not in force, or 0 */
	_Atomic bool done; /* release: nobody else touches this any more */
};

/* Under sched_swap_lock. */
static uint32_t generations;
static struct swap *wanted; /* as soon as all other libraries are at rest, or NULL */

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

static void swap_end_if_alone(struct vcore *v);

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

/* Makes s the one in force.  Unless `expect` is not in force any more: then somebody else was
 * first. */
static bool install(struct vcore *v, struct sched_instance *s, struct sched_instance *expect,
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
		done = true;
	}
	lock_release(&sched_swap_lock);
	if (unused)
		retire(v, expect);
	return done;
}

/* Tells the library in force's successor on all CPUs. */
static void notify_all(struct vcore *v)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		if ((int)cpu != v->cpu && cpu_is_online(cpu))
			vcore_ring_if(cpu, !atomic_fetch_or(&vcores[cpu].mailbox.flags,
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
	if (install(v, &fifo_instance, old, &why)) {
		sched_report(v, old->ops, &why, "is ejected, and fifo takes over");
		notify_all(v);
	}
	sched_follow(v);
}

/* 0, or the error that keeps the library out of force; it has been reported. */
static int start(struct vcore *v, struct sched_instance *s)
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

/* All others are at rest.  This CPU, masked, no callback running: it follows when it next comes by. */
static void swap_end(struct vcore *v, struct swap *w)
{
	const struct sched_exit why = { .reason = SCHED_EXIT_SWAPPED, .cpu = v->cpu, .callback = "" };
	struct task *from = task_get(w->from->self); /* it waits, so it is there */
	int r = w->begin ? start(v, w->to) : 0;

	if (r) {
		instance_rest(w->to);
	} else if (w->to != &fifo_instance) {
		/* What is in force is the FIFO, which nobody ejects, and swaps are made one at a time. */
		(void)install(v, w->to, &fifo_instance, &why);
		v->need_resched = v->must_pick = true;
		notify_all(v);
	}
	w->result = r;
	atomic_store_explicit(&w->done, true, memory_order_release);
	/* The wish may be gone from here on. */
	if (from != v->current)
		wake_later(from, 0);
	task_put(from);
}

/* Why somebody ends each swap, and once: whoever comes to rest looks after that, and so does who has the
 * wish, after it is known.  The lock puts the looks in an order, and the last of them finds all at rest. */
static void swap_end_if_alone(struct vcore *v)
{
	struct swap *w;

	lock_acquire(&sched_swap_lock);
	w = wanted && instances_rest_but(wanted->to) ? wanted : NULL;
	if (w)
		wanted = NULL;
	lock_release(&sched_swap_lock);
	if (w)
		swap_end(v, w);
}

/* This CPU, masked: the FIFO comes into force, and then what is wanted. */
static void swap_begin(struct vcore *v, struct swap *w)
{
	const struct sched_exit why = { .reason = SCHED_EXIT_SWAPPED, .cpu = v->cpu, .callback = "" };
	struct sched_instance *old;

	lock_acquire(&sched_swap_lock);
	wanted = w;
	lock_release(&sched_swap_lock);
	old = sched_instance();
	/* If it fails, `old` has just been ejected, and the FIFO is in force. */
	if (old != &fifo_instance && install(v, &fifo_instance, old, &why))
		notify_all(v);
	sched_follow(v);
	swap_end_if_alone(v);
	sched_follow(v);
	timers_program(v);
}

/* Masked.  The wake comes after `done` is stored, and we turn BLOCKING before we look for it; one that was
 * meant for an earlier sleep may come late, hence the loop. */
static void swap_await(struct swap *w)
{
	while (!atomic_load_explicit(&w->done, memory_order_acquire)) {
		wait_begin();
		if (atomic_load_explicit(&w->done, memory_order_acquire))
			wait_cancel();
		else
			switch_away(SCHED_YIELDED);
	}
}

static int swap(const char *name)
{
	const struct sched_ops *ops = library_find(name);
	struct swap w = { .to = &fifo_instance, .from = current() };
	int r = 0;

	if (!ops)
		return -ENOENT;
	if (ops != &sched_fifo_ops) {
		/* What it has outside of its instances is still used then: init() comes after exit(). */
		w.begin = instance_is_used(ops);
		r = instance_create(ops, &w.to);
	}
	if (r)
		return r;
	upcalls_mask();
	if (w.to != &fifo_instance && !w.begin)
		r = start(this_vcore(), w.to);
	if (r) {
		instance_rest(w.to);
	} else {
		swap_begin(this_vcore(), &w);
		swap_await(&w);
		r = w.result;
	}
	upcalls_unmask();
	return r;
}

int sched_swap(const char *name)
{
	int r;

	mutex_lock(&sched_mutex);
	r = swap(name);
	mutex_unlock(&sched_mutex);
	return r;
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
	v->queue.instance = &fifo_instance;
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
	install(this_vcore(), &fifo_instance, NULL, NULL);
	if (!ops || ops == &sched_fifo_ops)
		return;
	r = instance_create(ops, &s);
	if (r)
		log_print("libos: scheduler %s is not put in force: error %d\n", name, r);
	else if (start(this_vcore(), s) == 0)
		install(this_vcore(), s, &fifo_instance, &why);
	else
		instance_rest(s);
}
