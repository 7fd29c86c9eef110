/* SPDX-License-Identifier: MIT */
/* Process groups and sessions: setpgid(2), setsid(2); POSIX.1-2017 3.296, 3.343. */
#include "abi/errno.h"
#include "core/name_tree.h"
#include "proc/calls.h"
#include "proc/proc_private.h"

/* By number; under process_tree_lock. */
static struct named *groups; /* struct process.group_named */
/* struct process.session_named, and struct tty.foreground_named: nobody looks for more than whether there is
 * one. */
static struct named *sessions;

void group_enter(struct process *p, uint32_t group)
{
	p->process_group = group;
	named_insert(&groups, &p->group_named, name_key(group));
}

void group_leave(struct process *p)
{
	named_remove(&groups, &p->group_named);
}

void process_set_group_locked(struct process *p, uint32_t group)
{
	if (p->process_group == group)
		return;
	group_leave(p);
	group_enter(p, group);
}

void session_enter(struct process *p, uint32_t session)
{
	p->session = session;
	named_insert(&sessions, &p->session_named, name_key(session));
}

void session_leave(struct process *p)
{
	named_remove(&sessions, &p->session_named);
}

void group_keep_name(struct named *n, uint32_t group)
{
	named_insert(&sessions, n, name_key(group));
}

void group_let_name_go(struct named *n)
{
	named_remove(&sessions, n);
}

void process_set_session_locked(struct process *p, uint32_t session)
{
	if (p->session == session)
		return;
	session_leave(p);
	session_enter(p, session);
}

bool names_group_or_session(uint32_t id)
{
	uint64_t key = name_key(id);

	return named_find(&groups, key) || named_find(&sessions, key);
}

struct group_walk group_begin(uint32_t group)
{
	struct named *first = named_find(&groups, name_key(group));

	return (struct group_walk){ first, first ? named_last(first) : NULL };
}

struct process *group_next(struct group_walk *w)
{
	struct named *n = w->next;

	w->next = named_next(n, w->last);
	return container_of(n, struct process, group_named);
}

long sys_getpid(void)
{
	return current_process()->pid;
}

long sys_getppid(void)
{
	lock_acquire(&process_tree_lock);
	const struct process *parent = current_process()->parent;
	long pid = parent ? parent->pid : 0;

	lock_release(&process_tree_lock);
	return pid;
}

static bool group_exists_locked(uint32_t group, uint32_t session)
{
	for (struct group_walk w = group_begin(group); w.next;)
		if (group_next(&w)->session == session)
			return true;
	return false;
}

static int set_group_locked(struct process *caller, uint32_t pid, uint32_t group)
{
	struct process *p = process_find(pid);

	if (!p && process_find_by_thread(pid))
		return -EINVAL; /* a thread is in no group of its own */
	if (!p || (p != caller && p->parent != caller))
		return -ESRCH;
	if (p != caller) {
		if (p->session != caller->session)
			return -EPERM;
		if (p->has_executed)
			return -EACCES;
	}
	if (p->session == p->pid)
		return -EPERM; /* a session leader */
	if (group != pid && !group_exists_locked(group, caller->session))
		return -EPERM;
	process_set_group_locked(p, group);
	return 0;
}

long sys_setpgid(int pid, int group)
{
	struct process *p = current_process();

	if (pid == 0)
		pid = (int)p->pid;
	if (group == 0)
		group = pid;
	if (group < 0)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	int r = set_group_locked(p, (uint32_t)pid, (uint32_t)group);

	lock_release(&process_tree_lock);
	return r;
}

long sys_getpgid(int pid)
{
	lock_acquire(&process_tree_lock);
	const struct process *p = pid ? process_find_by_thread((uint32_t)pid) : current_process();
	long r = p ? (long)p->process_group : -ESRCH;

	lock_release(&process_tree_lock);
	return r;
}

long sys_getpgrp(void)
{
	return sys_getpgid(0);
}

/* A new session has no controlling terminal, and no other member. */
long sys_setsid(void)
{
	struct process *p = current_process();
	long r = -EPERM;

	lock_acquire(&process_tree_lock);
	if (!group_begin(p->pid).next) {
		process_set_session_locked(p, p->pid);
		process_set_group_locked(p, p->pid);
		p->controlling_tty = NULL;
		r = p->pid;
	}
	lock_release(&process_tree_lock);
	return r;
}

long sys_getsid(int pid)
{
	lock_acquire(&process_tree_lock);
	const struct process *p = pid ? process_find_by_thread((uint32_t)pid) : current_process();
	long r = p ? (long)p->session : -ESRCH;

	lock_release(&process_tree_lock);
	return r;
}
