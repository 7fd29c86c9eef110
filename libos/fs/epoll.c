/* SPDX-License-Identifier: MIT */
/*
 * The items of epolls: added, called by the files that they watch, changed and removed.
 *
 * Why no event is lost: an item is registered with its file before the file is asked for the first time, and
 * before each later time it leaves the list of ready items (fs/epoll_ready.c).  So what happens after the
 * file has answered calls the item, which is then put into the list again.
 *
 * Locks, in their order: the file's own, under which it wakes; epoll_pollers_lock; the lock of one epoll.  An
 * epoll in another calls that other's item with the second alone: no two locks of epolls are held at a time.
 *
 * Who removes an item, once: the items of an epoll are removed by epoll_delete(), by epoll_release() and by
 * epoll_forget().  The first has the epoll's file and the watched one counted, so neither of the others is
 * under way.  epoll_release() has counted the watched file, or leaves the item alone; epoll_forget() runs
 * when nobody can count that file any more.  So each item has one of the two.
 *
 * Until when an item's pointers are good: epoll_forget() removes the item, under the epoll's lock, before the
 * file's memory is freed: so under that lock item->file may be tried to be counted.  An item counts its
 * epoll. Who looks at an item without the lock is one of its users, the last of whom frees it.
 */
#include "fs/epoll.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "fs/async.h"
#include "proc/user.h"

/* Guards struct epoll.pollers of all. */
static struct lock epoll_pollers_lock = LOCK_INIT("pollers of epolls", RANK_POLLERS);

struct epoll *epoll_create(void)
{
	struct epoll *ep = heap_alloc(sizeof(*ep));

	if (!ep)
		return NULL;
	ep->user = user_hold_own();
	mutex_init(&ep->mutex, "epoll", MUTEX_EPOLL);
	lock_init(&ep->lock, "epoll", RANK_EPOLL);
	atomic_init(&ep->references, 1);
	list_init(&ep->all);
	list_init(&ep->ready);
	list_init(&ep->taking);
	wait_queue_init(&ep->sleepers);
	wait_queue_init(&ep->pollers);
	list_init(&ep->inner);
	list_init(&ep->outer);
	return ep;
}

static void epoll_put(struct epoll *ep)
{
	if (atomic_fetch_sub_explicit(&ep->references, 1, memory_order_acq_rel) != 1)
		return;
	user_let_go(ep->user);
	heap_free(ep);
}

/* ---------------------------------------------------------------- called by files */

/*
 * An item of the epoll is called: it is in the list from here on.  Has that woken a task?
 *
 * Its being there already wakes nobody: who put it there has woken a task, which takes what is there, and
 * if it leaves something wakes the next (fs/epoll_ready.c).
 */
static bool put_into_list(struct epoll_item *item, bool *has_pollers)
{
	struct epoll *ep = item->epoll;
	bool woken = false;

	lock_acquire(&ep->lock);
	item->calls++;
	/* One that has been removed meanwhile stays out: its last user frees it (put_back()). */
	if (item->file && list_empty(&item->ready_link)) {
		list_push_back(&ep->ready, &item->ready_link);
		woken = wake_one(&ep->sleepers, WAKE_ANY) != NULL;
	}
	*has_pollers = ep->has_pollers;
	lock_release(&ep->lock);
	return woken;
}

/* Under epoll_pollers_lock. */
static void wake_pollers(struct epoll *ep)
{
	wake_all(&ep->pollers, POLLIN | POLLRDNORM);
	if (!list_empty(&ep->pollers.waiters))
		return;
	lock_acquire(&ep->lock);
	ep->has_pollers = false;
	lock_release(&ep->lock);
}

/*
 * Why no poller of an epoll misses an event: he registers, sets has_pollers under the epoll's lock, and then
 * looks at the list under it.  An item that is put there under the lock before is seen by that look; one that
 * comes later finds has_pollers set.
 */
static bool call(struct epoll_item *item)
{
	bool has_pollers, woken = put_into_list(item, &has_pollers);

	if (has_pollers) {
		lock_acquire(&epoll_pollers_lock);
		wake_pollers(item->epoll);
		lock_release(&epoll_pollers_lock);
	}
	return woken;
}

void epoll_item_call(struct epoll_item *item)
{
	call(item);
}

