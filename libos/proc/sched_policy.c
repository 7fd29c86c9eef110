/* SPDX-License-Identifier: MIT */
/* Scheduling policies: sched(7), sched_setscheduler(2), sched_setattr(2). */
#include <linux/sched.h>
#include <linux/sched/types.h>
#include "abi/errno.h"
#include "core/string.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "core/vcore.h"
#include "proc/calls.h"
#include "proc/process.h"
#include "proc/sched_parameters.h"
#include "time/timespec.h"

#define PRIORITY_MAX 99
#define NICE_MIN (-20)
#define NICE_MAX 19
#define SLICE_MIN_NS SCHED_US(100) /* of a slice that is asked for */
#define SLICE_MAX_NS SCHED_MS(100)
#define RUNTIME_MIN_NS 1024u
/* Linux's sched_deadline_period_min_us and sched_deadline_period_max_us, as they are there by default.  A
 * library may have those wait for a period who have used up their runtime, and for most of one who have no
 * deadline: that is well below what it may let a task wait (sched/stall.c). */
#define PERIOD_MIN_NS SCHED_US(100)
#define PERIOD_MAX_NS SCHED_US(1u << 22)
#define ATTR_SIZE_MAX 4096u
#define FLAGS_SUPPORTED (SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_ALL)

/* Bandwidth of SCHED_DEADLINE: runtime / period, in parts of this. */
#define BANDWIDTH_ONE (1ul << 20)
#define BANDWIDTH_MAX_PERCENT 95 /* of all CPUs: the rest is for those who check on them */

