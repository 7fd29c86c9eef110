/* SPDX-License-Identifier: MIT */
/*
 * Waiting for any of several files: the contract between file_ops.poll and the pollers.
 *
 * A file's poll operation takes the file's own lock, and under it
 *	1. if w is not NULL, calls poll_wait() for each queue whose wakes change the answer, and
 *	2. returns the events that are ready.
 * Registering and looking under one lock is what loses no wake (core/wait.h).  A file wakes its
 * pollers with wake_all(&queue, POLLIN) or the like; the key is the set of events that may have
 * come.  Pollers must have a queue of their own, or be woken with wake_all() only: a wake_one()
 * spent on a poller that then does not read would be lost for a task that sleeps in read().
 */
#ifndef LIBOS_POLL_H
#define LIBOS_POLL_H

#include <stdbool.h>
#include <stdint.h>
#include "core/lock.h"
#include "core/wait.h"
#include "fs/linux.h"

/* How many queues one file may name in one poll operation, at most. */
#define POLL_QUEUES_PER_FILE 2

/* One registration.  Written by the polling task, under `lock` while registered. */
struct poll_entry {
	struct called_waiter called;
	struct lock *lock; /* of the queue; NULL: not registered */
};

/* Owned by the polling task, which holds a reference on every file it registers with. */
struct poll_waiter {
	struct poll_entry *entries;
	unsigned count, room;
	uint32_t key; /* events wanted of the file being asked now */
	bool refused; /* a file has so many pollers that it would not have another: out */
	/* Called instead of waking the task, from now until the entries are taken out again: that is before
	 * the file is released, whose queues and locks last until then (fs/epoll.c).  Or NULL. */
	struct wait_callback *callback;
};

/* Under `lock`, the lock of q.  Allocates nothing. */
void poll_wait(struct poll_waiter *w, struct wait_queue *q, struct lock *lock);
/* No lock held: undoes it. */
void poll_entry_remove(struct poll_entry *e);

#endif
