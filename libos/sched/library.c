/* SPDX-License-Identifier: MIT */
/*
 * The scheduler library in force: choosing, swapping and ejecting it.
 *
 *	sched_in_force ---> instance 3: rr        each CPU has its own idea of what is in force
 *	                    instance 2: lottery   (run_queue.generation), and follows when it next
 *	                    instance 1: fifo      comes by, handing its own queue over
 *
 * So no CPU touches another's queue, and nobody waits for anybody.  A library's exit() is called by
 * the last CPU that leaves it; until then its callbacks may still run on others.
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
#include "core/timer_queue.h"
#include "core/vcore.h"
#include "sched/messages.h"
#include "sched/place.h"
#include "sched/stall.h"
#include "time/time.h"
#include "trace/trace.h"

#define CACHE_LINE 64ul

const struct sched_ops sched_fifo_ops = { .name = "fifo", .abi = SCHED_ABI };

struct mutex sched_mutex;

/* The FIFO needs no memory and cannot refuse, so that it can always take over. */
static struct sched_instance fifo_instance = { .ops = &sched_fifo_ops,
					       .timeout_ticks = STALL_NEVER };

struct sched_instance *_Atomic sched_in_force;
static struct lock swap_lock = LOCK_INIT("scheduler swap", RANK_LEAF);
/* Under swap_lock. */
static uint32_t generations;
static struct sched_instance *instances;

/* Masked, so that the instance is not left and freed in between; its library's name stays. */
const char *sched_current_name(void)
{
	const char *name;

	upcalls_mask();
	name = sched_instance()->ops->name;
	upcalls_unmask();
	return name;
}

/* One that this library had before, or NULL. */
static struct sched_instance *instance_reuse(const struct sched_ops *ops)
{
	struct sched_instance *s;

	lock_acquire(&swap_lock);
	for (s = instances; s && !(s->ops == ops && s->at_rest); s = s->next)
		;
	if (s)
		s->at_rest = false;
	lock_release(&swap_lock);
	if (s && s->cpu_private)
		memset(s->cpu_private, 0, s->cpu_stride * vcore_count);
	return s;
}

static uint64_t timeout_of(const struct sched_ops *ops)
{
	if (ops == &sched_fifo_ops)
		return STALL_NEVER; /* nothing could take over */
	return SCHED_MS(ops->timeout_ms ? ops->timeout_ms : SCHED_TIMEOUT_DEFAULT_MS);
}

/* -> 0, -EINVAL or -ENOMEM. */
static int instance_create(const struct sched_ops *ops, struct sched_instance **out)
{
	struct sched_instance *s;

	if (!sched_ops_ok(ops))
		return -EINVAL;
	*out = instance_reuse(ops);
	if (*out)
		return 0;
	s = heap_alloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->cpu_stride = (ops->cpu_size + CACHE_LINE - 1) & ~(CACHE_LINE - 1);
	stall_limit_set(s, timeout_of(ops));
	if (s->cpu_stride) {
		s->cpu_private = heap_alloc(s->cpu_stride * vcore_count);
		if (!s->cpu_private) {
			heap_free(s);
			return -ENOMEM;
		}
	}
	lock_acquire(&swap_lock);
	s->next = instances;
	instances = s;
	lock_release(&swap_lock);
	*out = s;
	return 0;
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
	lock_acquire(&swap_lock);
	s->at_rest = true;
	lock_release(&swap_lock);
}

/* Makes s the one in force.  Unless `expect` is not in force any more: then somebody else was
 * first. */
static bool install(struct vcore *v, struct sched_instance *s, struct sched_instance *expect,
		    const struct sched_exit *why)
{
	bool done = false, unused = false;

	lock_acquire(&swap_lock);
	if (sched_instance() == expect) {
		if (expect) {
			expect->why = *why;
			unused = expect->users == 0;
		}
		atomic_store_explicit(&s->generation, ++generations, memory_order_relaxed);
		atomic_store_explicit(&sched_in_force, s, memory_order_release);
		done = true;
	}
	lock_release(&swap_lock);
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

void sched_follow_now(struct vcore *v)
{
	struct sched_instance *now, *old = v->queue.instance;
	bool last;

	lock_acquire(&swap_lock);
	now = sched_instance();
	now->users++;
	last = old && --old->users == 0 && old != now;
	lock_release(&swap_lock);
	trace(v, TRACE_SCHED, 0, 0, 0, trace_word(now->ops->name));
	shorten_slice(v);
	run_queue_hand_over(v, now);
	if (last)
		retire(v, old);
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

	if (!s->ops->init)
		return 0;
	v->queue.visited = s;
	r = guard_call(v, "init", (void *)s->ops->init, RESULT_NUMBER, NULL, vcore_count, 0, 0);
	v->queue.visited = NULL;
	why.detail = (uint64_t)(int)(uint64_t)r.task;
	if (v->queue.guard.failed) {
		why = why_abandoned(v);
		v->queue.guard.failed = false;
		r.task = (struct task *)(uint64_t)-EINVAL;
	}
	if (r.task)
		sched_report(v, s->ops, &why, "is not put in force");
	return (int)(uint64_t)r.task;
}

/* init() has refused: the instance waits for the next attempt. */
static void give_up(struct sched_instance *s)
{
	lock_acquire(&swap_lock);
	s->at_rest = true;
	lock_release(&swap_lock);
}

static int swap(const char *name)
{
	const struct sched_ops *ops = library_find(name);
	struct sched_exit why = { .reason = SCHED_EXIT_SWAPPED, .callback = "" };
	struct sched_instance *s = NULL, *old;
	struct vcore *v;
	int r;

	if (!ops)
		return -ENOENT;
	r = instance_create(ops, &s);
	if (r)
		return r;
	upcalls_mask();
	v = this_vcore();
	why.cpu = v->cpu;
	r = start(v, s);
	if (r) {
		give_up(s);
	} else {
		do
			old = sched_instance();
		while (!install(v, s, old, &why));
		notify_all(v);
		sched_follow(v);
		timers_program(v);
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

/* Its instances that are at rest, no longer in the list. */
static struct sched_instance *take_instances(const struct sched_ops *ops)
{
	struct sched_instance *taken = NULL;

	lock_acquire(&swap_lock);
	for (struct sched_instance **at = &instances; *at;) {
		struct sched_instance *s = *at;

		if (s->ops == ops && s->at_rest) {
			*at = s->next;
			s->next = taken;
			taken = s;
		} else {
			at = &s->next;
		}
	}
	lock_release(&swap_lock);
	return taken;
}

/*
 * A CPU that has answered has followed to what is in force, as one that comes later will, which
 * `ops` is not, and cannot become while we have the mutex. The last one to leave has been through
 * exit() by then.
 */
void sched_leave_all(const struct sched_ops *ops)
{
	struct sched_instance *s, *next;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		(void)message_call_wait(cpu, follow_here, NULL);
	for (s = take_instances(ops); s; s = next) {
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
	lock_acquire(&swap_lock);
	old = v->queue.instance;
	last = --old->users == 0 && old != sched_instance();
	lock_release(&swap_lock);
	if (last)
		retire(v, old);
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
}
