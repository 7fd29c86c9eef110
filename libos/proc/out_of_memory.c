/* SPDX-License-Identifier: MIT */
/*
 * Memory has run out: who gives it back?
 *
 * The fault that finds no frame may be anybody's, the shell's as well as that of the program that
 * took all there was.  So the one that is ended is, as on Linux, the process that holds the most:
 * its resident pages with its page tables, and oom_score_adj thousandths of all memory more or
 * less.  Never init, nor a process whose oom_score_adj is -1000; if only such are left, the one that faults.
 *
 * The same rule holds when the domain is to give memory back and has nothing else to give
 * (memory_is_asked_back): then nobody faults, and if only such are left, nobody is ended.
 *
 * One is ended at a time: while a process that is being killed still has its memory, everybody who
 * needs a page waits for that.
 *
 * Why this ends: whoever waits may itself hold what the dying one needs (a sleeping mutex, in the
 * middle of a system call).  So it waits ATTEMPTS times and no longer, and then gives up.
 */
#include <asm/signal.h>
#include "core/log.h"
#include "core/memory.h"
#include "core/wait.h"
#include "proc/process.h"
#include "time/timespec.h"
#include "vm/vm.h"

#define ATTEMPTS 500
#define PAUSE_NS 2000000ul
#define WHY_MAX 128

/* Pages that p would give back, weighted; 0: not to be chosen.  Under process_tree_lock. */
static uint64_t weight_locked(const struct process *p)
{
	int adjust = atomic_load_explicit(&p->memory_adjust, memory_order_relaxed);
	int64_t weight;

	if (p == init_process || p->state != PROCESS_ALIVE || !p->vm || adjust == -MEMORY_ADJUST_MAX)
		return 0;
	weight = (int64_t)vm_held_pages(p->vm) +
		 adjust * (int64_t)(frames_total_count() / MEMORY_ADJUST_MAX);
	return weight > 1 ? (uint64_t)weight : 1;
}

static struct process *heaviest_locked(void)
{
	struct process *heaviest = NULL;
	uint64_t most = 0;

	list_for_each(node, &all_processes) {
		struct process *p = list_entry(node, struct process, all_link);
		uint64_t weight = weight_locked(p);

		if (weight > most) {
			most = weight;
			heaviest = p;
		}
	}
	return heaviest;
}

/* Until it is a zombie, not only until its `vm` is gone from here: the space is taken apart after that. */
static bool memory_is_coming_back_locked(void)
{
	list_for_each(node, &all_processes) {
		const struct process *p = list_entry(node, struct process, all_link);

		if (p->state == PROCESS_EXITING || (p->state == PROCESS_ALIVE && p->group_exit))
			return true;
	}
	return false;
}

static void end_locked(struct process *p, const char *why)
{
	log_print("%s; %s (pid %u) is ended, which holds %lu of %lu pages\n", why, p->name, p->pid,
		  vm_held_pages(p->vm), frames_total_count());
	process_kill_locked(p, SIGKILL);
}

bool out_of_memory(uint64_t address, unsigned attempt)
{
	struct process *me = current_process(), *heaviest;
	char why[WHY_MAX];
	bool again = true;

	format(why, sizeof(why), "out of memory: %s (pid %u) needs a page at %lx", me->name, me->pid,
	       address);
	lock_acquire(&process_tree_lock);
	if (me->group_exit) {
		again = false;
	} else if (attempt >= ATTEMPTS) {
		if (me != init_process)
			end_locked(me, why);
		again = false;
	} else if (!memory_is_coming_back_locked()) {
		heaviest = heaviest_locked();
		if (!heaviest && me != init_process)
			heaviest = me;
		if (heaviest)
			end_locked(heaviest, why);
		again = heaviest != me;
	}
	lock_release(&process_tree_lock);
	if (again)
		wait_until(deadline_after(PAUSE_NS));
	return again;
}

bool memory_is_asked_back(uint64_t pages)
{
	struct process *heaviest;
	char why[WHY_MAX];
	bool some = true;

	format(why, sizeof(why), "memory is asked back: %lu pages are missing", pages);
	lock_acquire(&process_tree_lock);
	if (!memory_is_coming_back_locked()) {
		heaviest = heaviest_locked();
		some = heaviest != NULL;
		if (some)
			end_locked(heaviest, why);
	}
	lock_release(&process_tree_lock);
	if (some)
		wait_until(deadline_after(PAUSE_NS));
	return some;
}
