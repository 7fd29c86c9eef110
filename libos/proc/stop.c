/* SPDX-License-Identifier: MIT */
/*
 * Job control: stopping and continuing processes, POSIX.1-2017 2.4.3.
 *
 * `stopped` says that all tasks are to stop; each does when it next passes task_work().  A task that sleeps
 * interruptibly is woken for that, so its system call ends as if by a signal without a handler, and is
 * started again afterwards.  One that cannot be woken stops when its sleep is over, before it runs program
 * code.
 *
 * The parent may look at memory that it shares with the process, or take its terminal away, as soon as it
 * knows of the stop.  So it is told by the last task that stops, or ends: `tasks_to_stop` counts those that
 * have done neither.  Stops are numbered, and a task keeps the number of the last one that it has stopped
 * for.
 *
 * Why none is counted twice, nor left out: all changes are made under process_tree_lock.  A stop begins
 * with all tasks to count, whatever they were doing; also one that is still on its way out of the stop
 * before, and finds another number when it looks whether it may go.  One that joins is made by one that has
 * not stopped yet.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include "core/log.h"
#include "core/task.h"
#include "proc/proc_private.h"

void process_stop_locked(struct process *p, int signal)
{
	if (p->state != PROCESS_ALIVE || p->group_exit || p->stopped)
		return;
	p->stopped = true;
	p->stop_signal = signal;
	p->stops++;
	p->tasks_to_stop = p->task_count;
	list_for_each(node, &p->tasks) {
		struct task *t = list_entry(node, struct task, thread_link);

		task_notice_masked(t, WORK_STOP);
		wake_task_signal(t);
	}
}

/* One of those that were to stop has stopped, or ended. */
static void one_less_to_stop_locked(struct process *p)
{
	ASSERT_INVARIANT(p->tasks_to_stop > 0);
	if (--p->tasks_to_stop > 0)
		return;
	p->stop_unreported = true;
	p->continued_unreported = false;
	process_tell_parent_locked(p, CLD_STOPPED, p->stop_signal);
}

void process_stop_includes_locked(struct process *p, struct task *t)
{
	ASSERT_INVARIANT(p->tasks_to_stop > 0);
	p->tasks_to_stop++;
	atomic_fetch_or_explicit(&t->work, WORK_STOP, memory_order_relaxed);
}

void process_stop_excludes_locked(struct process *p, const struct task *t)
{
	if (!task_has_stopped_locked(p, t))
		one_less_to_stop_locked(p);
}

/* As on Linux one that was still stopping counts as continued; its parent hears of no stop. */
void process_continue_locked(struct process *p)
{
	if (!p->stopped)
		return;
	process_stop_ends_locked(p);
	p->continued_unreported = true;
	wake_all(&p->stop_wait, WAKE_ANY);
	process_tell_parent_locked(p, CLD_CONTINUED, SIGCONT);
}

/*
 * WORK_STOP is cleared under the lock under which it is set: a stop that comes after a continuation
 * sets it again.  WORK_SIGNAL sees to it that signal_deliver() has a look at the system call that
 * the stop interrupted.
 */
__attribute__((noinline)) void process_stop_self(void)
{
	struct task *t = current();
	struct process *p = t->process;

	lock_acquire(&process_tree_lock);
	atomic_fetch_and_explicit(&t->work, ~(uint32_t)WORK_STOP, memory_order_relaxed);
	atomic_fetch_or_explicit(&t->work, WORK_SIGNAL, memory_order_relaxed);
	while (p->stopped &&
	       !(atomic_load_explicit(&t->work, memory_order_relaxed) & WORK_EXIT)) {
		if (t->stop != p->stops) {
			t->stop = p->stops;
			one_less_to_stop_locked(p);
		}
		wait_on(&p->stop_wait, &process_tree_lock, 0, 0);
	}
	lock_release(&process_tree_lock);
}
