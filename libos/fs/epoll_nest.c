/* SPDX-License-Identifier: MIT */
/*
 * Epolls that watch epolls: never in a circle, and no chain longer than wakes and looks may recurse.
 *
 * Whoever adds such an item walks along all that the new one would connect, each epoll once, and never deeper
 * than EPOLL_NESTS_MAX + 1 calls, as what is there already keeps to the limit.  What is reached is there:
 * an item leaves its lists, under the mutex, before it is freed, and before either epoll is.
 */
#include "abi/errno.h"
#include "fs/epoll.h"

/* As on Linux: items in a chain from an epoll that is in no other to one that has no other. */
#define EPOLL_NESTS_MAX 4
/* So many epolls may watch one: a wake of a file calls an item for each way up, masked.  Linux counts the
 * ways, and refuses with the same error. */
#define EPOLL_WATCHED_MAX 8

static struct mutex nest_mutex = {
	.lock = LOCK_INIT("nested epolls", RANK_MUTEX),
	.queue = { LIST_INIT(nest_mutex.queue.waiters) },
	.rank = MUTEX_NEST,
};
static uint64_t walks; /* so far; under nest_mutex */

/* One walk. */
struct walk {
	uint64_t number;
	bool up;                 /* to those that watch, or else to those that are watched */
	const struct epoll *end; /* where it must not come */
	bool met;                /* it came there */
};

static struct epoll *next_epoll(struct list *link, const struct walk *w)
{
	return w->up ? list_entry(link, struct epoll_item, outer_link)->epoll
		     : list_entry(link, struct epoll_item, inner_link)->inner;
}

/* How many items the longest chain from here has. */
static unsigned depth_of(struct epoll *ep, struct walk *w)
{
	struct list *items = w->up ? &ep->outer : &ep->inner;

	w->met |= ep == w->end;
	if (ep->looked_at == w->number)
		return ep->depth;
	ep->looked_at = w->number;
	ep->depth = 0;
	list_for_each(pos, items) {
		unsigned depth = depth_of(next_epoll(pos, w), w) + 1;

		if (depth > ep->depth)
			ep->depth = depth;
	}
	return ep->depth;
}

static bool is_watched_enough(const struct epoll *ep)
{
	unsigned watched = 0;

	list_for_each(pos, &ep->outer)
		watched++;
	return watched >= EPOLL_WATCHED_MAX;
}

int epoll_nest(struct epoll_item *item)
{
	struct walk down = { .end = item->epoll }, up = { .up = true, .end = item->inner };
	unsigned depth;
	int error = 0;

	mutex_lock(&nest_mutex);
	down.number = ++walks;
	up.number = ++walks;
	depth = depth_of(item->inner, &down) + 1;
	depth += depth_of(item->epoll, &up);
	if (down.met || up.met || depth > EPOLL_NESTS_MAX) {
		error = -ELOOP;
	} else if (is_watched_enough(item->inner)) {
		error = -EINVAL;
	} else {
		list_push_back(&item->epoll->inner, &item->inner_link);
		list_push_back(&item->inner->outer, &item->outer_link);
	}
	mutex_unlock(&nest_mutex);
	return error;
}

void epoll_unnest(struct epoll_item *item)
{
	mutex_lock(&nest_mutex);
	list_remove(&item->inner_link);
	list_remove(&item->outer_link);
	mutex_unlock(&nest_mutex);
}
