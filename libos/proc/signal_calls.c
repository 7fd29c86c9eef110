/* SPDX-License-Identifier: MIT */
/* The system calls that send signals. */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "abi/syscall.h"
#include "core/entry.h"
#include "core/usercopy.h"
#include "proc/signal_private.h"

/* kill(2): the super-user, the same user, or SIGCONT within a session. */
static bool may_send(const struct process *sender, const struct process *p, int number)
{
	return sender->euid == 0 || sender->euid == p->suid || sender->euid == p->uid ||
	       sender->uid == p->suid || sender->uid == p->uid ||
	       (number == SIGCONT && sender->session == p->session);
}

static struct signal_info info_of_sender(int number, int code)
{
	const struct process *p = current_process();
	struct signal_info info;

	signal_info_from(&info, number, code, p->pid, p->uid);
	return info;
}

void signal_raise(int number)
{
	struct signal_info info = info_of_sender(number, SI_USER);

	signal_send_task(current(), number, &info);
}

/* Signal 0 only asks whether it could be sent. */
static int send_checked(struct process *p, struct task *t, int number,
			const struct signal_info *info)
{
	if (!may_send(current_process(), p, number))
		return -EPERM;
	if (number == 0)
		return 0;
	return t != NULL ? signal_send_task_locked(t, number, info)
			 : signal_send_process_locked(p, number, info);
}

/* The same for one of several that are sent it. */
static int send_to_member(struct process *p, int number, const struct signal_info *info)
{
	int r = send_checked(p, NULL, number, info);

	if (r != -EPERM && number != 0)
		signal_owe_children_locked(p, number);
	return r;
}

/* Success if one could be sent; otherwise what was in the way. */
static int first_result(int r, int one)
{
	return one == 0 || r == -ESRCH ? one : r;
}

static int send_to_group(uint32_t group, int number, const struct signal_info *info)
{
	int r = -ESRCH;

	for (struct group_walk w = group_begin(group); w.next;)
		r = first_result(r, send_to_member(group_next(&w), number, info));
	return r;
}

/* To every process but init and the sender.  As on Linux it is no error if none may be sent one. */
static int send_to_all(int number, const struct signal_info *info)
{
	const struct process *self = current_process();
	int r = -ESRCH;

	list_for_each(node, &all_processes) {
		struct process *p = list_entry(node, struct process, all_link);

		if (p == self || p == init_process)
			continue;
		int one = send_to_member(p, number, info);

		if (one != -EPERM)
			r = one;
		else if (r == -ESRCH)
			r = 0;
	}
	return r;
}

/*
 * A signal that the calling task sends to itself is the first that it takes on its way out, if nothing else
 * is pending.  Then it need not be queued, nor the call end: the handler runs next, in place of what called
 * us, and what it returns to finds that the call has succeeded.  Does not return then.
 *
 * A signal for the process, with code SI_USER, is for the task that process_tell() would choose.  The whole
 * user frame is there (framed_kill).  A call that is traced has to end.
 */
static void take_at_once(struct task *t, int number, int code)
{
	struct exo_regs *frame = t->frame;
	struct signal_handling h;
	struct signal_info info;
	bool taken;

	if (number <= 0 || number > SIGNAL_COUNT || t->entry != ENTRY_CALL ||
	    atomic_load_explicit(&calls_are_traced, memory_order_relaxed))
		return;
	lock_acquire(&process_tree_lock);
	taken = (code != SI_USER || t == t->process->leader) && signal_take_at_once(t, number, &h);
	lock_release(&process_tree_lock);
	if (!taken)
		return;
	frame->rax = 0;
	signal_frame_leave_plain(t, &h);
	frame->vector = frame->error = 0; /* no call that could be restarted */
	info = info_of_sender(number, code);
	signal_frame_build(t, &info, &h);
	return_by_call(frame);
}

/* To the calling task, if it has not been taken at once; number 0 only asks.  What is blocked is kept even
 * if it is ignored, and nobody need be told. */
static __attribute__((noinline)) long send_to_self(int number)
{
	struct task *t = current();
	struct signal_info info;
	bool only_kept;
	int r;

	if (number < 0 || number > SIGNAL_COUNT)
		return -EINVAL;
	if (number == 0)
		return 0;
	only_kept = (t->signal_blocked & ~SIGNALS_ACTING & SIGNAL_BIT(number)) != 0;
	info = info_of_sender(number, SI_TKILL);
	lock_acquire(&process_tree_lock);
	if (only_kept)
		r = signal_queue_add(t->process, t, number, &info, NULL);
	else
		r = signal_send_task_locked(t, number, &info);
	lock_release(&process_tree_lock);
	return r < 0 ? r : 0;
}

long sys_raise(int number)
{
	take_at_once(current(), number, SI_TKILL);
	return send_to_self(number);
}

