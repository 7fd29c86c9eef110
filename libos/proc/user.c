/* SPDX-License-Identifier: MIT */
/* Counters for each real user that has tasks, or holds files that count: so that a fork need not count the
 * tasks. */
#include "proc/user.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/name_tree.h"
#include "core/task.h"
#include "core/wait.h"
#include "proc/process.h"
#include "proc/signal.h"

struct user {
	struct named named; /* by uid */

	/* Under process_tree_lock. */
	uint64_t places;
	uint64_t holders;
	uint64_t signals;

	_Atomic uint64_t watches, polled, passed, pipe_pages; /* any CPU; numbers by themselves */
};

static struct named *users; /* under process_tree_lock */

static struct user *find_or_make(uint32_t uid)
{
	struct named *n = named_find(&users, name_key(uid));
	struct user *u;

	if (n)
		return container_of(n, struct user, named);
	u = heap_alloc(sizeof(*u));
	if (u)
		named_insert(&users, &u->named, name_key(uid));
	return u;
}

static void free_if_unused(struct user *u)
{
	if (u->places > 0 || u->holders > 0 || u->signals > 0)
		return;
	named_remove(&users, &u->named);
	heap_free(u);
}

static void give(struct user *u, uint64_t places)
{
	ASSERT_INVARIANT(u->places >= places);
	u->places -= places;
	free_if_unused(u);
}

struct user *user_hold_own(void)
{
	struct user *u;

	lock_acquire(&process_tree_lock);
	u = current_process()->user;
	u->holders++;
	lock_release(&process_tree_lock);
	return u;
}

void user_let_go(struct user *u)
{
	lock_acquire(&process_tree_lock);
	u->holders--;
	free_if_unused(u);
	lock_release(&process_tree_lock);
}

/* So many more, if with them there are no more than `most`. */
static bool add(_Atomic uint64_t *number, uint64_t n, uint64_t most)
{
	uint64_t now = atomic_load_explicit(number, memory_order_relaxed);

	while (n <= most && now <= most - n)
		if (atomic_compare_exchange_weak_explicit(
			    number, &now, now + n, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

bool user_add_watch(struct user *u, uint64_t most)
{
	return add(&u->watches, 1, most);
}

void user_remove_watch(struct user *u)
{
	atomic_fetch_sub_explicit(&u->watches, 1, memory_order_relaxed);
}

bool user_add_polled(struct user *u, uint64_t n, uint64_t most)
{
	return add(&u->polled, n, most);
}

void user_remove_polled(struct user *u, uint64_t n)
{
	atomic_fetch_sub_explicit(&u->polled, n, memory_order_relaxed);
}

bool user_add_passed(struct user *u, uint64_t most)
{
	return add(&u->passed, 1, most);
}

void user_remove_passed(struct user *u, uint64_t n)
{
	atomic_fetch_sub_explicit(&u->passed, n, memory_order_relaxed);
}

bool user_add_pipe_pages(struct user *u, uint64_t n, uint64_t most)
{
	return add(&u->pipe_pages, n, most);
}

void user_remove_pipe_pages(struct user *u, uint64_t n)
{
	atomic_fetch_sub_explicit(&u->pipe_pages, n, memory_order_relaxed);
}

bool user_enter_locked(struct process *p)
{
	p->user = find_or_make(p->uid);
	if (!p->user)
		return false;
	p->user->places++;
	return true;
}

static bool somebody_leaves_locked(const struct process *p)
{
	list_for_each(node, &p->tasks) {
		if (task_is_leaving(list_entry(node, struct task, thread_link)))
			return true;
	}
	return false;
}

/*
 * RLIMIT_NPROC counts the tasks of the real user, root's as well: there is only one machine to be
 * kept usable.  A place is taken here and becomes the new task's when that is linked, so that many
 * who fork at once do not all find the last one free.
 *
 * A thread that has been joined has only said that it ends, and still has its place: whoever makes as many
 * threads as there may be, joins them and begins again, waits here for those that are on their way.  They
 * are woken by nobody and wait for nobody, and leave under the lock that we look under.
 */
bool user_take_place_locked(struct process *p, uint64_t limit)
{
	while (p->user->places >= limit) {
		if (!somebody_leaves_locked(p))
			return false;
		wait_on(&p->thread_wait, &process_tree_lock, 0, 0);
	}
	p->user->places++;
	p->forking++;
	return true;
}

void user_give_place_locked(struct process *p)
{
	give(p->user, 1);
}

void user_hand_over_locked(struct process *from, struct process *child)
{
	from->forking--;
	child->user = from->user;
	child->uid = from->uid;
	child->euid = from->euid;
	child->suid = from->suid;
	child->gid = from->gid;
	child->egid = from->egid;
	child->sgid = from->sgid;
	if (from->more_group_count)
		more_groups_copy_locked(child, from);
}

bool user_change_locked(struct process *p, uint32_t uid)
{
	uint64_t places = (p->task_count ? p->task_count : 1) + p->forking;
	struct user *from = p->user, *to = find_or_make(uid);

	if (!to)
		return false;
	to->places += places;
	give(from, places);
	p->user = to;
	p->uid = uid;
	return true;
}

bool user_has_room_for_signal_locked(const struct user *u)
{
	return u->signals < SIGNAL_USER_MAX;
}

void user_add_signal_locked(struct user *u)
{
	u->signals++;
}

__attribute__((noinline)) void user_remove_signal_locked(struct user *u)
{
	u->signals--;
	free_if_unused(u);
}
