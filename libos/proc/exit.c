/* SPDX-License-Identifier: MIT */
/*
 * The end of tasks and processes: _exit(2), exit_group(2), and what they leave to others.
 *
 *	task:     futexes released, out of its process; the last one goes on:
 *	process:  files, memory, signals given up, without locks
 *	          then, under process_tree_lock in one piece: children given away, ZOMBIE,
 *	          parent told and woken
 *
 * Why wait4 loses no child: it looks for a zombie and registers to wait under the same lock that
 * covers posting the zombie and waking here.
 *
 * Why a zombie may be reaped while this code still runs on its last task's stack: by then the task
 * is not the process's any more (task->process is NULL), and its slot is used again only after
 * on_cpu is clear.
 */
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/power.h"
#include "core/task.h"
#include "fs/file.h"
#include "proc/calls.h"
#include "proc/proc_private.h"
#include "proc/signal_private.h"
#include "proc/user.h"
#include "time/time.h"
#include "vm/vm.h"

/* Every task of p but `except` must end, also one that is stopped. */
static void end_tasks_locked(struct process *p, const struct task *except)
{
	list_for_each(node, &p->tasks) {
		struct task *t = list_entry(node, struct task, thread_link);

		if (except && t == except)
			continue;
		task_notice_masked(t, WORK_EXIT);
		wake_task_signal(t);
	}
	wake_all(&p->stop_wait, WAKE_ANY);
}

void process_kill_locked(struct process *p, int wait_status)
{
	if (p->state != PROCESS_ALIVE || p->group_exit)
		return;
	p->group_exit = true;
	p->exit_status = wait_status;
	process_stop_ends_locked(p);
	end_tasks_locked(p, NULL);
}

/* exec: the other tasks end, and the process stays: stopped, if it is. */
void process_end_other_tasks_locked(struct process *p)
{
	end_tasks_locked(p, current());
}

/* pid 1 has ended: nobody adopts orphans or starts a shell any more. */
static _Noreturn void machine_ends(const struct process *p)
{
	if ((p->exit_status & 0x7f) != 0)
		log_print("%s (pid 1) was killed by signal %d: powering off\n", p->name,
			  p->exit_status & 0x7f);
	else
		log_print("%s (pid 1) ended with status %d: powering off\n", p->name,
			  (p->exit_status >> 8) & 0xff);
	machine_power_off();
	libos_panic("the machine does not power off");
}

/* To what __WNOTHREAD says of a child: it has had a task of its parent, and gets another, if there is one. */
static void give_to_a_task_locked(struct process *child, const struct process *parent)
{
	struct task *t = list_entry(parent->tasks.next, struct task, thread_link);

	if (list_empty(&parent->tasks))
		return;
	child->parent_thread = t->self.id;
	t->has_children = true;
}

/* PR_SET_PDEATHSIG(2const): from the parent p, as if it had sent it. */
static void tell_of_own_end_locked(const struct process *p, struct process *child)
{
	struct signal_info info;

	if (!child->parent_death_signal)
		return;
	signal_info_from(&info, child->parent_death_signal, SI_USER, p->pid, p->uid);
	signal_send_process_locked(child, child->parent_death_signal, &info);
}

/* Another task, of those that are left, may have waited for them in vain.  To PR_SET_PDEATHSIG the task is
 * the parent; but when all of them end, whoever is a child then is told by the last one, once. */
static void leave_children_locked(struct process *p, const struct task *t)
{
	if (!t->has_children)
		return;
	list_for_each(node, &p->children) {
		struct process *child = list_entry(node, struct process, sibling_link);

		if (child->parent_thread != t->self.id)
			continue;
		give_to_a_task_locked(child, p);
		if (!p->group_exit)
			tell_of_own_end_locked(p, child);
	}
	wake_all(&p->child_wait, WAKE_ANY);
}

/* From here on who switches to t loads no space for it. */
static void forget_process(struct task *t)
{
	t->process = NULL;
	t->space = 0;
}

/* The task is no longer one of p's, which ends with `wait_status` if that is the `last_word`, whoever would
 * end it with another since.  True: it was the last one. */
