/* SPDX-License-Identifier: MIT */
/*
 * Which items of an epoll are ready: their files are asked, since what called an item may be over.
 *
 * take() takes an item out of the list before it asks the file, so what happens after the answer puts it
 * there again.  Only the task with the epoll's mutex takes items, so what is triggered by an edge is told
 * once, and what is triggered by a level is told by each call, but once in it.
 *
 * epoll_is_ready() takes no turn: it is also called for an epoll in another, by a task that has the other's
 * mutex.  It leaves items where they are while it asks, and afterwards takes out those that are not ready and
 * have not been called meanwhile.  It sees those as well that take() is at, so that what is ready
 * throughout is seen throughout.
 */
#include "abi/errno.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/epoll.h"
#include "proc/signal.h"

/* Under the epoll's lock: the file may be asked after it is dropped, and the item is not freed.  NULL: the
 * file is being closed. */
static struct file *begin_use(struct epoll_item *item)
{
	struct file *f = item->file;

	item->users++;
	return f && file_try_get(f) ? f : NULL;
}

/* Under the same: -> the item must be freed, after the lock has been dropped. */
static bool end_use(struct epoll_item *item)
{
	return --item->users == 0 && !item->file;
}

/* No lock held: as poll does. */
static uint32_t ask(struct file *f)
{
	uint32_t events = f ? f->ops->poll(f, NULL) : 0;

	if (f)
		file_put(f);
	return events;
}

static uint32_t wanted(const struct epoll_item *item)
{
	return item->file ? atomic_load_explicit(&item->wanted, memory_order_relaxed) : 0;
}

/* ---------------------------------------------------------------- taking events */

/* Under ep->mutex: takes the next item and asks its file.  false: there is none. */
static bool take_next(struct epoll *ep, struct epoll_item **item, struct file **f, uint32_t *events)
{
	struct list *link;

	lock_acquire(&ep->lock);
	link = list_pop_front(&ep->taking);
	if (link) {
		*item = ep->in_flight = list_entry(link, struct epoll_item, ready_link);
		*f = begin_use(*item);
	}
	lock_release(&ep->lock);
	if (link)
		*events = ask(*f);
	return link != NULL;
}

/* What is to be asked again goes to the end, so that each has its turn.  -> is there an event? */
static bool finish(struct epoll *ep, struct epoll_item *item, struct epoll_event *event)
{
	bool gone;

	lock_acquire(&ep->lock);
	ep->in_flight = NULL;
	event->events &= wanted(item);
	event->data = item->data;
	if (event->events && item->flags & EPOLLONESHOT)
		atomic_store_explicit(&item->wanted, 0, memory_order_relaxed);
	else if (event->events && !(item->flags & EPOLLET) && list_empty(&item->ready_link))
		list_push_back(&ep->ready, &item->ready_link);
	gone = end_use(item);
	lock_release(&ep->lock);
	if (gone)
		heap_free(item);
	return event->events != 0;
}

/*
 * An event that could not be copied is there again, if the item is.  If there is one with this name it is the
 * same, since items are added under ep->mutex, which we have.  Nobody has changed what is wanted for that
 * reason, too.
 */
static void put_back(struct epoll *ep, const struct epoll_item *taken, const struct file *f, int fd,
		     uint32_t wanted_before)
{
	struct epoll_item *item;

	lock_acquire(&ep->lock);
	item = epoll_find(ep, f, fd);
	if (item) {
		ASSERT_INVARIANT(item == taken);
		atomic_store_explicit(&item->wanted, wanted_before, memory_order_relaxed);
		item->users++;
	}
	lock_release(&ep->lock);
	if (!item)
		return;
	epoll_item_call(item);
	lock_acquire(&ep->lock);
	if (!end_use(item))
		item = NULL;
	lock_release(&ep->lock);
	heap_free(item);
}

/* 1: an event was taken; 0: there was none; -EFAULT. */
static long tell(struct epoll *ep, struct epoll_item *item, struct file *f, uint32_t events, uint64_t user)
{
	uint32_t before = atomic_load_explicit(&item->wanted, memory_order_relaxed);
	struct epoll_event event = { .events = events };
	int fd = item->fd;

	if (!finish(ep, item, &event))
		return 0;
	if (copy_to_user(user, &event, sizeof(event)) == 0)
		return 1;
	put_back(ep, item, f, fd, before);
	return -EFAULT;
}