static bool is_real_time(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_ordinary(int policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static int check_deadline(const struct sched_parameters *p)
{
	bool in_order = p->runtime_ns >= RUNTIME_MIN_NS && p->runtime_ns <= p->deadline_ns &&
			p->deadline_ns <= p->period_ns;
	bool in_range = p->period_ns >= PERIOD_MIN_NS && p->period_ns <= PERIOD_MAX_NS;

	return in_order && in_range && p->priority == 0 ? 0 : -EINVAL;
}

static int check(const struct sched_parameters *p)
{
	if (p->policy == SCHED_DEADLINE)
		return check_deadline(p);
	if (is_real_time(p->policy))
		return p->priority >= 1 && p->priority <= PRIORITY_MAX ? 0 : -EINVAL;
	return is_ordinary(p->policy) && p->priority == 0 ? 0 : -EINVAL;
}

static uint64_t bandwidth(int policy, uint64_t runtime_ns, uint64_t period_ns)
{
	if (policy != SCHED_DEADLINE || period_ns == 0)
		return 0;
	return runtime_ns * BANDWIDTH_ONE / period_ns;
}

/* Whatever the library in force makes of it, no more is promised than there is. */
static int admit_locked(const struct task *t, const struct sched_parameters *p)
{
	uint64_t sum = bandwidth(p->policy, p->runtime_ns, p->period_ns);

	if (sum == 0)
		return 0;
	list_for_each(at, &all_processes) {
		const struct process *owner = list_entry(at, struct process, all_link);

		list_for_each(node, &owner->tasks) {
			struct task *other = list_entry(node, struct task, thread_link);
			struct sched_parameters own;

			if (other == t || other->policy != SCHED_DEADLINE)
				continue;
			/* What it inherits counts with whose it is. */
			own = sched_parameters(other);
			sum += bandwidth(own.policy, own.runtime_ns, own.period_ns);
		}
	}
	uint64_t cpus = (uint64_t)__builtin_popcountl(vcores_present());

	return sum <= BANDWIDTH_ONE * cpus * BANDWIDTH_MAX_PERCENT / 100 ? 0 : -EBUSY;
}

static bool rises_to_real_time(const struct task *t, const struct sched_parameters *from,
			       const struct sched_parameters *to)
{
	uint64_t limit = process_limit(process_of_thread_locked(t), LIMIT_RTPRIO);

	return (to->policy != from->policy && limit == 0) ||
	       (to->priority > from->priority && (uint64_t)to->priority > limit);
}

/* What needs root's right: more of the CPU than before, and than the limits allow.  SCHED_IDLE is as a nice
 * value below all others. */
static bool is_raised_locked(const struct task *t, const struct sched_parameters *from,
			     const struct sched_parameters *to)
{
	if (to->policy == SCHED_DEADLINE || (from->reset_on_fork && !to->reset_on_fork))
		return true;
	if (from->policy == SCHED_IDLE && to->policy != SCHED_IDLE &&
	    !sched_nice_allowed_locked(t, from->nice))
		return true;
	if (is_real_time(to->policy))
		return rises_to_real_time(t, from, to);
	return to->nice < from->nice && !sched_nice_allowed_locked(t, to->nice);
}

/* Under the lock of the tree, so that two who are admitted together fit together. */
static int apply(struct task *t, const struct sched_parameters *p)
{
	lock_acquire(&process_tree_lock);
	struct sched_parameters old = sched_parameters(t);
	int r = sched_may_change_locked(t);

	if (r == 0 && current_process()->euid != 0 && is_raised_locked(t, &old, p))
		r = -EPERM;
	if (r == 0)
		r = admit_locked(t, p);
	if (r == 0)
		sched_set_parameters(t, p, PARAM_BITS_OF_ATTR);
	lock_release(&process_tree_lock);
	return r;
}

long sys_sched_getscheduler(int tid)
{
	int error;
	struct task *t = sched_find_task(tid, &error);

	if (!t)
		return error;
	struct sched_parameters p = sched_parameters(t);

	task_put(t);
	return p.policy | (p.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

/* policy -1: as it is. */
static long set_scheduler(int tid, int policy, uint64_t param)
{
	uint32_t priority;
	int error;

	if (load_user32(&priority, param) < 0)
		return -EFAULT;
	struct task *t = sched_find_task(tid, &error);

	if (!t)
		return error;
	struct sched_parameters p = sched_parameters(t);

	if (policy >= 0) {
		p.policy = policy & ~SCHED_RESET_ON_FORK;
		p.reset_on_fork = policy & SCHED_RESET_ON_FORK;
		p.runtime_ns = p.deadline_ns = p.period_ns = 0;
	}
	p.priority = (int)priority;
	error = check(&p);
	if (error == 0)
		error = apply(t, &p);
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
	struct task *t = sched_find_task(tid, &error);

	if (!t)
		return error;
	uint32_t priority = (uint32_t)sched_parameters(t).priority;

	task_put(t);
	return store_user32(param, priority);
}

long sys_sched_get_priority_max(int policy)
{
	if (is_real_time(policy))
		return PRIORITY_MAX;
	return is_ordinary(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(int policy)
{
	if (is_real_time(policy))
		return 1;
	return sys_sched_get_priority_max(policy);
}

long sys_sched_rr_get_interval(int tid, uint64_t out)
{
	int error;
	struct task *t = sched_find_task(tid, &error);

	if (!t)
		return error;
	int policy = sched_parameters(t).policy;
	bool has_slices = policy != SCHED_FIFO && policy != SCHED_DEADLINE;

	task_put(t);
	return timespec_write(out, has_slices ? SCHED_SLICE_DEFAULT_NS : 0);
}

/* The program's structure, which may be older (shorter) or newer than ours. */
static int read_attr(struct sched_attr *a, uint64_t from)
{
	uint8_t rest[ATTR_SIZE_MAX / 16];
	uint32_t size;

	if (load_user32(&size, from) < 0)
		return -EFAULT;
	if (size == 0)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > ATTR_SIZE_MAX) {
		store_user32(from, sizeof(*a));
		return -E2BIG;
	}
	memset(a, 0, sizeof(*a));
	if (copy_from_user(a, from, size < sizeof(*a) ? size : sizeof(*a)) < 0)
		return -EFAULT;
	for (uint32_t at = sizeof(*a), n; at < size; at += n) {
		n = size - at < sizeof(rest) ? size - at : (uint32_t)sizeof(rest);
		if (copy_from_user(rest, from + at, n) < 0)
			return -EFAULT;
		for (uint32_t i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	return 0;
}

/* What the task is to have, checked. */
static int decode_attr(struct sched_parameters *p, const struct sched_attr *a)
{
	if (a->sched_flags & ~(uint64_t)SCHED_FLAG_ALL)
		return -EINVAL;
	if (a->sched_flags & ~(uint64_t)FLAGS_SUPPORTED)
		return -EOPNOTSUPP; /* reclaiming, overrun signals, utilization clamps */
	p->reset_on_fork = a->sched_flags & SCHED_FLAG_RESET_ON_FORK;
	if (!(a->sched_flags & SCHED_FLAG_KEEP_POLICY)) {
		if (a->sched_policy > SCHED_DEADLINE)
			return -EINVAL;
		p->policy = (int)a->sched_policy;
	}
	if (a->sched_flags & SCHED_FLAG_KEEP_PARAMS)
		return check(p);
	p->priority = a->sched_priority <= PRIORITY_MAX ? (int)a->sched_priority : -1;
	p->runtime_ns = a->sched_runtime;
	p->deadline_ns = a->sched_deadline;
	p->period_ns = a->sched_period ? a->sched_period : a->sched_deadline;
	if (is_ordinary(p->policy)) {
		p->nice = a->sched_nice < NICE_MIN ? NICE_MIN :
			  a->sched_nice > NICE_MAX ? NICE_MAX : a->sched_nice;
		if (p->runtime_ns)
			p->runtime_ns = p->runtime_ns < SLICE_MIN_NS ? SLICE_MIN_NS :
					p->runtime_ns > SLICE_MAX_NS ? SLICE_MAX_NS : p->runtime_ns;
		p->deadline_ns = p->period_ns = 0;
	}
	return check(p);
}

long sys_sched_setattr(int tid, uint64_t attr, unsigned flags)
{
	struct sched_attr a;
	int r;

	if (flags || !attr)
		return -EINVAL;
	r = read_attr(&a, attr);
	if (r < 0)
		return r;
	struct task *t = sched_find_task(tid, &r);

	if (!t)
		return r;
	struct sched_parameters p = sched_parameters(t);

	r = decode_attr(&p, &a);
	if (r == 0)
		r = apply(t, &p);
	task_put(t);
	return r;
}

long sys_sched_getattr(int tid, uint64_t attr, unsigned size, unsigned flags)
{
	struct sched_attr a = { .size = size < sizeof(a) ? size : sizeof(a) };
	int error;

	if (flags || !attr || size < SCHED_ATTR_SIZE_VER0 || size > ATTR_SIZE_MAX)
		return -EINVAL;
	struct task *t = sched_find_task(tid, &error);

	if (!t)
		return error;
	struct sched_parameters p = sched_parameters(t);

	task_put(t);
	a.sched_policy = (uint32_t)p.policy;
	a.sched_flags = p.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	a.sched_nice = p.nice;
	a.sched_priority = (uint32_t)p.priority;
	a.sched_runtime = p.runtime_ns;
	a.sched_deadline = p.deadline_ns;
	a.sched_period = p.period_ns;
	return copy_to_user(attr, &a, a.size);
}