/*
 * Under the lock of the file that wakes.  An item is not called for what is not wanted of it: epoll_change()
 * stores what is wanted and then asks the file under that lock, so what happens before is in the answer.
 */
static bool called_by_file(struct wait_callback *c, uint32_t key)
{
	struct epoll_item *item = container_of(c, struct epoll_item, callback);

	return key & atomic_load_explicit(&item->wanted, memory_order_relaxed) && call(item);
}

/* The same for an item whose file is an epoll: under epoll_pollers_lock.  The way up is EPOLL_NESTS_MAX
 * long. */
static bool called_by_epoll(struct wait_callback *c, uint32_t key)
{
	struct epoll_item *item = container_of(c, struct epoll_item, callback);
	bool has_pollers, woken;

	if (!(key & atomic_load_explicit(&item->wanted, memory_order_relaxed)))
		return false;
	woken = put_into_list(item, &has_pollers);
	if (has_pollers)
		wake_pollers(item->epoll);
	return woken;
}

static uint32_t epoll_poll(struct file *f, struct poll_waiter *w)
{
	struct epoll *ep = f->private;

	if (w) {
		lock_acquire(&epoll_pollers_lock);
		poll_wait(w, &ep->pollers, &epoll_pollers_lock);
		lock_acquire(&ep->lock);
		ep->has_pollers = true;
		lock_release(&ep->lock);
		lock_release(&epoll_pollers_lock);
	}
	return epoll_is_ready(ep) ? POLLIN | POLLRDNORM : 0;
}

/* ---------------------------------------------------------------- items come */

/* No two items of an epoll have the same: a descriptor has 16 bits, an address of the libos no more than
 * 47. */
static uint64_t key_of(const struct file *f, int fd)
{
	return name_key((uint64_t)f << 16 | (uint64_t)fd);
}

struct epoll_item *epoll_find(const struct epoll *ep, const struct file *f, int fd)
{
	struct named *n = named_find(&ep->items, key_of(f, fd));

	return n ? container_of(n, struct epoll_item, named) : NULL;
}

static struct epoll_item *find_unlocked(struct epoll *ep, const struct file *f, int fd)
{
	struct epoll_item *item;

	lock_acquire(&ep->lock);
	item = epoll_find(ep, f, fd);
	lock_release(&ep->lock);
	return item;
}

/* With a reference on f, so that it has none or keeps the same. */
struct file_watches *file_watches_of(struct file *f)
{
	struct file_watches *w = atomic_load_explicit(&f->watches, memory_order_acquire), *none = NULL;

	if (w)
		return w;
	w = heap_alloc(sizeof(*w));
	if (!w)
		return NULL;
	lock_init(&w->lock, "watches", RANK_LEAF);
	list_init(&w->items);
	/* Release: whoever finds it finds it filled in. */
	if (atomic_compare_exchange_strong_explicit(&f->watches, &none, w, memory_order_release,
						    memory_order_acquire))
		return w;
	heap_free(w);
	return none;
}

/* Under ep->lock. */
static void want(struct epoll_item *item, const struct epoll_event *event)
{
	item->flags = event->events & EPOLL_FLAGS;
	item->data = event->data;
	atomic_store_explicit(&item->wanted, (event->events & ~EPOLL_FLAGS) | EPOLLERR | EPOLLHUP,
			      memory_order_relaxed);
}

static struct epoll_item *item_alloc(struct epoll *ep, struct file *f, int fd,
				     const struct epoll_event *event)
{
	struct epoll_item *item = heap_alloc(sizeof(*item));

	if (!item)
		return NULL;
	item->epoll = ep;
	item->inner = epoll_of_file(f);
	item->fd = fd;
	item->callback.call = item->inner ? called_by_epoll : called_by_file;
	item->callback.exclusive = event->events & EPOLLEXCLUSIVE;
	item->file = f;
	list_init(&item->ready_link);
	want(item, event);
	return item;
}

/* The file is asked what is ready, from now on and before.  false: it will not be watched by one more. */
static bool ask_first(struct epoll_item *item, struct file *f)
{
	struct poll_waiter w = { .entries = item->entries, .room = POLL_QUEUES_PER_FILE, .key = WAKE_ANY,
				 .callback = &item->callback };
	uint32_t events = f->ops->poll(f, &w);

	item->entry_count = w.count;
	if (events & atomic_load_explicit(&item->wanted, memory_order_relaxed))
		call(item);
	return !w.refused;
}