/* All that is ready now; what becomes so while we are here is for the next call. */
static void begin_taking(struct epoll *ep)
{
	lock_acquire(&ep->lock);
	list_splice_front(&ep->taking, &ep->ready);
	lock_release(&ep->lock);
}

/* What has not been taken comes first the next time; if there is something, another may have it. */
static void end_taking(struct epoll *ep)
{
	lock_acquire(&ep->lock);
	list_splice_front(&ep->ready, &ep->taking);
	if (!list_empty(&ep->ready))
		wake_one(&ep->sleepers, WAKE_ANY);
	lock_release(&ep->lock);
}

/* Under ep->mutex: copies up to `max` events to the program, which are then taken.  How many, or -EFAULT if
 * the first one could not be copied. */
static long take(struct epoll *ep, uint64_t user, unsigned max)
{
	struct epoll_item *item;
	struct file *f;
	uint32_t events;
	long taken = 0, r = 0;

	begin_taking(ep);
	while (taken < max && r >= 0 && take_next(ep, &item, &f, &events)) {
		r = tell(ep, item, f, events, user + (uint64_t)taken * sizeof(struct epoll_event));
		taken += r > 0;
	}
	end_taking(ep);
	return taken ? taken : r;
}

/* ---------------------------------------------------------------- waiting */

/* Until there may be something: 0, or -EINTR or -ETIMEDOUT if there is nothing. */
static int wait_for_item(struct epoll *ep, uint64_t deadline_ns)
{
	int r = 0;

	lock_acquire(&ep->lock);
	while (list_empty(&ep->ready) && r == 0)
		r = wait_on(&ep->sleepers, &ep->lock, WAIT_INTERRUPTIBLE, deadline_ns);
	if (!list_empty(&ep->ready))
		r = 0;
	lock_release(&ep->lock);
	return r;
}

long epoll_wait_for(struct epoll *ep, uint64_t user, unsigned max, struct poll_limit limit)
{
	for (;;) {
		long taken;
		int r;

		mutex_lock(&ep->mutex);
		taken = take(ep, user, max);
		mutex_unlock(&ep->mutex);
		if (taken || limit.at_once)
			return taken;
		if (signal_is_pending()) /* even if items are called for ever, and over when they are asked */
			return -EINTR;
		r = wait_for_item(ep, limit.deadline_ns);
		if (r == -EINTR)
			return r;
		/* What another task is just taking may be ready still. */
		limit.at_once = r != 0;
	}
}

/* ---------------------------------------------------------------- looking */

/* Under ep->lock: one that may be ready. */
static struct epoll_item *candidate(struct epoll *ep)
{
	if (!list_empty(&ep->ready))
		return list_entry(ep->ready.next, struct epoll_item, ready_link);
	if (!list_empty(&ep->taking))
		return list_entry(ep->taking.next, struct epoll_item, ready_link);
	return ep->in_flight;
}

/* Takes it out of its list if it is neither ready nor has been called since it was asked. */
static bool look_at(struct epoll *ep, struct epoll_item *item, struct file *f, unsigned calls)
{
	uint32_t events = ask(f);
	bool ready = events & atomic_load_explicit(&item->wanted, memory_order_relaxed), gone;

	lock_acquire(&ep->lock);
	if (!ready && item->calls == calls)
		list_remove(&item->ready_link);
	gone = end_use(item);
	lock_release(&ep->lock);
	if (gone)
		heap_free(item);
	return ready;
}

/* Each turn has one item less to look at, or there has been an event meanwhile; the one in flight is the
 * last. */
bool epoll_is_ready(struct epoll *ep)
{
	bool ready = false, last = false;

	while (!ready && !last) {
		struct epoll_item *item;
		struct file *f = NULL;
		unsigned calls = 0;

		lock_acquire(&ep->lock);
		item = candidate(ep);
		if (item) {
			last = list_empty(&ep->ready) && list_empty(&ep->taking);
			f = begin_use(item);
			calls = item->calls;
		}
		lock_release(&ep->lock);
		if (!item)
			break;
		ready = look_at(ep, item, f, calls);
	}
	return ready;
}
