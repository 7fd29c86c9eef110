/* SPDX-License-Identifier: MIT */
/* Resource limits: getrlimit(2).  LIMIT_NPROC is enforced in fork.c, LIMIT_AS, LIMIT_DATA and
 * LIMIT_STACK in vm/, LIMIT_NOFILE and LIMIT_FSIZE in fs/, LIMIT_CPU in time/. */
#include <linux/resource.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/process.h"
#include "time/time.h"

#define NOFILE_MAX 1048576ul /* Linux's fs.nr_open */

uint64_t process_limit(const struct process *p, enum process_limit which)
{
	return p ? *(const volatile uint64_t *)&p->limits[which][0] : LIMIT_INFINITY;
}

static int change_locked(struct process *p, unsigned which, const struct rlimit64 *wanted)
{
	uint64_t *limit = p->limits[which];

	if (wanted->rlim_cur > wanted->rlim_max)
		return -EINVAL;
	if (wanted->rlim_max > limit[1] && current_process()->euid != 0)
		return -EPERM;
	if (which == LIMIT_NOFILE && wanted->rlim_max > NOFILE_MAX)
		return -EPERM;
	limit[0] = wanted->rlim_cur;
	limit[1] = wanted->rlim_max;
	return 0;
}

static bool may_change(const struct process *p)
{
	const struct process *caller = current_process();

	return p == caller || caller->euid == 0 ||
	       (p->uid == caller->uid && p->euid == caller->uid && p->suid == caller->uid &&
		p->gid == caller->gid && p->egid == caller->gid && p->sgid == caller->gid);
}

/* Any thread of the process may be named: *pid becomes the process's, or stays 0.  The old limit is the one
 * that the new one replaced. */
static int exchange(uint32_t *pid, unsigned which, const struct rlimit64 *wanted,
		    struct rlimit64 *old)
{
	int r = 0;

	if (which >= LIMITS)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	struct process *p = *pid ? process_find_by_thread(*pid) : current_process();

	if (!p)
		r = -ESRCH;
	else if (!may_change(p))
		r = -EPERM;
	if (r == 0) {
		*pid = *pid ? p->pid : 0;
		*old = (struct rlimit64){ p->limits[which][0], p->limits[which][1] };
		if (wanted)
			r = change_locked(p, which, wanted);
	}
	lock_release(&process_tree_lock);
	return r;
}

long sys_getrlimit(unsigned which, uint64_t out)
{
	return out ? sys_prlimit64(0, which, 0, out) : -EFAULT;
}

long sys_setrlimit(unsigned which, uint64_t in)
{
	return in ? sys_prlimit64(0, which, in, 0) : -EFAULT;
}

long sys_prlimit64(int id, unsigned which, uint64_t in, uint64_t out)
{
	struct process_timers *fresh = NULL;
	struct rlimit64 wanted, old;
	uint32_t pid = (uint32_t)id;

	if (in && copy_from_user(&wanted, in, sizeof(wanted)) < 0)
		return -EFAULT;
	/* Before the limit is changed: then it may not fail any more. */
	if (in && which == LIMIT_CPU && !(fresh = time_process_timers_new()))
		return -ENOMEM;
	int r = exchange(&pid, which, in ? &wanted : NULL, &old);

	if (r == 0 && fresh)
		time_limit_changed(pid, fresh);
	else
		heap_free(fresh);
	if (r == 0 && out)
		r = copy_to_user(out, &old, sizeof(old));
	return r;
}
