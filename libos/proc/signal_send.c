/* SPDX-License-Identifier: MIT */
/*
 * Sending a signal: what it does at once, whether it is kept, and which task is told.
 *
 * A signal for a process is taken by any one of its tasks that does not block it.  The task told
 * here is only a proposal: whichever task looks first takes it, and a task that comes to block a
 * signal which it was told about passes the word on (signal_set_blocked, signal_task_release_locked).
 * So a signal that some task accepts is never left with nobody told: after the sender has chosen, and after
 * a mask has changed, some task that accepts it has WORK_SIGNAL set.  The sender chooses under the lock; why
 * a mask may change meanwhile is said at signal_set_blocked().
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <stddef.h>
#include "abi/errno.h"
#include "core/wait.h"
#include "proc/signal_private.h"

/* Those of `set` that the task has not shut out; inside rt_sigtimedwait some that it has. */
static uint64_t task_accepts(const struct task *t, uint64_t set)
{
	bool ended = atomic_load_explicit(&t->state, memory_order_relaxed) == TASK_ZOMBIE;

	return ended ? 0 : set & ~t->signal_blocked;
}

/*
 * The task looks at its signals before it next runs program code, and leaves an interruptible
 * sleep.  Order: the signal is pending, then the bit is set, then the task is woken.  A task that
 * is going to sleep turns BLOCKING first and reads the bit afterwards (wait_sleep), so either it
 * reads the bit or the wake finds it BLOCKING.
 */
static void task_tell(struct task *t)
{
	task_notice_masked(t, WORK_SIGNAL);
	wake_task_signal(t);
}

/* -> those of `set` that t does not accept; of the others it is told. */
static inline uint64_t tell_of(struct task *t, uint64_t set)
{
	uint64_t accepted = task_accepts(t, set);

	if (accepted != 0)
		task_tell(t);
	return set & ~accepted;
}

/* Tells tasks of p, other than `except`, about signals for the whole process: of each one that accepts it.
 * The tasks are walked along once, however many signals there are. */
static void process_tell(struct process *p, uint64_t set, const struct task *except)
{
	if (p->leader != NULL && p->leader != except)
		set = tell_of(p->leader, set);
	if (set == 0)
		return;
	list_for_each(node, &p->tasks) {
		struct task *t = list_entry(node, struct task, thread_link);

		if (!except || t != except)
			set = tell_of(t, set);
		if (set == 0)
			return;
	}
}

__attribute__((noinline)) void signal_settle_blocked(struct task *t, uint64_t newly_blocked, bool locked)
{
	if (!locked)
		lock_acquire(&process_tree_lock);
	signal_pass_on(t, newly_blocked & t->process->signal_pending);
	signal_update_hint(t);
	if (!locked)
		lock_release(&process_tree_lock);
}

void signal_update_hint(struct task *t)
{
	uint64_t pending = t->signal_pending | t->process->signal_pending;

	if ((pending & ~t->signal_blocked) != 0)
		atomic_fetch_or_explicit(&t->work, WORK_SIGNAL, memory_order_relaxed);
}

__attribute__((noinline)) void signal_pass_on(struct task *t, uint64_t newly_blocked)
{
	if (newly_blocked != 0)
		process_tell(t->process, newly_blocked, t);
}

void signal_task_release_locked(struct task *t)
{
	struct process *p = t->process;

	if (t->signal_pending)
		signal_queue_discard(&t->signal_pending, &t->signal_queue, ~0ul);
	t->signal_blocked = ~0ul; /* nobody chooses it any more */
	/* What it blocked too: it may have been told, and have blocked it since (core/quick.asm).  If all
	 * are to end, nobody takes any. */
	if (!p->group_exit)
		signal_pass_on(t, p->signal_pending);
}

static __attribute__((noinline)) void act_at_once(struct process *p, int number)
{
	if ((SIGNAL_BIT(number) & SIGNALS_STOP) != 0) {
		signal_discard_everywhere(p, SIGNAL_BIT(SIGCONT));
	} else if (number == SIGCONT) {
		signal_discard_everywhere(p, SIGNALS_STOP);
		process_continue_locked(p);
	} else if (number == SIGKILL && p != init_process) {
		process_kill_locked(p, SIGKILL);
	}
}

/* For what is sent to p as a whole: the main task, or when that has ended another. */
static const struct task *who_answers(const struct process *p)
{
	if (p->leader != NULL && !list_empty(&p->leader->thread_link))
		return p->leader;
	return list_empty(&p->tasks) ? NULL : list_entry(p->tasks.next, struct task, thread_link);
}

/*
 * An ignored signal is dropped unless it is blocked: it may no longer be ignored when it is
 * unblocked, and rt_sigtimedwait may ask for it.  signal_saved_mask holds the signals that a task
 * waiting inside rt_sigtimedwait or sigsuspend blocks otherwise.
 */
static bool dropped(const struct process *p, const struct task *t, int number)
{
	uint64_t bit = SIGNAL_BIT(number);

	if (!signal_ignored(p, number))
		return false;
	if (t == NULL)
		t = who_answers(p);
	if (t == NULL || (bit & SIGNALS_UNMASKABLE) != 0)
		return true;
	return ((t->signal_blocked | (t->signal_restore_mask ? t->signal_saved_mask : 0)) & bit) == 0;
}

