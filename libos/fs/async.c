/* SPDX-License-Identifier: MIT */
/*
 * Files whose news is told by SIGIO; see async.h.
 *
 * Why no news is lost: the flag is set when the notice is in the file's queues, so who has news from
 * then on calls it, and it comes into the list of those that have some, if it is not there.  While anything
 * is in the list the timer is armed, or fire() is at work, and arms it when it is done.  A notice leaves the
 * list before its owner is told; so if there is news meanwhile, it comes into the list once more.
 *
 * Until when a notice is there: who closes the file takes it out of the queues, under the lock of each,
 * so that nobody puts it into the list any more, then out of the list, and waits until fire() is not at it.
 *
 * However many have news at once: who wakes a file's pollers does no more for a notice than for an item of
 * an epoll, as which it is counted (epoll_limit.c), and fire() tells a few at a time.
 */
#include "fs/async.h"
#include <asm/signal.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/epoll.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "fs/poll.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/user.h"
#include "time/time.h"

#define NEWS_IN (POLLIN | POLLRDNORM | POLLPRI | POLLRDHUP)
#define NEWS_OUT (POLLOUT | POLLWRNORM)

struct async_notice {
	/* Fixed. */
	const struct file *file;
	struct wait_callback callback;
	struct poll_entry entries[POLL_QUEUES_PER_FILE];
	unsigned entry_count;
	struct user *user; /* held; whose it is */

	struct list link; /* under news.lock: in news.notices */

	/* Under process_tree_lock. */
	int owner;           /* a process, or a group if negative; 0: nobody */
	uint32_t generation; /* of that process */
	uint32_t by_uid,
		by_euid; /* who has named it: only whom he could send a signal himself gets any */
};

/* Who makes a file's notice, one at a time; files are closed under any mutex, but not made. */
static struct mutex making = {
	.lock = LOCK_INIT("notices", RANK_MUTEX),
	.queue = { LIST_INIT(making.queue.waiters) },
	.rank = MUTEX_NOTICES,
};

static void fire(struct timer *timer);

/* Those that have news of which nobody has been told yet. */
static struct {
	struct lock lock; /* RANK_LEAF; guards the others */
	struct list notices;
	const struct async_notice *telling; /* fire() is at this one */
	struct timer timer;
} news = {
	.lock = LOCK_INIT("news", RANK_LEAF),
	.notices = LIST_INIT(news.notices),
	.timer = { .fire = fire },
};

#define TOLD_AT_ONCE 16
#define TURN_NS 100000ul /* between two times: several times what it takes to tell so many */

/* ---------------------------------------------------------------- news */

static bool may_tell(const struct async_notice *n, const struct process *p)
{
	return n->by_euid == 0 || n->by_euid == p->suid || n->by_euid == p->uid ||
	       n->by_uid == p->suid || n->by_uid == p->uid;
}

/* Under process_tree_lock; NULL: it has ended. */
static struct process *owner_process(const struct async_notice *n)
{
	struct process *p = n->owner > 0 ? process_find((uint32_t)n->owner) : NULL;

	return p && p->generation == n->generation ? p : NULL;
}

/* As all that is sent to a group, a child that p is making gets it as well. */
static void tell_member_locked(const struct async_notice *n, struct process *p)
{
	if (!may_tell(n, p))
		return;
	signal_owe_children_locked(p, SIGIO);
	signal_send_process_locked(p, SIGIO, NULL);
}

static void tell(const struct async_notice *n)
{
	struct process *p;

	lock_acquire(&process_tree_lock);
	if (n->owner < 0) {
		for (struct group_walk w = group_begin((uint32_t)-n->owner); w.next;)
			tell_member_locked(n, group_next(&w));
	} else {
		p = owner_process(n);
		if (p && may_tell(n, p))
			signal_send_process_locked(p, SIGIO, NULL);
	}
	lock_release(&process_tree_lock);
}

/* Under news.lock, which is dropped meanwhile: the first is told.  False: there is none. */
static bool tell_first(void)
{
	struct list *first = list_pop_front(&news.notices);

	if (!first)
		return false;
	news.telling = list_entry(first, struct async_notice, link);
	lock_release(&news.lock);
	tell(news.telling);
	lock_acquire(&news.lock);
	news.telling = NULL;
	return true;
}

/* Event context.  It may begin on another CPU while it is at work: whoever is at work arms it again. */
static void fire(struct timer *timer)
{
	lock_acquire(&news.lock);
	if (!news.telling) {
		for (int i = 0; i < TOLD_AT_ONCE && tell_first(); i++)
			;
		if (!list_empty(&news.notices))
			timer_arm(timer, time_now_ns() + TURN_NS);
	}
	lock_release(&news.lock);
}

/* Under the lock of the queue.  It wakes nobody itself. */
static bool called(struct wait_callback *c, uint32_t key)
{
	struct async_notice *n = container_of(c, struct async_notice, callback);

	if (!(atomic_load_explicit(&n->file->flags, memory_order_relaxed) & O_ASYNC))
		return false;
	lock_acquire(&news.lock);
	if (list_empty(&news.notices) && !news.telling)
		timer_arm(&news.timer, time_now_ns());
	if (list_empty(&n->link))
		list_push_back(&news.notices, &n->link);
	lock_release(&news.lock);
	return false;
}

