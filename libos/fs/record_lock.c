/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks: a list per inode, under the inode's lock.
 *
 * No ring of waiters is looked for: two processes that wait for each other's locks with F_SETLKW
 * sleep until a signal ends it (POSIX allows EDEADLK, and does not demand it).
 */
#include "fs/record_lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "fs/inode.h"
#include "proc/signal.h"

/* A file's locks are walked with upcalls masked: some 20 us of that, if there are so many.  Whoever wants to
 * be in the way of others can do so by one. */
#define LOCKS_MAX 2048

struct record_lock {
	struct list link; /* struct inode.record_locks */
	struct record_lock_request held;
};

/* A range taken out of the middle of a lock leaves two; a request itself needs one. */
#define SPARES 2

static bool overlaps(const struct record_lock_request *a, const struct record_lock_request *b)
{
	return a->first <= b->last && b->first <= a->last;
}

static bool touches(const struct record_lock_request *a, const struct record_lock_request *b)
{
	return (a->last == UINT64_MAX || b->first <= a->last + 1) &&
	       (b->last == UINT64_MAX || a->first <= b->last + 1);
}

/* Under the inode's lock. */
static struct record_lock *find_conflict(struct inode *i, const struct record_lock_request *r)
{
	list_for_each(link, &i->record_locks) {
		struct record_lock *l = list_entry(link, struct record_lock, link);

		if (l->held.kind == r->kind && l->held.owner != r->owner && overlaps(&l->held, r) &&
		    (l->held.type == F_WRLCK || r->type == F_WRLCK))
			return l;
	}
	return NULL;
}

static void take_out(struct inode *i, struct list *link, struct list *dead)
{
	list_remove(link);
	list_push_back(dead, link);
	i->record_lock_count--;
}

static struct record_lock *add(struct inode *i, struct record_lock **spare,
			       const struct record_lock_request *r)
{
	struct record_lock *l = *spare;

	ASSERT_INVARIANT(l);
	*spare = NULL;
	l->held = *r;
	list_push_back(&i->record_locks, &l->link);
	i->record_lock_count++;
	return l;
}

/*
 * Takes the owner's present locks out of the requested range, and merges those of the same type
 * that touch it.  At most one lock can reach beyond both ends of the range, so it uses at most
 * one spare.  Emptied locks go to `dead`.
 */
static void make_room(struct inode *i, struct record_lock_request *r, struct record_lock **spare,
		      struct list *dead)
{
	list_for_each_safe(link, next, &i->record_locks) {
		struct record_lock *l = list_entry(link, struct record_lock, link);

		if (l->held.kind != r->kind || l->held.owner != r->owner)
			continue;
		if (l->held.type == r->type && touches(&l->held, r)) {
			r->first = l->held.first < r->first ? l->held.first : r->first;
			r->last = l->held.last > r->last ? l->held.last : r->last;
		} else if (!overlaps(&l->held, r)) {
			continue;
		} else if (l->held.first < r->first && l->held.last > r->last) {
			struct record_lock_request rest = l->held;

			rest.first = r->last + 1;
			l->held.last = r->first - 1;
			add(i, spare, &rest);
			continue;
		} else if (l->held.first < r->first) {
			l->held.last = r->first - 1;
			continue;
		} else if (l->held.last > r->last) {
			l->held.first = r->last + 1;
			continue;
		}
		take_out(i, link, dead);
	}
}

/* How many locks more there will be when make_room() and the request have had their way; may be below 0. */
static int growth(struct inode *i, const struct record_lock_request *r)
{
	int more = r->type != F_UNLCK;

	list_for_each(link, &i->record_locks) {
		const struct record_lock_request *l = &list_entry(link, struct record_lock, link)->held;

		if (l->kind != r->kind || l->owner != r->owner)
			continue;
		if ((l->type == r->type && touches(l, r)) || (l->first >= r->first && l->last <= r->last))
			more--;
		else if (l->first < r->first && l->last > r->last)
			more++;
	}
	return more;
}

