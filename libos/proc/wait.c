/* SPDX-License-Identifier: MIT */
/*
 * wait4 and waitid: wait(2), waitid(2), POSIX.1-2017 wait(), waitid().
 *
 * The look at the children and the registration to wait are made under process_tree_lock, and so
 * is every change that could end the wait: none is missed.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/resource.h>
#include <linux/wait.h>
#include "abi/errno.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/pidfd.h"
#include "proc/proc_private.h"
#include "proc/signal.h"
#include "proc/usage.h"

struct wait_request {
	int type; /* P_ALL, P_PID, P_PGID, P_PIDFD */
	uint32_t id;
	struct process *process; /* that a descriptor is of, which is held meanwhile */
	int options;
};

/* What was found out about a child, by value: it may be gone by the time it is told. */
struct wait_result {
	uint32_t pid, uid;
	int code, status; /* as in siginfo */
	struct usage usage;
	struct process *reaped; /* to be buried, or NULL */
};

/* Only who has been waited for counts in its parent's usage: getrusage(2). */
static void reap_locked(struct process *child)
{
	struct usage *sum = &child->parent->children_usage;

	usage_add(sum, &child->self_usage);
	usage_add(sum, &child->children_usage);
	process_unlink_locked(child);
}

/* One that ignores SIGCHLD is sent none, so that none is pending where it is blocked as well. */
static bool parent_wants_signal(struct process *parent, int number, bool ended)
{
	const struct signal_actions *actions = parent->signal_actions;
	const struct signal_action *action;

	if (number != SIGCHLD || !actions)
		return number != 0;
	action = &actions->action[SIGCHLD - 1];
	return action->handler != HANDLER_IGNORE && (ended || !(action->flags & SA_NOCLDSTOP));
}

int exit_code_of(int wait_status, int *status)
{
	*status = wait_status & 0x7f;
	if (*status)
		return CLD_KILLED; /* no core is ever dumped */
	*status = (wait_status >> 8) & 0xff;
	return CLD_EXITED;
}

/* How long p has used a CPU.  Who has ended has no task left. */
static void tell_times_locked(const struct process *p, bool ended, struct signal_info *info)
{
	struct usage all;
	const struct usage *usage = &p->self_usage;

	if (!ended) {
		all = usage_of_process_locked(p);
		usage = &all;
	}
	/* clock_t: 100 per second */
	info->child.utime = usage->user_ns / 10000000;
	info->child.stime = usage->system_ns / 10000000;
}

void process_tell_parent_locked(struct process *p, int code, int status)
{
	struct process *parent = p->parent;
	bool ended = code != CLD_STOPPED && code != CLD_CONTINUED;
	int number = SIGCHLD;

	if (!parent)
		return;
	if (ended)
		number = process_exit_signal_locked(p);
	if (parent_wants_signal(parent, number, ended)) {
		struct signal_info info = {
			.number = number,
			.code = code,
			.child = {
				.pid = (int)p->pid,
				.uid = p->uid,
				.status = status,
			},
		};
		tell_times_locked(p, ended, &info);
		signal_send_process_locked(parent, number, &info);
	}
	/* Who ends gives the rest of its slice to a parent that waits for it.  It may be preempted for
	 * that at once, and then ends a little later: it has left its address space already. */
	if (ended)
		wake_one_donate(&parent->child_wait, WAKE_ANY, DONATION_WAIT4);
	if (!list_empty(&parent->child_wait.waiters))
		wake_all(&parent->child_wait, WAKE_ANY);
}

static bool is_meant(const struct wait_request *w, const struct process *child)
{
	bool clone_child = child->exit_signal != SIGCHLD;

	if (w->type == P_PID && child->pid != w->id)
		return false;
	if (w->type == P_PGID && child->process_group != w->id)
		return false;
	if ((w->options & __WNOTHREAD) && child->parent_thread != current()->self.id)
		return false;
	return (w->options & __WALL) || clone_child == !!(w->options & __WCLONE);
}

static void fill(struct wait_result *r, const struct process *child, int code, int status)
{
	r->pid = child->pid;
	r->uid = child->uid;
	r->code = code;
	r->status = status;
	r->usage = usage_of_process_locked(child);
	usage_add(&r->usage, &child->children_usage);
}

/* 1: this child has something to tell, which is taken away unless WNOWAIT; 0: it may have later; -ECHILD: it
 * never will, since its end is not asked for. */
static int look_at_locked(const struct wait_request *w, struct process *child,
			  struct wait_result *r)
{
	bool keep = w->options & WNOWAIT;

	if (child->state == PROCESS_ZOMBIE) {
		if (!(w->options & WEXITED))
			return -ECHILD;
		int status, code = exit_code_of(child->exit_status, &status);

		fill(r, child, code, status);
		if (!keep) {
			reap_locked(child);
			r->reaped = child;
		}
		return 1;
	}
	if ((w->options & WSTOPPED) && child->stop_unreported) {
		fill(r, child, CLD_STOPPED, child->stop_signal);
		child->stop_unreported = keep;
		return 1;
	}
	if ((w->options & WCONTINUED) && child->continued_unreported) {
		fill(r, child, CLD_CONTINUED, SIGCONT);
		child->continued_unreported = keep;
		return 1;
	}
	return 0;
}

