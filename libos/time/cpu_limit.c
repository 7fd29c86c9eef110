/* SPDX-License-Identifier: MIT */
/*
 * RLIMIT_CPU: SIGXCPU when a process has used its soft limit, and again after each further second;
 * SIGKILL at the hard limit.
 *
 * A process with a limit has a timer on its CPU time (itimer.c).  Everything is under
 * process_tree_lock, as the limits are, so the timer always waits for the limits as they are.
 */
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "time/process_timers.h"
#include "time/timespec.h"

enum { SOFT, HARD };

/* TIME_NEVER_NS if there is no limit; never 0, which is a timer that is disarmed. */
static uint64_t limit_ns(const struct process *p, int which)
{
	uint64_t seconds = p->limits[LIMIT_CPU][which];

	if (seconds >= TIME_NEVER_NS / NS_PER_SECOND)
		return TIME_NEVER_NS;
	return seconds ? seconds * NS_PER_SECOND : 1;
}

/* The soft limit is never above the hard one. */
static uint64_t next_expiry(const struct process *p)
{
	uint64_t soft_ns = limit_ns(p, SOFT);

	return soft_ns != TIME_NEVER_NS ? soft_ns : limit_ns(p, HARD);
}

uint64_t cpu_limit_reached_locked(struct process *p, uint64_t used_ns)
{
	if (used_ns >= limit_ns(p, HARD)) {
		signal_send_process_locked(p, SIGKILL, NULL);
		return 0;
	}
	signal_send_process_locked(p, SIGXCPU, NULL);
	/* As on Linux, the limit itself moves, and can be seen to. */
	p->limits[LIMIT_CPU][SOFT] = used_ns / NS_PER_SECOND + 1;
	return next_expiry(p);
}

/* A process that has begun to exit may have given up its timers. */
static void watch_locked(struct process *p, struct process_timers **fresh)
{
	struct process_timers *timers;
	uint64_t expiry = next_expiry(p);

	if (p->state != PROCESS_ALIVE)
		return;
	timers = process_timers_get_locked(p, fresh);
	if (timers != NULL)
		interval_timer_set_locked(&timers->interval[CPU_LIMIT_TIMER],
					  expiry != TIME_NEVER_NS ? expiry : 0);
}

struct process_timers *time_process_timers_new(void)
{
	return heap_alloc(sizeof(struct process_timers));
}

void time_limit_changed(uint32_t pid, struct process_timers *fresh)
{
	struct process *p;

	lock_acquire(&process_tree_lock);
	p = pid ? process_find(pid) : current_process();
	if (p != NULL)
		watch_locked(p, &fresh);
	lock_release(&process_tree_lock);
	heap_free(fresh);
}

int time_process_fork(struct process *child)
{
	struct process_timers *fresh;

	if (next_expiry(child) == TIME_NEVER_NS)
		return 0;
	fresh = time_process_timers_new();
	if (fresh == NULL)
		return -ENOMEM;
	lock_acquire(&process_tree_lock);
	watch_locked(child, &fresh);
	lock_release(&process_tree_lock);
	heap_free(fresh);
	return 0;
}
