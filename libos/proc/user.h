/* SPDX-License-Identifier: MIT */
/* How many tasks each real user has: RLIMIT_NPROC. */
#ifndef LIBOS_PROC_USER_H
#define LIBOS_PROC_USER_H

#include <stdbool.h>
#include <stdint.h>

struct process;
struct user;

/*
 * All under process_tree_lock.
 *
 * A process has a place for each task, one as a zombie, and one for each task that is being made.  It counts
 * with its user from user_enter_locked() until the last place is given back.
 */
bool user_enter_locked(struct process *p); /* with one place; false: out of memory */
/* Another place, if the limit leaves one. */
bool user_take_place_locked(struct process *p, uint64_t limit);
void user_give_place_locked(struct process *p);
/* The child has the place that the process that makes it has taken for it, and the same user. */
void user_hand_over_locked(struct process *from, struct process *child);
/* All its places go to another user; it is that one's then.  False: out of memory, nothing has changed. */
bool user_change_locked(struct process *p, uint32_t uid);

#endif