/* 1: found; 0: none has anything to tell yet; -ECHILD: there is none. */
static int scan_locked(const struct wait_request *w, struct wait_result *r)
{
	struct process *p = current_process();
	int found = -ECHILD;

	if (w->type == P_PID || w->type == P_PIDFD) {
		struct process *one = w->type == P_PID ? process_find(w->id) : w->process;

		/* Who has been reaped has no parent. */
		return one && one->parent == p && is_meant(w, one) ? look_at_locked(w, one, r)
								   : found;
	}
	list_for_each(node, &p->children) {
		struct process *child = list_entry(node, struct process, sibling_link);
		int told = is_meant(w, child) ? look_at_locked(w, child, r) : -ECHILD;

		if (told > 0)
			return told;
		if (told == 0)
			found = 0;
	}
	return found;
}

static int wait_for_child(const struct wait_request *w, struct wait_result *r)
{
	struct process *p = current_process();
	int found;

	r->reaped = NULL; /* the rest is of use when something is found */
	lock_acquire(&process_tree_lock);
	while ((found = scan_locked(w, r)) == 0 && !(w->options & WNOHANG)) {
		if (wait_on(&p->child_wait, &process_tree_lock, WAIT_INTERRUPTIBLE, 0) == -EINTR) {
			/* What came together with the signal is told first. */
			found = scan_locked(w, r);
			if (found == 0)
				found = -ERESTARTSYS;
			break;
		}
	}
	lock_release(&process_tree_lock);
	if (r->reaped)
		process_bury(r->reaped);
	return found;
}

static int wait_status(const struct wait_result *r)
{
	switch (r->code) {
	case CLD_EXITED:
		return r->status << 8;
	case CLD_STOPPED:
		return (r->status << 8) | 0x7f;
	case CLD_CONTINUED:
		return 0xffff;
	default:
		return r->status;
	}
}

static int put_usage(const struct wait_result *r, uint64_t user)
{
	struct rusage out;

	if (!user)
		return 0;
	usage_to_linux(&r->usage, &out);
	return copy_to_user(user, &out, sizeof(out));
}

long sys_wait4(int pid, uint64_t status, int options, uint64_t rusage)
{
	struct wait_request w = { .options = options | WEXITED };
	struct wait_result r;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	w.type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	w.id = pid > 0 ? (uint32_t)pid : pid == 0 ? current_process()->process_group : (uint32_t)-pid;
	int found = wait_for_child(&w, &r);

	if (found <= 0)
		return found;
	if ((status && store_user32(status, (uint32_t)wait_status(&r)) < 0) ||
	    put_usage(&r, rusage) < 0)
		return -EFAULT;
	return r.pid;
}

static int put_info(const struct wait_result *r, bool found, uint64_t user)
{
	struct signal_info info = { 0 };

	if (!user)
		return 0;
	if (found) {
		info.number = SIGCHLD;
		info.code = r->code;
		info.child.pid = (int)r->pid;
		info.child.uid = r->uid;
		info.child.status = r->status;
	}
	/* Linux writes no more than this, and leaves the rest of the caller's structure alone. */
	return copy_to_user(user, &info, offsetof(struct signal_info, child.utime));
}

/* What does not wait says so, where wait4() would say that there is nothing. */
static int wait_for_descriptor(struct wait_request *w, struct wait_result *r)
{
	bool at_once;
	int found;

	w->process = process_of_descriptor((int)w->id, &at_once);
	if (!w->process)
		return -EBADF;
	if (at_once)
		w->options |= WNOHANG;
	found = wait_for_child(w, r);
	process_put(w->process);
	return found == 0 && at_once ? -EAGAIN : found;
}

static int wait_for_id(int type, int id, int options, struct wait_result *r)
{
	struct wait_request w = { .type = type, .id = (uint32_t)id, .options = options };

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			__WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (type == P_PIDFD)
		return id < 0 ? -EINVAL : wait_for_descriptor(&w, r);
	if (type == P_PGID && id == 0)
		w.id = current_process()->process_group;
	else if (type != P_ALL && (id <= 0 || (type != P_PID && type != P_PGID)))
		return -EINVAL;
	return wait_for_child(&w, r);
}

/* As on Linux a call that fails tells nothing, too: what the caller had there is gone. */
long sys_waitid(int type, int id, uint64_t info, int options, uint64_t rusage)
{
	struct wait_result r;
	int found = wait_for_id(type, id, options, &r);

	if ((found > 0 && put_usage(&r, rusage) < 0) || put_info(&r, found > 0, info) < 0)
		return -EFAULT;
	return found < 0 ? found : 0;
}