static bool leave_process(struct task *t, struct process *p, int wait_status, bool last_word)
{
	task_charge();
	lock_acquire(&process_tree_lock);
	if (last_word) {
		p->group_exit = true;
		p->exit_status = wait_status;
		process_stop_ends_locked(p);
	}
	usage_of_task(&p->self_usage, t);
	signal_task_release_locked(t);
	list_remove(&t->thread_link);
	p->task_count--;
	bool last = p->task_count == 0;

	if (last) {
		if (!p->group_exit)
			p->exit_status = wait_status;
		process_stop_ends_locked(p);
		vm_tell_origin(p->vm, p->parent ? p->parent->vm : NULL);
		p->state = PROCESS_EXITING;
	} else {
		if (p->stopped)
			process_stop_excludes_locked(p, t);
		user_give_place_locked(p);
		leave_children_locked(p, t);
		forget_process(t); /* before another task can give up the address space */
		wake_all(&p->thread_wait, WAKE_ANY);
	}
	lock_release(&process_tree_lock);
	return last;
}

/* Gives up what others look at under exec_mutex; signals and memory under the tree's lock as well. */
static void release_resources(struct process *p)
{
	mutex_lock(&p->exec_mutex);
	struct file_table *files = p->files;
	struct fs_context *fs = p->fs;
	struct vm *vm = p->vm;

	p->files = NULL;
	p->fs = NULL;
	mutex_unlock(&p->exec_mutex);
	file_table_put(files);
	fs_context_put(fs, p);
	if (p->session == p->pid)
		tty_session_leader_exit(p);
	time_process_release(p);

	/* A switch of tasks loads the space, so the task leaves the process first.  The space stays
	 * loaded until this CPU needs another. */
	forget_process(current());
	mutex_lock(&p->exec_mutex);
	lock_acquire(&process_tree_lock);
	signal_release_locked(p);
	p->self_usage.max_resident_pages = vm_resident_peak(vm);
	p->self_usage.minor_faults = vm_fault_count(vm);
	p->vm = NULL;
	lock_release(&process_tree_lock);
	mutex_unlock(&p->exec_mutex);
	vm_put(vm);
}

bool process_group_orphaned_locked(uint32_t group, const struct process *except)
{
	for (struct group_walk w = group_begin(group); w.next;) {
		const struct process *p = group_next(&w);

		if (p == except || p->state != PROCESS_ALIVE || !p->parent)
			continue;
		if (p->parent != init_process && p->parent->process_group != group &&
		    p->parent->session == p->session)
			return false;
	}
	return true;
}

static bool group_has_stopped_locked(uint32_t group)
{
	for (struct group_walk w = group_begin(group); w.next;)
		if (group_next(&w)->stopped)
			return true;
	return false;
}

/*
 * POSIX _exit(): if the end of `gone` orphans a group that has stopped members, nobody is left who
 * would continue them: SIGHUP, then SIGCONT.  `member` ties the group to `parent`.
 */
static void orphan_group_locked(const struct process *member, const struct process *parent,
				const struct process *gone)
{
	uint32_t group = member->process_group;

	if (!parent || parent->process_group == group || parent->session != member->session)
		return;
	if (!process_group_orphaned_locked(group, gone) || !group_has_stopped_locked(group))
		return;
	signal_send_group_locked(group, SIGHUP, NULL);
	signal_send_group_locked(group, SIGCONT, NULL);
}

/* The nearest ancestor that asked for orphans, or init. */
static struct process *adopter_of_locked(const struct process *p)
{
	for (struct process *up = p->parent; up; up = up->parent)
		if (up->subreaper && up->state == PROCESS_ALIVE)
			return up;
	return init_process;
}

static void tell_of_end_locked(struct process *p)
{
	int status, code = exit_code_of(p->exit_status, &status);

	process_tell_parent_locked(p, code, status);
}

/* The first child that is met of a group answers for all that are in it: they have another parent by then, so
 * that the answer is the same for each. */
static void look_at_group_locked(const struct process *child, const struct process *gone)
{
	if (!child->newly_orphan)
		return;
	for (struct group_walk w = group_begin(child->process_group); w.next;)
		group_next(&w)->newly_orphan = false;
	orphan_group_locked(child, gone, gone);
}