static __attribute__((noinline)) long kill_any(int pid, int number)
{
	struct signal_info info = info_of_sender(number, SI_USER);
	struct process *p = current_process();
	int r;

	if (number < 0 || number > SIGNAL_COUNT)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	if (pid > 0) {
		if ((uint32_t)pid != p->pid)
			p = process_find_by_thread((uint32_t)pid);
		r = p == NULL ? -ESRCH : send_checked(p, NULL, number, &info);
	} else if (pid == -1) {
		r = send_to_all(number, &info);
	} else if (pid == 0) {
		r = send_to_group(p->process_group, number, &info);
	} else {
		r = send_to_group((uint32_t)-pid, number, &info);
	}
	lock_release(&process_tree_lock);
	return r;
}

long sys_kill(int pid, int number)
{
	struct task *t = current();

	if ((uint32_t)pid == t->process->pid)
		take_at_once(t, number, SI_USER);
	return kill_any(pid, number);
}

/* A main task that has ended is there until its process is reaped, and takes nothing. */
static int send_to_ended_main(uint32_t pid, const struct signal_info *info)
{
	struct process *p = process_find(pid);

	return p == NULL ? -ESRCH : send_checked(p, NULL, 0, info);
}

/* Sends to one task; `group` 0 means any process.  The caller is there without being looked for. */
static int send_to_task(int group, int tid, int number, const struct signal_info *info)
{
	struct task *t = current();
	bool to_self = (uint32_t)tid == task_thread_id(t); /* rt_tgsigqueueinfo(2) */
	int r = -ESRCH;

	if (tid <= 0 || number < 0 || number > SIGNAL_COUNT)
		return -EINVAL;
	if (!to_self)
		t = thread_find((uint32_t)tid);
	if (t == NULL)
		return -ESRCH;
	lock_acquire(&process_tree_lock);
	if (t->process != NULL && !list_empty(&t->thread_link)) {
		if (group == 0 || t->process->pid == (uint32_t)group)
			r = send_checked(t->process, t, number, info);
	} else if (group == 0 || group == tid) {
		r = send_to_ended_main((uint32_t)tid, info);
	}
	lock_release(&process_tree_lock);
	if (!to_self)
		task_put(t);
	return r;
}

long sys_tkill(int tid, int number)
{
	struct task *t = current();
	struct signal_info info;

	if ((uint32_t)tid == task_thread_id(t))
		return sys_raise(number);
	info = info_of_sender(number, SI_TKILL);
	return send_to_task(0, tid, number, &info);
}

long sys_tgkill(int group, int tid, int number)
{
	struct task *t = current();
	struct signal_info info;

	if (group <= 0)
		return -EINVAL;
	if ((uint32_t)tid == task_thread_id(t) && (uint32_t)group == t->process->pid)
		return sys_raise(number);
	info = info_of_sender(number, SI_TKILL);
	return send_to_task(group, tid, number, &info);
}

/* Only to itself may a program claim that a signal came from kill() or from the kernel. */
static int read_info(uint64_t user, int number, bool to_self, struct signal_info *info)
{
	int r = signal_info_read(info, user);

	if (r != 0)
		return r;
	if (!to_self && (info->code >= 0 || info->code == SI_TKILL))
		return -EPERM;
	info->number = number;
	return 0;
}

long signal_send_known(struct process *p, int number, uint64_t info_user)
{
	struct signal_info info = info_of_sender(number, SI_USER);
	int r = info_user != 0 ? signal_info_read(&info, info_user) : 0;

	if (r != 0)
		return r;
	if (number < 0 || number > SIGNAL_COUNT || info.number != number)
		return -EINVAL;
	if (info_user != 0 && p != current_process() && (info.code >= 0 || info.code == SI_TKILL))
		return -EPERM;
	lock_acquire(&process_tree_lock);
	r = p->state == PROCESS_REAPED ? -ESRCH : send_checked(p, NULL, number, &info);
	lock_release(&process_tree_lock);
	return r;
}

long sys_rt_sigqueueinfo(int pid, int number, uint64_t info_user)
{
	struct signal_info info;
	struct process *p;
	int r = read_info(info_user, number, (uint32_t)pid == current_process()->pid, &info);

	if (r != 0)
		return r;
	if (number < 0 || number > SIGNAL_COUNT)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	p = pid > 0 ? process_find_by_thread((uint32_t)pid) : NULL;
	r = p == NULL ? -ESRCH : send_checked(p, NULL, number, &info);
	lock_release(&process_tree_lock);
	return r;
}

long sys_rt_tgsigqueueinfo(int group, int tid, int number, uint64_t info_user)
{
	struct signal_info info;
	int r = read_info(info_user, number, (uint32_t)group == current_process()->pid, &info);

	if (r != 0)
		return r;
	if (group <= 0)
		return -EINVAL;
	return send_to_task(group, tid, number, &info);
}
