/* SPDX-License-Identifier: MIT */
/*
 * epoll(7), below its system calls (fs/epoll_calls.c).
 *
 *	file A --watches--> [item (A, 5)] --entries--> A's wait queue      a wake calls the item
 *	                    [item (A, 7)]                                  |
 *	epoll  --items----> both, and those of other files                 v
 *	       --ready----> [item (A, 5)] -> [item (B, 6)]                 those that were called
 *
 * An item stays registered with its file from epoll_add() until it is removed.  What is in the list of ready
 * items has been called since somebody last asked its file, or is level-triggered and was ready then: so
 * waiting costs by what happens and not by what is watched.
 */
#ifndef LIBOS_EPOLL_H
#define LIBOS_EPOLL_H

#include <linux/eventpoll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/list.h"
#include "core/lock.h"
#include "core/mutex.h"
#include "core/name_tree.h"
#include "core/wait.h"
#include "fs/file.h"
#include "fs/poll.h"
#include "fs/poll_wait.h"

/* How an item is told, besides the events that are wanted. */
#define EPOLL_FLAGS (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)

struct user;

struct epoll {
	/* Fixed: who has made it, and has its items; held. */
	struct user *user;

	/* MUTEX_EPOLL: one task at a time changes items, or takes events. */
	struct mutex mutex;
	_Atomic uint32_t references; /* the open file, and each item */

	struct lock lock; /* RANK_EPOLL; guards: */
	struct named *items;           /* struct epoll_item.named, by file and descriptor */
	struct list all;               /* struct epoll_item.link */
	struct list ready;             /* struct epoll_item.ready_link */
	struct list taking;            /* the same, of those that epoll_wait_for() has not come to yet */
	struct epoll_item *in_flight;  /* that it is asking; counted by it */
	struct wait_queue sleepers;    /* in epoll_wait */
	bool has_pollers;              /* `pollers` may have some: also under epoll_pollers_lock */

	struct wait_queue pollers; /* under epoll_pollers_lock: of the epoll's own file */

	/* fs/epoll_nest.c, under its mutex: struct epoll_item.inner_link and outer_link, of items of this
	 * epoll that watch others, and of those of others that watch this one; what was found of it, and
	 * when. */
	struct list inner, outer;
	uint64_t looked_at;
	unsigned depth;
};

/* One file under one descriptor's number, in one epoll. */
struct epoll_item {
	/* Fixed. */
	struct epoll *epoll; /* counted */
	struct epoll *inner; /* the epoll that it watches, or NULL */
	int fd;
	struct wait_callback callback;
	struct poll_entry entries[POLL_QUEUES_PER_FILE];
	unsigned entry_count;

	/* Under epoll->lock. */
	struct file *file; /* not counted: whoever uses it tries to count it; NULL: the item is removed */
	struct named named;
	struct list link, ready_link;
	unsigned users;  /* who look at it without the lock; the last one frees it if it is removed */
	unsigned calls;  /* how often it may have become ready */
	uint32_t flags;
	uint64_t data;

	/* Events; 0: none until it is changed (EPOLLONESHOT).  Changed under epoll->lock; read by who wakes,
	 * under the file's lock. */
	_Atomic uint32_t wanted;

	struct list watch_link;             /* in file->watches, under its lock */
	struct list inner_link, outer_link; /* under the mutex of fs/epoll_nest.c */
};

/* The items of a file, and its notice.  Made with the first, and then there as long as the file. */
struct file_watches {
	struct async_notice *notice; /* for SIGIO: fs/async.c, under its mutex; or NULL */
	struct lock lock;   /* RANK_LEAF; guards: */
	struct list items;
};

extern const struct file_ops epoll_file_ops;

static inline struct epoll *epoll_of_file(const struct file *f)
{
	return f->ops == &epoll_file_ops ? f->private : NULL;
}

/* ---------------------------------------------------------------- fs/epoll.c: items */

struct epoll *epoll_create(void); /* NULL when out of memory */
/* The epoll's file is gone, and so is the caller's reference. */
void epoll_release(struct epoll *ep);

/* Under ep->mutex, with a reference on f, whose kind has a poll operation: 0, -EEXIST, -ENOENT, -ELOOP,
 * -EINVAL or -ENOMEM. */
int epoll_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event);
int epoll_change(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event);
int epoll_delete(struct epoll *ep, struct file *f, int fd);

/* With a reference on f; NULL when out of memory. */
struct file_watches *file_watches_of(struct file *f);
/* Under ep->lock. */
struct epoll_item *epoll_find(const struct epoll *ep, const struct file *f, int fd);
/* No lock held: the item may be ready, and is looked at by whoever waits. */
void epoll_item_call(struct epoll_item *item);

/* file_put(): the last reference on a file that has been watched is gone, and nobody can take another. */
void epoll_forget(struct file *f);

/* ---------------------------------------------------------------- fs/epoll_ready.c: events */

/* Waits for events and copies up to `max` of them to the program, which are then taken.  How many, 0 (the
 * time is over), -EINTR, or -EFAULT if the first one could not be copied. */
long epoll_wait_for(struct epoll *ep, uint64_t user, unsigned max, struct poll_limit limit);
/* Is any item ready?  Takes nothing. */
bool epoll_is_ready(struct epoll *ep);

/* ---------------------------------------------------------------- fs/epoll_limit.c: how many there may be */

void epoll_limit_init(void); /* once, when there is /proc */
/* Another item of a user's, or a notice (fs/async.h); false: he has as many as he may. */
bool epoll_watch_begin(struct user *u);
void epoll_watch_end(struct user *u);

/* ---------------------------------------------------------------- fs/epoll_nest.c: epolls in epolls */

/* item->epoll begins to watch item->inner: 0, -ELOOP, or -EINVAL if too many watch that. */
int epoll_nest(struct epoll_item *item);
void epoll_unnest(struct epoll_item *item);

#endif