/* `dead`: zombies that the adopter does not want to know of, to be buried. */
static void give_child_away_locked(struct process *p, struct process *child, struct list *dead)
{
	struct process *adopter = child->parent;

	list_remove(&child->sibling_link);
	list_push_back(&adopter->children, &child->sibling_link);
	give_to_a_task_locked(child, adopter);
	child->exit_signal = SIGCHLD;
	tell_of_own_end_locked(p, child);
	if (child->state != PROCESS_ZOMBIE) {
		look_at_group_locked(child, p);
		return;
	}
	tell_of_end_locked(child);
	if (signal_children_discarded_locked(adopter)) {
		process_unlink_locked(child);
		list_push_back(dead, &child->sibling_link);
	}
}

/* Each group is walked along once, however many of it are children: there may be thousands, and upcalls are
 * masked. */
static void give_children_away_locked(struct process *p, struct list *dead)
{
	struct process *adopter = adopter_of_locked(p);

	list_for_each(node, &p->children) {
		struct process *child = list_entry(node, struct process, sibling_link);

		child->parent = adopter;
		child->newly_orphan = child->state != PROCESS_ZOMBIE;
	}
	list_for_each_safe(node, next, &p->children)
		give_child_away_locked(p, list_entry(node, struct process, sibling_link), dead);
}

static void bury_all(struct list *dead)
{
	struct list *node;

	while ((node = list_pop_front(dead)))
		process_bury(list_entry(node, struct process, sibling_link));
}

/* True: nobody wants to know of the end, and the caller buries p, and the `dead`. */
static bool post_zombie(struct process *p, struct list *dead)
{
	lock_acquire(&process_tree_lock);
	give_children_away_locked(p, dead);
	orphan_group_locked(p, p->parent, p);
	p->state = PROCESS_ZOMBIE;
	p->vfork_done = true;
	if (!list_empty(&p->vfork_wait.waiters))
		wake_all(&p->vfork_wait, WAKE_ANY);
	if (p->end_wait)
		wake_all(p->end_wait, POLLIN | POLLRDNORM);
	bool unwanted = process_exit_signal_locked(p) == SIGCHLD &&
			signal_children_discarded_locked(p->parent);

	tell_of_end_locked(p);
	if (unwanted)
		process_unlink_locked(p);
	lock_release(&process_tree_lock);
	return unwanted;
}

static _Noreturn void end_task(int wait_status, bool last_word)
{
	struct task *t = current();
	struct process *p = t->process;

	atomic_store_explicit(&t->leaving, true, memory_order_release);
	thread_release_futexes(t);
	if (leave_process(t, p, wait_status, last_word)) {
		if (p == init_process)
			machine_ends(p);
		release_resources(p);
		struct list dead = LIST_INIT(dead);
		bool unwanted = post_zombie(p, &dead);

		if (unwanted)
			process_bury(p);
		bury_all(&dead);
	}
	process_put(p); /* the task's reference */
	task_exit();
}

_Noreturn void task_exit_self(int wait_status)
{
	end_task(wait_status, false);
}

/*
 * Other tasks are told to end before a futex that this one leaves tells them of its end.  If there are none,
 * and only this one could make some, one hold of the lock is enough, when the futexes have been left.  That
 * may need memory, and if there is none kill this process (proc/out_of_memory.c), as anybody else may
 * meanwhile: but what the process ends with has been said here.  Unless it has been killed already: who
 * looks without the lock sees a kill that came before, by whatever told this task to go on and come here.
 */
_Noreturn void process_exit_group(int wait_status)
{
	struct process *p = current_process();
	/* Acquire: who was another task and has killed the process is not overlooked. */
	bool is_alone = __atomic_load_n(&p->task_count, __ATOMIC_ACQUIRE) == 1,
	     is_killed = p->group_exit;

	if (!is_alone) {
		lock_acquire(&process_tree_lock);
		process_kill_locked(p, wait_status);
		lock_release(&process_tree_lock);
	}
	end_task(wait_status, is_alone && !is_killed);
}

long sys_exit(int status)
{
	task_exit_self((status & 0xff) << 8);
}

long sys_exit_group(int status)
{
	process_exit_group((status & 0xff) << 8);
}