/*
 * flock(2) changes a lock in two steps: the old one is given up, and then the other is asked for, which may
 * fail or take long.  So two who both hold F_RDLCK and both want F_WRLCK do not wait for each other: who
 * waits holds nothing, and the last one to ask finds nobody in its way.
 *
 * It is enough to give up once there is a conflict: without one the change is made in the same section under
 * the inode's lock, and nobody sees the moment between.  In every round, as another thread with the same file
 * may have been given a lock while we slept.  As there is that, one who waits can hold a lock as well, and
 * then ours may have been all that was in its way: hence the wake.  But only if there was a lock, or two
 * who wait would wake each other for ever.
 *
 * A file's lock is all of the file, and there is one at most: nothing of it is left, no memory is needed.
 */
static void give_up(struct inode *i, const struct record_lock_request *r, struct list *dead)
{
	list_for_each(link, &i->record_locks) {
		const struct record_lock *l = list_entry(link, struct record_lock, link);

		if (l->held.kind != r->kind || l->held.owner != r->owner)
			continue;
		take_out(i, link, dead);
		wake_all(&i->record_lock_wait, WAKE_ANY);
		return;
	}
}

static void free_list(struct list *dead)
{
	struct list *link;

	while ((link = list_pop_front(dead)))
		heap_free(list_entry(link, struct record_lock, link));
}

int record_lock_set(struct inode *i, const struct record_lock_request *request, bool wait)
{
	const struct record_lock_request nobodys = { .type = F_UNLCK };
	struct record_lock_request r = *request;
	struct record_lock *spare[SPARES], *added = NULL;
	struct list dead = LIST_INIT(dead);
	int error = 0;

	for (int n = 0; n < SPARES; n++) {
		spare[n] = heap_alloc(sizeof(*spare[n]));
		if (!spare[n])
			error = -ENOMEM;
	}
	lock_acquire(&i->lock);
	while (!error && r.type != F_UNLCK && find_conflict(i, &r)) {
		if (r.kind == RECORD_LOCK_FLOCK)
			give_up(i, &r, &dead);
		if (!wait)
			error = -EAGAIN;
		else if (wait_on(&i->record_lock_wait, &i->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR)
			error = -ERESTARTSYS;
	}
	/* What is changed in place, and given up, needs no more room. */
	if (!error && i->record_lock_count >= LOCKS_MAX && growth(i, &r) > 0)
		error = -ENOLCK;
	if (!error) {
		/* Nobody's until its place is known, but there before others go: to who looks without the
		 * lock, the list is not empty meanwhile (record_lock_release). */
		if (r.type != F_UNLCK)
			added = add(i, &spare[1], &nobodys);
		make_room(i, &r, &spare[0], &dead);
		if (added)
			added->held = r;
		/* A lock given up or made weaker may be what others wait for.  Not for nothing: one of
		 * flock's would give up what another thread with its file has just been given. */
		if (r.kind != RECORD_LOCK_FLOCK || !list_empty(&dead))
			wake_all(&i->record_lock_wait, WAKE_ANY);
	}
	lock_release(&i->lock);
	free_list(&dead);
	for (int n = 0; n < SPARES; n++)
		heap_free(spare[n]);
	return error;
}

void record_lock_test(struct inode *i, struct record_lock_request *request)
{
	struct record_lock *l;

	lock_acquire(&i->lock);
	l = find_conflict(i, request);
	if (l)
		*request = l->held;
	else
		request->type = F_UNLCK;
	lock_release(&i->lock);
}

static __attribute__((noinline)) void release_all(struct inode *i, const void *owner)
{
	struct list dead = LIST_INIT(dead);

	lock_acquire(&i->lock);
	list_for_each_safe(link, next, &i->record_locks) {
		if (list_entry(link, struct record_lock, link)->held.owner != owner)
			continue;
		take_out(i, link, &dead);
	}
	if (!list_empty(&dead))
		wake_all(&i->record_lock_wait, WAKE_ANY);
	lock_release(&i->lock);
	free_list(&dead);
}

void record_lock_release(struct inode *i, const void *owner)
{
	/* Without the lock: what this owner holds, it took before it came here, and while another of its
	 * tasks changes it the list is not empty; if it looks so, then there is nothing of its own in it. */
	if (!list_empty(&i->record_locks))
		release_all(i, owner);
}
