/* SPDX-License-Identifier: MIT */
/*
 * Senders of datagrams that have found no room, and may poll: who takes what is in their way tells them.
 *
 *	refused.senders of who has no room <-> refused.link of each sender, counted
 *
 * A sender polls his own socket, and what he waits for happens at another, which he names or is connected to.
 * No task holds the locks of both.  So he leaves himself there, under that one's lock, when he finds no room;
 * and whoever makes room takes all that are there, lets go of the lock, and calls the pollers of each under
 * the lock of his own.
 *
 * Why nobody waits for ever: he is among the pollers of his socket before he looks (socket_poll()), or looks
 * after that (epoll).  He looks and leaves himself under the lock under which room is made: if he saw none,
 * who makes it comes later, and finds him.  Nobody is taken out without being told, and who is told looks
 * again.
 *
 * He stands in one list at a time.  One who is refused elsewhere meanwhile, as he may be if he names his
 * receivers, goes there, and is told at once, as if there were room at the first: he tries both again.
 */
#include "core/lock.h"
#include "fs/poll.h"
#include "fs/socket.h"

/* Guards all these lists, and who stands in which: taken under the lock of a pair, or under none. */
static struct lock refused_lock = LOCK_INIT("senders that were refused", RANK_LEAF);

static struct socket_pair *sender_of(struct list *link)
{
	return list_entry(link, struct socket_pair, refused.link);
}

bool socket_refused_enter(struct socket_pair *to, struct socket_pair *sender)
{
	bool elsewhere;

	lock_acquire(&refused_lock);
	elsewhere = sender->refused.by && sender->refused.by != to;
	if (sender->refused.by)
		list_remove(&sender->refused.link);
	else
		socket_pair_get(sender);
	sender->refused.by = to;
	list_push_back(&to->refused.senders, &sender->refused.link);
	lock_release(&refused_lock);
	to->refused.any = true;
	return elsewhere;
}

void socket_refused_take(struct socket_pair *to, struct list *taken)
{
	if (!to->refused.any)
		return;
	to->refused.any = false;
	lock_acquire(&refused_lock);
	list_splice_front(taken, &to->refused.senders);
	lock_release(&refused_lock);
}

/* Is he in any list, that of one who is about to tell him included?  Then not any more. */
static bool leave(struct socket_pair *sender)
{
	if (!sender->refused.by)
		return false;
	sender->refused.by = NULL;
	list_remove(&sender->refused.link);
	return true;
}

/* Counted; NULL: none is left.  Those that were refused again, or closed, have left the list meanwhile. */
static struct socket_pair *take_first(struct list *taken)
{
	struct socket_pair *sender = NULL;

	lock_acquire(&refused_lock);
	if (!list_empty(taken)) {
		sender = sender_of(taken->next);
		leave(sender);
	}
	lock_release(&refused_lock);
	return sender;
}

void socket_tell_writable(struct socket_pair *sender)
{
	lock_acquire(&sender->lock);
	wake_all(&sender->ends[0].pollers, POLLOUT | POLLWRNORM | POLLWRBAND);
	lock_release(&sender->lock);
}

void socket_refused_tell(struct list *taken)
{
	struct socket_pair *sender;

	while ((sender = take_first(taken))) {
		socket_tell_writable(sender);
		socket_pair_put(sender);
	}
}

void socket_refused_leave(struct socket_pair *sender)
{
	bool was_there;

	lock_acquire(&refused_lock);
	was_there = leave(sender);
	lock_release(&refused_lock);
	if (was_there)
		socket_pair_put(sender);
}
