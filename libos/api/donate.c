/* SPDX-License-Identifier: MIT */
/* libos/donate.h for applications.  Results are as there, and errno stays as it was. */
#include <errno.h>
#include <libos/calls.h>
#include <libos/donate.h>
#include <unistd.h>

static int result(long r, int errno_before)
{
	if (r < 0) {
		r = -errno;
		errno = errno_before;
	}
	return (int)r;
}

int sched_find(int tid, struct task_ref *ref)
{
	int before = errno;

	return result(syscall(LIBOS_CALL_SCHED_FIND, tid, ref), before);
}

int sched_donate(struct task_ref target, unsigned flags)
{
	int before = errno;

	return result(syscall(LIBOS_CALL_SCHED_DONATE, target.id, target.generation, flags), before);
}