static void item_remove(struct epoll_item *item, struct file *f);

int epoll_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	struct file_watches *watches = file_watches_of(f);
	struct epoll_item *item = watches ? item_alloc(ep, f, fd, event) : NULL;
	int error = item ? 0 : -ENOMEM;

	if (item && item->inner)
		error = epoll_nest(item);
	if (!error) {
		if (find_unlocked(ep, f, fd))
			error = -EEXIST;
		else if (!epoll_watch_begin(ep->user))
			error = -ENOSPC;
		if (error && item->inner)
			epoll_unnest(item);
	}
	if (error) {
		heap_free(item);
		return error;
	}
	atomic_fetch_add_explicit(&ep->references, 1, memory_order_relaxed);
	lock_acquire(&watches->lock);
	list_push_back(&watches->items, &item->watch_link);
	lock_release(&watches->lock);
	lock_acquire(&ep->lock);
	named_insert(&ep->items, &item->named, key_of(f, fd));
	list_push_back(&ep->all, &item->link);
	lock_release(&ep->lock);
	if (ask_first(item, f))
		return 0;
	item_remove(item, f);
	return -ENOMEM;
}

int epoll_change(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll_item *item = find_unlocked(ep, f, fd);

	if (!item)
		return -ENOENT;
	if (item->callback.exclusive)
		return -EINVAL;
	lock_acquire(&ep->lock);
	want(item, event);
	lock_release(&ep->lock);
	if (f->ops->poll(f, NULL) & atomic_load_explicit(&item->wanted, memory_order_relaxed))
		call(item);
	return 0;
}

/* ---------------------------------------------------------------- items go */

/* With a reference on its file, or when nobody can take one; no lock held.  No other removes it, as is argued
 * above. */
static void item_remove(struct epoll_item *item, struct file *f)
{
	struct file_watches *watches = atomic_load_explicit(&f->watches, memory_order_relaxed);
	struct epoll *ep = item->epoll;
	bool unused;

	/* It is called by nobody after this. */
	for (unsigned i = 0; i < item->entry_count; i++)
		poll_entry_remove(&item->entries[i]);
	if (item->inner)
		epoll_unnest(item);
	lock_acquire(&watches->lock);
	list_remove(&item->watch_link);
	lock_release(&watches->lock);
	lock_acquire(&ep->lock);
	named_remove(&ep->items, &item->named);
	list_remove(&item->link);
	list_remove(&item->ready_link);
	item->file = NULL;
	unused = item->users == 0;
	lock_release(&ep->lock);
	if (unused)
		heap_free(item);
	epoll_watch_end(ep->user);
	epoll_put(ep);
}

int epoll_delete(struct epoll *ep, struct file *f, int fd)
{
	struct epoll_item *item = find_unlocked(ep, f, fd);

	if (!item)
		return -ENOENT;
	item_remove(item, f);
	return 0;
}

__attribute__((noinline, cold)) void epoll_forget(struct file *f)
{
	struct file_watches *watches = atomic_load_explicit(&f->watches, memory_order_relaxed);

	/* Nobody else adds or removes any. */
	while (!list_empty(&watches->items))
		item_remove(list_entry(watches->items.next, struct epoll_item, watch_link), f);
	async_forget(watches->notice);
	heap_free(watches);
}

/* An item whose file could be counted, and that file; NULL: those that are left are being removed. */
static struct epoll_item *next_of(struct epoll *ep, struct file **f)
{
	struct epoll_item *found = NULL;

	lock_acquire(&ep->lock);
	list_for_each(pos, &ep->all) {
		struct epoll_item *item = list_entry(pos, struct epoll_item, link);

		if (file_try_get(item->file)) {
			*f = item->file;
			found = item;
			break;
		}
	}
	lock_release(&ep->lock);
	return found;
}

void epoll_release(struct epoll *ep)
{
	struct epoll_item *item;
	struct file *f;

	while ((item = next_of(ep, &f)) != NULL) {
		item_remove(item, f);
		file_put(f);
	}
	epoll_put(ep);
}

static void release_file(struct file *f)
{
	epoll_release(f->private);
}

const struct file_ops epoll_file_ops = {
	.name = "[eventpoll]",
	.poll = epoll_poll,
	.release = release_file,
};
