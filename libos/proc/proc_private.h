/* SPDX-License-Identifier: MIT */
/* What the parts of proc/ share. */
#ifndef LIBOS_PROC_PRIVATE_H
#define LIBOS_PROC_PRIVATE_H

#include <asm/signal.h>
#include "proc/process.h"

/* ---- process.c */

/* A process with no tasks, in no list, that inherits limits and names from `parent` (or nothing if
 * that is NULL).  One reference: the tree's.  NULL when out of memory.  No lock held. */
struct process *process_create(const struct process *parent);
/* Its first task exists: it gets its pid, and its place in the tree.  Under process_tree_lock. */
void process_link_locked(struct process *p, struct process *parent, struct task *first);
/* Out of the tree; the caller then drops the tree's reference with process_bury(). */
void process_unlink_locked(struct process *p);
/* The tree's reference and the tasks whose ids it kept; no lock held. */
void process_bury(struct process *p);
/* t, which has not run, belongs to p from now on. */
void process_add_task_locked(struct process *p, struct task *t);

/* ---- group.c, under process_tree_lock */

/* Of its group, which it is not in yet; no longer; now of another one. */
void group_enter(struct process *p, uint32_t group);
void group_leave(struct process *p);
void process_set_group_locked(struct process *p, uint32_t group);
/* The same of its session. */
void session_enter(struct process *p, uint32_t session);
void session_leave(struct process *p);
void process_set_session_locked(struct process *p, uint32_t session);
/* Some process, perhaps a zombie, is in a group or a session that goes by this id, or it is kept. */
bool names_group_or_session(uint32_t id);

/* ---- exit.c */

/* For exec: every task of p but the caller ends. */
void process_end_other_tasks_locked(struct process *p);

/* ---- stop.c, under process_tree_lock */

/* p is not to stop any more: it is continued, or ends. */
static inline void process_stop_ends_locked(struct process *p)
{
	p->stopped = p->stop_unreported = false;
}
/* While p is to stop: so is t, which joins it. */
void process_stop_includes_locked(struct process *p, struct task *t);
/* Likewise: t leaves it, and is not the last. */
void process_stop_excludes_locked(struct process *p, const struct task *t);

/* ---- usage.c */

void usage_add(struct usage *sum, const struct usage *more);
void usage_of_task(struct usage *sum, const struct task *t);
/* All tasks that p has and had.  Under process_tree_lock. */
struct usage usage_of_process_locked(const struct process *p);

/* ---- wait.c */

/* SIGCHLD, or what p sends instead, and a wake for p's parent; code: CLD_..., status: the exit
 * code or a signal's number. */
void process_tell_parent_locked(struct process *p, int code, int status);
/* What the parent of p, which has one, is sent when p ends.  What another program chose may mean
 * anything to the one that the parent has begun since: that gets SIGCHLD. */
static inline int process_exit_signal_locked(const struct process *p)
{
	return p->parent->execs == p->parent_execs ? p->exit_signal : SIGCHLD;
}
/* The two for a process that has ended, from its wait status. */
int exit_code_of(int wait_status, int *status);

/* ---- threads.c */

/* What threads promise each other about their end, or their program's: robust futexes, clear_child_tid. */
void thread_release_futexes(struct task *t);

/* ---- futex.c */

/* Wakes up to `count` waiters at a word of the current process, shared or not. */
void futex_wake_word(uint64_t address, unsigned count);

#endif
