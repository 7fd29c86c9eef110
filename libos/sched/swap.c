/* SPDX-License-Identifier: MIT */
/*
 * Swapping the scheduler library in force.
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
#include "abi/errno.h"
#include "core/event.h"
#include "core/lock.h"
#include "core/task.h"
#include "core/timer_queue.h"
#include "sched/library.h"
#include "sched/messages.h"

/* A task's wish for another library, until it is in force.  On the stack of the task, which waits. */
struct swap {
	struct sched_instance *to;
	bool begin; /* init() is yet to be called */
	int result; /* why it is not in force, or 0; fixed before the end */
	struct awaited end;
};

/* Under sched_swap_lock: as soon as all other libraries are at rest, or NULL. */
static struct swap *wanted;

/* All others are at rest.  This CPU, masked, no callback running: it follows when it next comes by. */
static void swap_end(struct vcore *v, struct swap *w)
{
	const struct sched_exit why = { .reason = SCHED_EXIT_SWAPPED, .cpu = v->cpu, .callback = "" };
	int r = w->begin ? instance_start(v, w->to) : 0;

	if (r) {
		instance_rest(w->to);
	} else if (w->to != &sched_fifo_instance) {
		/* What is in force is the FIFO, which nobody ejects, and swaps are made one at a time. */
		(void)instance_install(v, w->to, &sched_fifo_instance, &why);
		v->need_resched = v->must_pick = true;
		instance_tell_all(v);
	}
	w->result = r;
	awaited_done(&w->end);
}

/* Why somebody ends each swap, and once: whoever comes to rest looks after that, and so does who has the
 * wish, after it is known.  The lock puts the looks in an order, and the last of them finds all at rest. */
void swap_end_if_alone(struct vcore *v)
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
	if (old != &sched_fifo_instance && instance_install(v, &sched_fifo_instance, old, &why))
		instance_tell_all(v);
	sched_follow(v);
	swap_end_if_alone(v);
	sched_follow(v);
	timers_program(v);
}

static int swap(const char *name)
{
	const struct sched_ops *ops = library_find(name);
	struct swap w = { .to = &sched_fifo_instance, .end.from = current() };
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
	if (w.to != &sched_fifo_instance && !w.begin)
		r = instance_start(this_vcore(), w.to);
	if (r) {
		instance_rest(w.to);
	} else {
		swap_begin(this_vcore(), &w);
		awaited_wait(&w.end);
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
