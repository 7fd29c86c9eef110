/* SPDX-License-Identifier: MIT */
/*
 * Priority inheritance: who has a lock that a more urgent task waits for is as urgent as that one until he
 * gives it back (Sha, Rajkumar and Lehoczky, "Priority inheritance protocols: an approach to real-time
 * synchronization", 1990).  inheritance.c says how.  Which word a lock is belongs to futex_inherit.c.
 */
#ifndef LIBOS_INHERITANCE_H
#define LIBOS_INHERITANCE_H

#include <libos/ordered.h>
#include <stdbool.h>
#include "core/lock.h"
#include "core/name_tree.h"
#include "core/task.h"
#include "proc/futex.h"
#include "proc/sched_parameters.h"

/*
 * One for all, as a task that becomes urgent makes the owner of what it waits for urgent, and so on: such a
 * chain passes through the locks of many tasks, in no order.  RANK_FUTEX; taken where there is contention
 * only.
 */
extern struct lock inheritance_lock;

/* A lock that somebody waits for, or that has to be told of its owner yet.  All of it under
 * inheritance_lock. */
struct contended_lock {
	struct named named;
	struct futex_name name;
	struct task *owner;           /* it gives the lock away before it ends, hence it is there */
	struct ordered_node of_owner; /* in its inheritance.contended, while somebody waits */
	/* lock_waiter.node: the most urgent first, then as they came. */
	struct ordered_heap waiters;
	bool unsettled; /* the owner has it from one who ended, and has yet to write the word */
};

/* On the stack of its task.  Under inheritance_lock while it waits. */
struct lock_waiter {
	struct ordered_node node;
	struct task *task;
	struct contended_lock *lock; /* NULL: it does not wait any more, it is the owner */
};

/* What only those tasks have that have waited for such a lock, or been waited for. */
struct inheritance {
	/* Under the task's lock: what was set, but for the affinity and reset_on_fork. */
	struct sched_parameters own;
	/* Under inheritance_lock: contended_lock.of_owner, as urgent as who waits. */
	struct ordered_heap contended;
	struct lock_waiter *waits; /* under inheritance_lock; NULL: for nothing */
};

/* All of these under inheritance_lock, unless they say otherwise; none blocks. */

struct contended_lock *contended_find(const struct futex_name *name);
/* Nobody waits for it yet.  0, -ENOMEM, or -ESRCH: the owner has ended. */
int contended_create(const struct futex_name *name, struct task *owner,
		     struct contended_lock **made);
/* After the last waiter has gone, unless it is unsettled. */
void contended_free_unused(struct contended_lock *l);

static inline bool contended_is_wanted(const struct contended_lock *l)
{
	return l->waiters.count != 0;
}

/* Whoever comes first of those who wait, if it is wanted. */
struct lock_waiter *contended_first(const struct contended_lock *l);

/* w, of the running task, waits for l.  0, -EDEADLK: that would wait for itself, or the chain is too long;
 * -ENOMEM. */
int contended_enter(struct contended_lock *l, struct lock_waiter *w);
/* w has waited for long enough; l may be gone afterwards. */
void contended_leave(struct lock_waiter *w);
/* The first who waits is the owner, and no longer waits: for the caller to wake.  l may be gone
 * afterwards. */
struct task *contended_pass_on(struct contended_lock *l);

/* No lock above RANK_FUTEX held: what was set for t is another. */
void inheritance_own_changed(struct task *t);
/* No lock held: all that t has goes to those who wait. */
void inheritance_release_all(struct task *t);

/* The running task, no lock held, in exec or at its end.  Nearly always there is nothing to do. */
static inline void inheritance_release(struct task *t, bool ends)
{
	/* contended_create() argues why nobody comes after that. */
	if (ends)
		t->locks_released = true;
	if (t->inheritance)
		inheritance_release_all(t);
}

#endif
