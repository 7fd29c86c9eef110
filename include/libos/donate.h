/* SPDX-License-Identifier: MIT */
/*
 * Giving the CPU to a task by name: for applications, which find the functions in libos.a (exo-cc
 * links it), and for the libos itself.
 *
 *	struct task_ref worker;
 *
 *	if (sched_find(worker_tid, &worker) == 0)
 *		sched_donate(worker, SCHED_DONATE_WAIT);
 */
#ifndef LIBOS_DONATE_H
#define LIBOS_DONATE_H

#include <stdint.h>

#define SCHED_DONATE_CHAIN_MAX 8

/* How a task is named by those who do not hold it: a stale name finds nothing. */
struct task_ref {
	uint32_t id;         /* Linux tid */
	uint32_t generation; /* never 0 */
};

enum sched_donate_flag {
	SCHED_DONATE_WAIT = 1 << 0, /* return when the target has run: it sleeps, has ended, or has
				     * used the slice up */
};

#ifdef __cplusplus
extern "C" {
#endif

/*
 * sched_donate - give the rest of the running slice to a task
 *
 * target   the task; a stale reference is not an error of the caller (returns -ESRCH)
 * flags    SCHED_DONATE_WAIT: return when the target has run.  If it went to sleep or ended before
 *          the slice did, the caller has the rest of it back, before others of its CPU's queue
 *
 * Runs the target at once when it is queued on this CPU; puts it at the head of its CPU's queue
 * otherwise.  The slice is what is left of the caller's, never more; when next to nothing is left,
 * or after a chain of SCHED_DONATE_CHAIN_MAX gifts, it is an ordinary yield.
 *
 * Returns 0, -ESRCH, -EINVAL (unknown flags), -EAGAIN (refused by the scheduler, or the target is
 * not waiting for a CPU: it sleeps, runs already, or has ended and its parent has not asked for it
 * yet).  In the libos: task context, unmasked.
 */
int sched_donate(struct task_ref target, unsigned flags);

/*
 * sched_find - the reference of a task of this domain, for applications
 *
 * tid   as of gettid(); a process's id is that of its first thread; 0: the caller
 *
 * Returns 0, or -ESRCH.  The task may end at any time; then the reference stays stale for ever,
 * though the tid may come to name another one.
 */
int sched_find(int tid, struct task_ref *ref);

#ifdef __cplusplus
}
#endif

#endif