/* ---------------------------------------------------------------- notices */

/* What is news for who has the file open so: a pipe has one queue for both its ends. */
static uint32_t news_of(const struct file *f)
{
	unsigned mode = atomic_load_explicit(&f->flags, memory_order_relaxed) & O_ACCMODE;
	uint32_t always = POLLERR | POLLHUP;

	return always | (mode == O_WRONLY ? 0 : NEWS_IN) | (mode == O_RDONLY ? 0 : NEWS_OUT);
}

/* Nobody has the file any more, or none has been made for it. */
static void put_away(struct async_notice *n)
{
	user_let_go(n->user);
	heap_free(n);
}

/* Under `making`; NULL with an error. */
static struct async_notice *make(struct file *f, int *error)
{
	struct async_notice *n = heap_alloc(sizeof(*n));
	struct poll_waiter w = { .room = POLL_QUEUES_PER_FILE, .key = news_of(f) };

	*error = -ENOMEM;
	if (!n)
		return NULL;
	n->file = f;
	n->callback.call = called;
	n->user = user_hold_own();
	list_init(&n->link);
	if (!epoll_watch_begin(n->user)) {
		*error = -ENOSPC;
		put_away(n);
		return NULL;
	}
	w.entries = n->entries;
	w.callback = &n->callback;
	f->ops->poll(f, &w);
	n->entry_count = w.count;
	return n;
}

/* The notice of f, made if there is none; NULL with an error. */
static struct async_notice *notice_of(struct file *f, int *error)
{
	struct file_watches *watches;
	struct async_notice *n;

	*error = -ENOTTY;
	/* An epoll, when it is asked, may close a file, which may want any mutex; as on Linux it is not one
	 * that tells news itself. */
	if (!f->ops->poll || epoll_of_file(f))
		return NULL;
	*error = -ENOMEM;
	watches = file_watches_of(f);
	if (!watches)
		return NULL;
	mutex_lock(&making);
	if (!watches->notice)
		watches->notice = make(f, error);
	n = watches->notice;
	mutex_unlock(&making);
	return n;
}

int async_prepare(struct file *f)
{
	int error;

	return notice_of(f, &error) ? 0 : error;
}

void async_forget(struct async_notice *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < n->entry_count; i++)
		poll_entry_remove(&n->entries[i]);
	lock_acquire(&news.lock);
	list_remove(&n->link);
	/* Not by this CPU: fire() closes nothing. */
	while (news.telling == n) {
		lock_release(&news.lock);
		__builtin_ia32_pause();
		lock_acquire(&news.lock);
	}
	lock_release(&news.lock);
	epoll_watch_end(n->user);
	put_away(n);
}

/* ---------------------------------------------------------------- owners */

/* Under process_tree_lock. */
static int name_owner(struct async_notice *n, int who)
{
	const struct process *self = current_process(),
			     *p = who > 0 ? process_find((uint32_t)who) : NULL;

	if ((who > 0 && !p) || (who < 0 && !group_begin((uint32_t)-who).next))
		return -ESRCH;
	n->owner = who;
	n->generation = p ? p->generation : 0;
	n->by_uid = self->uid;
	n->by_euid = self->euid;
	return 0;
}

int async_set_owner(struct file *f, int who)
{
	struct async_notice *n;
	int error;

	if (who == INT32_MIN)
		return -EINVAL;
	n = notice_of(f, &error);
	if (!n)
		return error;
	lock_acquire(&process_tree_lock);
	error = name_owner(n, who);
	lock_release(&process_tree_lock);
	return error;
}

int async_owner(struct file *f)
{
	const struct file_watches *watches =
		atomic_load_explicit(&f->watches, memory_order_acquire);
	const struct async_notice *n;
	int owner = 0;

	if (!watches)
		return 0;
	mutex_lock(&making);
	n = watches->notice;
	mutex_unlock(&making);
	if (!n)
		return 0;
	lock_acquire(&process_tree_lock);
	if (n->owner < 0 || owner_process(n))
		owner = n->owner;
	lock_release(&process_tree_lock);
	return owner;
}

/* Of a single thread (F_OWNER_TID) nobody is told here. */
long async_set_owner_ex(struct file *f, uint64_t user)
{
	struct f_owner_ex owner;

	if (copy_from_user(&owner, user, sizeof(owner)) != 0)
		return -EFAULT;
	if ((owner.type != F_OWNER_PID && owner.type != F_OWNER_PGRP) || owner.pid < 0)
		return -EINVAL;
	return async_set_owner(f, owner.type == F_OWNER_PID ? owner.pid : -owner.pid);
}

long async_owner_ex(struct file *f, uint64_t user)
{
	int who = async_owner(f);
	struct f_owner_ex owner = { who < 0 ? F_OWNER_PGRP : F_OWNER_PID, who < 0 ? -who : who };

	return copy_to_user(user, &owner, sizeof(owner));
}
