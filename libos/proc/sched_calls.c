/* SPDX-License-Identifier: MIT */
/*
 * What programs say about scheduling: sched(7), sched_setaffinity(2), setpriority(2).  It is kept
 * with the task; the scheduler library in force makes of it what it wants.
 */
#include <linux/resource.h>
#include <linux/sched.h>
#include "abi/errno.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "core/vcore.h"
#include "proc/calls.h"
#include "proc/process.h"
#include "time/timespec.h"

#define PRIORITY_MAX 99
#define NICE_MIN (-20)
#define NICE_MAX 19

/* A counted task; 0: the caller. */
static struct task *find(int tid, int *error)
{
	struct task *t = NULL;

	*error = tid < 0 ? -EINVAL : -ESRCH;
	if (tid == 0)
		t = task_get(current()->self);
	else if (tid > 0)
		t = task_find((uint32_t)tid);
	if (t && !t->process) { /* one of the libos's own, or ended */
		task_put(t);
		t = NULL;
	}
	return t;
}

/* The record changes first, then the note that the library has to be told; whoever next queues the
 * task finds the note. */
static void set_parameter(struct task *t, enum sched_parameter key, long value)
{
	lock_acquire(&t->lock);
	switch (key) {
	case SCHED_PARAM_NICE:
		t->nice = (int)value;
		break;
	case SCHED_PARAM_POLICY:
		t->policy = (int)value;
		break;
	case SCHED_PARAM_PRIORITY:
		t->rt_priority = (int)value;
		break;
	case SCHED_PARAM_AFFINITY:
		t->affinity = (uint64_t)value;
		break;
	}
	lock_release(&t->lock);
	atomic_fetch_or_explicit(&t->sched_changed, 1u << key, memory_order_release);
	task_notice(t, WORK_RESCHED);
}

long sys_sched_yield(void)
{
	task_yield();
	return 0;
}

static uint64_t online_mask(void)
{
	return vcore_count >= 64 ? ~0ul : (1ul << vcore_count) - 1;
}

/* The raw call returns the bytes it wrote. */
long sys_sched_getaffinity(int tid, uint64_t size, uint64_t mask)
{
	int error;
	struct task *t = find(tid, &error);

	if (!t)
		return error;
	lock_acquire(&t->lock);
	uint64_t affinity = t->affinity & online_mask();

	lock_release(&t->lock);
	task_put(t);
	if (size < sizeof(affinity) || size % sizeof(affinity))
		return -EINVAL;
	if (copy_to_user(mask, &affinity, sizeof(affinity)) < 0)
		return -EFAULT;
	return sizeof(affinity);
}

long sys_sched_setaffinity(int tid, uint64_t size, uint64_t mask)
{
	uint64_t affinity = 0;
	int error;

	if (copy_from_user(&affinity, mask, size < sizeof(affinity) ? size : sizeof(affinity)) < 0)
		return -EFAULT;
	if (!(affinity & online_mask()))
		return -EINVAL;
	struct task *t = find(tid, &error);

	if (!t)
		return error;
	set_parameter(t, SCHED_PARAM_AFFINITY, (long)affinity);
	/* A running task sees WORK_RESCHED before its program goes on, and moves; so does the caller. */
	task_put(t);
	return 0;
}

/* True when it was read; the task may be elsewhere by the time that the program looks. */
long sys_getcpu(uint64_t cpu, uint64_t node, uint64_t unused)
{
	uint32_t here = (uint32_t)this_vcore()->cpu;

	if ((cpu && store_user32(cpu, here) < 0) || (node && store_user32(node, 0) < 0))
		return -EFAULT;
	return 0;
}

static bool is_real_time(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static int check_policy(int policy, int priority)
{
	if (is_real_time(policy))
		return priority >= 1 && priority <= PRIORITY_MAX ? 0 : -EINVAL;
	if (policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return -EINVAL;
	return priority == 0 ? 0 : -EINVAL;
}

long sys_sched_getscheduler(int tid)
{
	int error;
	struct task *t = find(tid, &error);

	if (!t)
		return error;
	long policy = t->policy;

	task_put(t);
	return policy;
}

/* policy -1: as it is. */
static long set_scheduler(int tid, int policy, uint64_t param)
{
	uint32_t priority;
	int error;

	if (load_user32(&priority, param) < 0)
		return -EFAULT;
	struct task *t = find(tid, &error);

	if (!t)
		return error;
	if (policy < 0)
		policy = t->policy;
	policy &= ~SCHED_RESET_ON_FORK;
	error = check_policy(policy, (int)priority);
	if (error == 0) {
		set_parameter(t, SCHED_PARAM_POLICY, policy);
		set_parameter(t, SCHED_PARAM_PRIORITY, (long)priority);
	}
	task_put(t);
	return error;
}

long sys_sched_setscheduler(int tid, int policy, uint64_t param)
{
	return policy < 0 ? -EINVAL : set_scheduler(tid, policy, param);
}

long sys_sched_setparam(int tid, uint64_t param)
{
	return set_scheduler(tid, -1, param);
}

long sys_sched_getparam(int tid, uint64_t param)
{
	int error;
	struct task *t = find(tid, &error);

	if (!t)
		return error;
	uint32_t priority = (uint32_t)t->rt_priority;

	task_put(t);
	return store_user32(param, priority);
}

long sys_sched_get_priority_max(int policy)
{
	if (is_real_time(policy))
		return PRIORITY_MAX;
	return check_policy(policy, 0);
}

long sys_sched_get_priority_min(int policy)
{
	if (is_real_time(policy))
		return 1;
	return check_policy(policy, 0);
}

long sys_sched_rr_get_interval(int tid, uint64_t out)
{
	int error;
	struct task *t = find(tid, &error);

	if (!t)
		return error;
	task_put(t);
	return timespec_write(out, SCHED_SLICE_DEFAULT_NS);
}

/* The two calls of libos/donate.h. */
long sys_sched_find(int tid, uint64_t ref_user)
{
	int error;
	struct task *t = find(tid, &error);

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

/* Does `p` belong to what getpriority and setpriority name? */
static bool is_named(const struct process *p, int which, uint32_t who)
{
	const struct process *caller = current_process();

	switch (which) {
	case PRIO_PROCESS:
		return p->pid == (who ? who : caller->pid);
	case PRIO_PGRP:
		return p->process_group == (who ? who : caller->process_group);
	default:
		return p->uid == (who ? who : caller->uid);
	}
}

/* The raw call returns 20 - nice, so that it is never negative; of several the most favourable. */
long sys_getpriority(int which, int who)
{
	long best = -ESRCH;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	list_for_each(node, &all_processes) {
		const struct process *p = list_entry(node, struct process, all_link);

		if (is_named(p, which, (uint32_t)who) && p->leader && 20 - p->leader->nice > best)
			best = 20 - p->leader->nice;
	}
	lock_release(&process_tree_lock);
	return best;
}

static int renice_locked(struct process *p, int nice)
{
	if (current_process()->euid != 0 && nice < p->leader->nice)
		return -EACCES;
	list_for_each(node, &p->tasks)
		set_parameter(list_entry(node, struct task, thread_link), SCHED_PARAM_NICE,
				    nice);
	return 0;
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
	lock_acquire(&process_tree_lock);
	list_for_each(node, &all_processes) {
		struct process *p = list_entry(node, struct process, all_link);

		if (is_named(p, which, (uint32_t)who) && p->leader)
			r = renice_locked(p, nice);
	}
	lock_release(&process_tree_lock);
	return r;
}
