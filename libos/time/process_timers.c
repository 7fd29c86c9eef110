/* SPDX-License-Identifier: MIT */
/* A process's timers as a whole: they appear at first use and go at exec and exit. */
#include <stddef.h>
#include "core/memory.h"
#include "proc/process.h"
#include "time/process_timers.h"

struct process_timers *process_timers_get_locked(struct process *p, struct process_timers **fresh)
{
	if (p->interval_timer == NULL && *fresh != NULL) {
		interval_timers_init(*fresh, p);
		p->interval_timer = *fresh;
		*fresh = NULL;
	}
	return p->interval_timer;
}

/* The pointer is set once, under the lock: whoever loses the race frees its copy. */
struct process_timers *process_timers_get(struct process *p)
{
	struct process_timers *fresh, *timers;

	lock_acquire(&process_tree_lock);
	timers = p->interval_timer;
	lock_release(&process_tree_lock);
	if (timers != NULL)
		return timers;
	fresh = heap_alloc(sizeof(*fresh));
	if (fresh == NULL)
		return NULL;
	lock_acquire(&process_tree_lock);
	timers = process_timers_get_locked(p, &fresh);
	lock_release(&process_tree_lock);
	heap_free(fresh);
	return timers;
}

uint64_t timer_advance(uint64_t *expiry_ns, uint64_t interval_ns, uint64_t now_ns)
{
	uint64_t missed;

	if (interval_ns == 0) {
		*expiry_ns = 0;
		return 0;
	}
	missed = (now_ns - *expiry_ns) / interval_ns;
	*expiry_ns += (missed + 1) * interval_ns;
	return missed;
}

void time_process_exec(struct process *p)
{
	struct process_timers *timers = p->interval_timer;

	if (timers != NULL)
		posix_timers_end(timers, true);
}

/* The last task of p calls this: nobody arms a timer any more. */
void time_process_release(struct process *p)
{
	struct process_timers *timers;

	lock_acquire(&process_tree_lock);
	timers = p->interval_timer;
	p->interval_timer = NULL;
	lock_release(&process_tree_lock);
	if (timers == NULL)
		return;
	posix_timers_end(timers, false);
	interval_timers_end(timers);
	heap_free(timers);
}
