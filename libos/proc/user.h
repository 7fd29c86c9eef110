/* SPDX-License-Identifier: MIT */
/* How many tasks each real user has, for RLIMIT_NPROC, and how many signals are queued for them; how many
 * items of epolls; how many files are on their way in messages of his; how many pages his pipes have. */
#ifndef LIBOS_PROC_USER_H
#define LIBOS_PROC_USER_H

#include <stdbool.h>
#include <stdint.h>

struct process;
struct user;

/*
 * These are under process_tree_lock.
 *
 * A process has a place for each task, one as a zombie, and one for each task that is being made.  It counts
 * with its user from user_enter_locked() until the last place is given back.
 */
bool user_enter_locked(struct process *p); /* with one place; false: out of memory */
/* Another place, for the calling task's process; false: the limit leaves none.  The lock is dropped while
 * it waits for threads that are about to give theirs back. */
bool user_take_place_locked(struct process *p, uint64_t limit);
void user_give_place_locked(struct process *p);
/* The child has the place that the process that makes it has taken for it, and the same user: all of its
 * identity is copied at once, so that no change of another task's falls in the middle. */
void user_hand_over_locked(struct process *from, struct process *child);
/* All its places go to another user; it is that one's then.  False: out of memory, nothing has changed. */
bool user_change_locked(struct process *p, uint32_t uid);
/* Signals that are queued for his processes, and keep him here. */
bool user_has_room_for_signal_locked(const struct user *u);
void user_add_signal_locked(struct user *u);
void user_remove_signal_locked(struct user *u);

/*
 * Beyond tasks: what a file that he has made counts with him.  The file holds him, and may outlive all his
 * processes.  The first two in task context, no lock held; the others anywhere.
 */
struct user *user_hold_own(void); /* that of the calling process */
void user_let_go(struct user *u);
bool user_add_watch(struct user *u, uint64_t most); /* false: he has that many */
void user_remove_watch(struct user *u);
/* So many files that a task of his waits for at once. */
bool user_add_polled(struct user *u, uint64_t n, uint64_t most);
void user_remove_polled(struct user *u, uint64_t n);
bool user_add_passed(struct user *u, uint64_t most); /* likewise: another file that he sends */
void user_remove_passed(struct user *u, uint64_t n);
bool user_add_pipe_pages(struct user *u, uint64_t n, uint64_t most); /* likewise: n more */
void user_remove_pipe_pages(struct user *u, uint64_t n);

#endif
