/* SPDX-License-Identifier: MIT */
/* Registrations of pollers with the files that they wait for: see poll.h. */
#include "fs/poll.h"
#include "core/log.h"

void poll_wait(struct poll_waiter *w, struct wait_queue *q, struct lock *lock)
{
	struct poll_entry *e = &w->entries[w->count];

	if (w->count == w->room)
		libos_panic("poll: a file has more than %u queues", POLL_QUEUES_PER_FILE);
	w->count++;
	waiter_init(&e->called.waiter, w->key);
	if (w->callback) {
		e->called.waiter.task = NULL;
		e->called.callback = w->callback;
	}
	e->lock = lock;
	waiter_add(q, &e->called.waiter);
}

/* Also when it has been woken: the waker may still be looking at the entry, and it holds this lock while it
 * does. */
void poll_entry_remove(struct poll_entry *e)
{
	lock_acquire(e->lock);
	waiter_remove(&e->called.waiter);
	lock_release(e->lock);
}
