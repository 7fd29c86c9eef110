/* SPDX-License-Identifier: MIT */
/*
 * Job control: stopping and continuing processes, POSIX.1-2017 2.4.3.
 *
 * `stopped` is set at once, and the parent told; each task stops when it next passes task_work().
 * A task that sleeps interruptibly is woken for that, so its system call ends as if by a signal
 * without a handler, and is started again afterwards.  One that cannot be woken stops when its
 * sleep is over, before it runs program code: nobody can tell the difference.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include "core/task.h"
#include "proc/proc_private.h"

void process_stop_locked(struct process *p, int signal)
{
	if (p->state != PROCESS_ALIVE || p->group_exit || p->stopped)
		return;
	p->stopped = true;
	p->stop_reported = false;
	p->continued_unreported = false;
	p->stop_signal = signal;
	list_for_each(node, &p->tasks) {
		struct task *t = list_entry(node, struct task, thread_link);

		task_notice_masked(t, WORK_STOP);
		wake_task_signal(t);
	}
	process_tell_parent_locked(p, CLD_STOPPED, signal);
}

void process_continue_locked(struct process *p)
{
	if (!p->stopped)
		return;
	p->stopped = false;
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
	       !(atomic_load_explicit(&t->work, memory_order_relaxed) & WORK_EXIT))
		wait_on(&p->stop_wait, &process_tree_lock, 0, 0);
	lock_release(&process_tree_lock);
}