/* Who would be told of it first: t, or of all tasks of p the one that process_tell() comes to first. */
static const struct task *who_accepts(const struct process *p, const struct task *t, uint64_t bit)
{
	if (t != NULL)
		return task_accepts(t, bit) != 0 ? t : NULL;
	if (p->leader != NULL && task_accepts(p->leader, bit) != 0)
		return p->leader;
	list_for_each(node, &p->tasks) {
		t = list_entry(node, struct task, thread_link);
		if (task_accepts(t, bit) != 0)
			return t;
	}
	return NULL;
}

/*
 * A signal without a handler that ends the process, which somebody accepts, ends it as it is sent.  Who is
 * told might look only much later, as he waits in vfork, and the others would run on.
 *
 * Not one that is pending already: then nobody accepted it, or who does now looks for himself, as he has
 * opened his mask since.  Nor one that somebody waits for who had shut it out before: he takes it.  Who is
 * stopped hears of it when he goes on.
 */
static bool ends_at_once(const struct process *p, const struct task *t, int number)
{
	uint64_t bit = SIGNAL_BIT(number);

	if (p->signal_actions->action[number - 1].handler != 0 ||
	    signal_default_of(number) != DEFAULT_TERMINATE || p->stopped || p == init_process)
		return false;
	if (((t != NULL ? t->signal_pending : p->signal_pending) & bit) != 0)
		return false;
	t = who_accepts(p, t, bit);
	return t != NULL && !(t->signal_restore_mask && (t->signal_saved_mask & bit) != 0);
}

static int send_locked(struct process *p, struct task *t, int number,
		       const struct signal_info *info, struct signal_entry *entry)
{
	int r;

	if (p->state != PROCESS_ALIVE || p->signal_actions == NULL)
		return 0;
	if ((SIGNAL_BIT(number) & SIGNALS_ACTING) != 0)
		act_at_once(p, number);
	if (number == SIGKILL || dropped(p, t, number))
		return 0;
	if (ends_at_once(p, t, number)) {
		process_kill_locked(p, number);
		return 0;
	}
	r = signal_queue_add(p, t, number, info, entry);
	/* Who accepts one that is pending already has been told, or has found it since: see above. */
	if (r != 0)
		return r < 0 ? r : 0;
	if (t == NULL)
		process_tell(p, SIGNAL_BIT(number), NULL);
	else if (task_accepts(t, SIGNAL_BIT(number)) != 0)
		task_tell(t);
	return 0;
}

int signal_send_process_locked(struct process *p, int number, const struct signal_info *info)
{
	return send_locked(p, NULL, number, info, NULL);
}

/* thread_link is in the process's list exactly while the task belongs to it. */
int signal_send_task_locked(struct task *t, int number, const struct signal_info *info)
{
	if (t->process == NULL || list_empty(&t->thread_link))
		return -ESRCH;
	return send_locked(t->process, t, number, info, NULL);
}

void signal_owe_children_locked(struct process *p, int number)
{
	uint64_t bit = SIGNAL_BIT(number), undone = 0;

	if (number == SIGCONT)
		undone = SIGNALS_STOP;
	else if ((bit & SIGNALS_STOP) != 0)
		undone = SIGNAL_BIT(SIGCONT);
	list_for_each(node, &p->tasks) {
		struct task *t = list_entry(node, struct task, thread_link);

		if (t->makes_child)
			t->child_signals = (t->child_signals & ~undone) | bit;
	}
}

int signal_send_group_locked(uint32_t process_group, int number, const struct signal_info *info)
{
	int r = -ESRCH;

	for (struct group_walk w = group_begin(process_group); w.next;) {
		struct process *p = group_next(&w);

		signal_owe_children_locked(p, number);
		if (signal_send_process_locked(p, number, info) == 0)
			r = 0;
	}
	return r;
}

bool signal_send_entry_locked(struct process *p, struct task *t, struct signal_entry *entry,
			      uint64_t missed)
{
	if (!list_empty(&entry->link)) {
		signal_entry_add_overrun(entry, 1 + missed);
		return true;
	}
	entry->info.timer.overrun = 0;
	signal_entry_add_overrun(entry, missed);
	if (t != NULL && list_empty(&t->thread_link))
		return false;
	send_locked(p, t, entry->info.number, NULL, entry);
	return !list_empty(&entry->link);
}

int signal_send_task(struct task *t, int number, const struct signal_info *info)
{
	int r;

	lock_acquire(&process_tree_lock);
	r = signal_send_task_locked(t, number, info);
	lock_release(&process_tree_lock);
	return r;
}

int signal_send_group(uint32_t process_group, int number, const struct signal_info *info)
{
	int r;

	lock_acquire(&process_tree_lock);
	r = signal_send_group_locked(process_group, number, info);
	lock_release(&process_tree_lock);
	return r;
}

/*
 * A fault goes to the task that made it.  If it cannot be handled now, because it is blocked or
 * ignored, the program could only fault again: then the default action ends it, pid 1 included.
 */
bool signal_force(int number, const struct signal_info *info)
{
	struct task *t = current();
	struct process *p = t->process;
	struct signal_action *action;
	bool kills;

	lock_acquire(&process_tree_lock);
	action = &p->signal_actions->action[number - 1];
	kills = (t->signal_blocked & SIGNAL_BIT(number)) != 0 || action->handler <= 1;
	if (kills) {
		process_kill_locked(p, number);
	} else {
		signal_queue_add(p, t, number, info, NULL);
		signal_update_hint(t);
	}
	lock_release(&process_tree_lock);
	return kills;
}
