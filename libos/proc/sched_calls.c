/* SPDX-License-Identifier: MIT */
/*
 * What programs say about scheduling: sched_setaffinity(2), setpriority(2); policies are in
 * sched_policy.c.  It is kept with the task; the scheduler library in force makes of it what it
 * wants.
 */
#include <linux/resource.h>
#include "abi/errno.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "core/vcore.h"
#include "proc/calls.h"
#include "proc/process.h"
#include "proc/sched_parameters.h"

#define NICE_MIN (-20)
#define NICE_MAX 19

/* Here a number that nobody has is not there, even if nobody can have it. */
static struct task *find_task_by_any(int tid, int *error)
{
	*error = -ESRCH;
	return tid < 0 ? NULL : sched_find_task(tid, error);
}

/* The raw call returns the bytes it wrote. */
long sys_sched_getaffinity(int tid, uint64_t size, uint64_t mask)
{
	int error;
	struct task *t = find_task_by_any(tid, &error);

	if (!t)
		return error;
	uint64_t affinity = sched_parameters(t).affinity & vcores_present();

	task_put(t);
	if (size < sizeof(affinity) || size % sizeof(affinity))
		return -EINVAL;
	if (copy_to_user(mask, &affinity, sizeof(affinity)) < 0)
		return -EFAULT;
	return sizeof(affinity);
}

long sys_sched_setaffinity(int tid, uint64_t size, uint64_t mask)
{
	struct sched_parameters p = { 0 };
	int error;

	if (copy_from_user(&p.affinity, mask, size < sizeof(p.affinity) ? size : sizeof(p.affinity)) < 0)
		return -EFAULT;
	if (!(p.affinity & vcores_present()))
		return -EINVAL;
	struct task *t = find_task_by_any(tid, &error);

	if (!t)
		return error;
	error = sched_may_change(t);
	/* A running task sees WORK_RESCHED before its program goes on, and moves; so does the caller. */
	if (error == 0)
		sched_set_parameters(t, &p, PARAM_BIT(SCHED_PARAM_AFFINITY));
	task_put(t);
	return error;
}

/* True when it was read; the task may be elsewhere by the time that the program looks. */
long sys_getcpu(uint64_t cpu, uint64_t node, uint64_t unused)
{
	uint32_t here = (uint32_t)this_vcore()->cpu;

	if ((cpu && store_user32(cpu, here) < 0) || (node && store_user32(node, 0) < 0))
		return -EFAULT;
	return 0;
}

/* The two calls of libos/donate.h. */
long sys_sched_find(int tid, uint64_t ref_user)
{
	int error;
	struct task *t = sched_find_task(tid, &error);

	if (!t)
		return -ESRCH;
	struct task_ref ref = t->self;

	task_put(t);
	return copy_to_user(ref_user, &ref, sizeof(ref));
}

long sys_sched_donate(uint64_t id, uint64_t generation, uint64_t flags)
{
	struct task_ref target = { (uint32_t)id, (uint32_t)generation };

	if (flags & ~(uint64_t)SCHED_DONATE_WAIT)
		return -EINVAL;
	return sched_donate(target, (unsigned)flags);
}

/* As on Linux PRIO_PROCESS is about one task: the leader, if the id is a process's. */
static struct task *task_named(int who)
{
	if (who == 0)
		return task_get(current()->self);
	return who > 0 ? thread_find((uint32_t)who) : NULL;
}

/* Does `p` belong to what getpriority and setpriority name otherwise? */
static bool is_named(const struct process *p, int which, uint32_t who)
{
	const struct process *caller = current_process();

	if (which == PRIO_PGRP)
		return p->process_group == (who ? who : caller->process_group);
	return p->uid == (who ? who : caller->uid);
}

/* Of one that has ended, the leader's. */
static long best_priority_locked(const struct process *p)
{
	long best = p->leader ? 20 - sched_parameters(p->leader).nice : -ESRCH;

	list_for_each(node, &p->tasks) {
		int nice = sched_parameters(list_entry(node, struct task, thread_link)).nice;

		if (20 - nice > best)
			best = 20 - nice;
	}
	return best;
}

/* The raw call returns 20 - nice, so that it is never negative; of several the most favourable. */
long sys_getpriority(int which, int who)
{
	long best = -ESRCH;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	if (which == PRIO_PROCESS) {
		struct task *t = task_named(who);

		if (!t)
			return -ESRCH;
		best = 20 - sched_parameters(t).nice;
		task_put(t);
		return best;
	}
	lock_acquire(&process_tree_lock);
	list_for_each(node, &all_processes) {
		const struct process *p = list_entry(node, struct process, all_link);
		long one = is_named(p, which, (uint32_t)who) ? best_priority_locked(p) : best;

		if (one > best)
			best = one;
	}
	lock_release(&process_tree_lock);
	return best;
}

static int renice_locked(struct task *t, int nice)
{
	struct sched_parameters to = { .nice = nice };
	int r = sched_may_change_locked(t);

	if (r < 0)
		return r;
	if (current_process()->euid != 0 && nice < sched_parameters(t).nice &&
	    !sched_nice_allowed_locked(t, nice))
		return -EACCES;
	sched_set_parameters(t, &to, PARAM_BIT(SCHED_PARAM_NICE));
	return 0;
}

/* What is in the way of one counts for all. */
static int renice_all_locked(struct process *p, int nice)
{
	int r = -ESRCH;

	list_for_each(node, &p->tasks) {
		int one = renice_locked(list_entry(node, struct task, thread_link), nice);

		if (r == 0 || r == -ESRCH)
			r = one;
	}
	return r;
}

static long renice_one(int who, int nice)
{
	struct task *t = task_named(who);
	long r;

	if (!t)
		return -ESRCH;
	lock_acquire(&process_tree_lock);
	r = renice_locked(t, nice);
	lock_release(&process_tree_lock);
	task_put(t);
	return r;
}

long sys_setpriority(int which, int who, int nice)
{
	long r = -ESRCH;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	if (nice < NICE_MIN)
		nice = NICE_MIN;
	if (nice > NICE_MAX)
		nice = NICE_MAX;
	if (which == PRIO_PROCESS)
		return renice_one(who, nice);
	lock_acquire(&process_tree_lock);
	list_for_each(node, &all_processes) {
		struct process *p = list_entry(node, struct process, all_link);

		if (!is_named(p, which, (uint32_t)who))
			continue;
		long one = renice_all_locked(p, nice);

		/* What has ended counts for nothing beside the others, and an error for all. */
		if (one != -ESRCH && (r == 0 || r == -ESRCH))
			r = one;
	}
	lock_release(&process_tree_lock);
	return r;
}
