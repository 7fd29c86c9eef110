/* SPDX-License-Identifier: MIT */
/*
 * Datagrams between sockets with names: each is sent through the entrance of who is to have it.
 *
 * Who is connected has a destination.  Of AF_UNIX that is a socket, whatever becomes of its name; of
 * AF_INET a name, whoever has it.  A network loses what finds nobody, or no room; AF_UNIX says so, or
 * waits.
 */
#include "abi/errno.h"
#include "fs/descriptor.h"
#include "fs/poll.h"
#include "fs/socket.h"

#define INTERNET_BYTES_MAX 65507

/* ---------------------------------------------------------------- connect */

static void set_destination(struct socket_pair *pair, struct socket_pair *to,
			    const struct socket_name *peer)
{
	struct list refused = LIST_INIT(refused);
	struct socket_pair *before;

	lock_acquire(&pair->lock);
	before = pair->destination;
	pair->destination = to;
	pair->peer = *peer;
	if (pair->family == AF_INET)
		socket_bind_peer(pair, peer);
	/* There may be room now where it sends to, and others may not send here any more. */
	socket_refused_take(pair, &refused);
	wake_all(&pair->ends[0].pollers, POLLOUT | POLLWRNORM | POLLWRBAND);
	lock_release(&pair->lock);
	socket_refused_tell(&refused);
	if (before)
		socket_pair_put(before);
}

/* Of AF_UNIX: is it connected to nobody else? */
static bool is_open_to(struct socket_pair *to, const struct socket_pair *sender)
{
	bool open;

	lock_acquire(&to->lock);
	open = !to->destination || to->destination == sender;
	lock_release(&to->lock);
	return open;
}

long socket_datagram_connect(struct socket_end *e, const struct socket_name *to)
{
	static const struct socket_name none;
	struct socket_pair *found;
	int error;

	if (!to) {
		set_destination(e->pair, NULL, &none);
		return 0;
	}
	if (to->family == AF_INET) {
		if (!socket_name_is_here(to))
			return -ENETUNREACH;
		error = (int)socket_bind_any(e, SOCKET_LOOPBACK);
		if (!error)
			set_destination(e->pair, NULL, to);
		return error;
	}
	if (to->size == sizeof(to->family))
		return -EINVAL;
	found = socket_find(to, SOCK_DGRAM, NULL, &error);
	if (!found)
		return error;
	/* Two that were made for each other stay together. */
	if (e->pair->state != SOCKET_FRESH) {
		socket_pair_put(found);
		return -EISCONN;
	}
	if (!is_open_to(found, e->pair)) {
		socket_pair_put(found);
		return -EPERM;
	}
	set_destination(e->pair, found, &none);
	return 0;
}

/* ---------------------------------------------------------------- sending */

/* What is to be said of e before anything is sent; and where it is connected to, counted. */
static long leave(struct socket_end *e, struct socket_message *m, struct socket_pair **destination,
		  struct socket_name *peer)
{
	struct socket_pair *pair = e->pair;
	long error;

	lock_acquire(&pair->lock);
	error = -socket_take_error_locked(e);
	if (!error && (e->shut & SHUT_OUT))
		error = -EPIPE;
	*destination = error ? NULL : pair->destination;
	if (*destination)
		socket_pair_get(*destination);
	*peer = pair->peer;
	lock_release(&pair->lock);
	m->sender = pair;
	return error;
}

static struct socket_name name_of_sender(struct socket_end *e)
{
	struct socket_name name = socket_name_of(e);

	socket_name_aim(&name);
	return name;
}

static long deliver(struct file *f, struct socket_pair *to, struct socket_message *m)
{
	struct socket_name name = name_of_sender(f->private);
	long result;

	m->name = &name;
	result = socket_send(f, &to->ends[1], m);
	m->name = NULL;
	socket_pair_put(to);
	return result;
}

/* Whoever is connected hears of it the next time; and who waits, now: one, as it is told once. */
static long lose(struct socket_end *e, const struct socket_message *m, bool connected)
{
	if (connected) {
		lock_acquire(&e->pair->lock);
		e->error = ECONNREFUSED;
		wake_one(&e->receivers, WAKE_ANY);
		wake_all(&e->pollers, WAKE_ANY);
		lock_release(&e->pair->lock);
	}
	return (long)m->size;
}

static long send_internet(struct file *f, const struct socket_name *to, struct socket_message *m,
			  bool connected)
{
	struct socket_end *e = f->private;
	struct socket_name sender;
	struct socket_pair *found;
	int none;
	long error;

	if (!to->size)
		return -EDESTADDRREQ;
	if (!socket_name_is_here(to))
		return -ENETUNREACH;
	if (m->size > INTERNET_BYTES_MAX)
		return -EMSGSIZE;
	error = socket_bind_any(e, INADDR_ANY);
	if (error)
		return error;
	sender = name_of_sender(e);
	found = socket_find(to, SOCK_DGRAM, &sender, &none);
	m->flags |= MSG_DONTWAIT;
	error = found ? deliver(f, found, m) : -ECONNREFUSED;
	if (error == -ECONNREFUSED)
		return lose(e, m, connected);
	return error == -EAGAIN || error == -EPERM || error == -EPIPE ? (long)m->size : error;
}

/* Who has gone is no destination any more. */
static void forget_destination(struct socket_pair *pair, const struct socket_pair *gone)
{
	struct socket_pair *dropped = NULL;

	lock_acquire(&pair->lock);
	if (pair->destination == gone) {
		dropped = pair->destination;
		pair->destination = NULL;
	}
	lock_release(&pair->lock);
	if (dropped)
		socket_pair_put(dropped);
}

static long send_local(struct file *f, const struct socket_name *to,
		       struct socket_pair *destination, struct socket_message *m)
{
	struct socket_end *e = f->private;
	struct socket_pair *found;
	long result;
	int error;

	if (!to) {
		if (!destination)
			return -ENOTCONN;
		socket_pair_get(destination);
		result = deliver(f, destination, m);
		if (result == -ECONNREFUSED)
			forget_destination(e->pair, destination);
		return result;
	}
	if (to->size == sizeof(to->family))
		return -EINVAL;
	found = socket_find(to, SOCK_DGRAM, NULL, &error);
	return found ? deliver(f, found, m) : error;
}

long socket_send_to(struct file *f, const struct socket_name *to, struct socket_message *m)
{
	struct socket_end *e = f->private;
	struct socket_pair *destination;
	struct socket_name peer;
	long result;

	if (!to && e->pair->state == SOCKET_CONNECTED)
		return socket_send(f, e, m);
	result = leave(e, m, &destination, &peer);
	if (!result)
		result = e->pair->family == AF_INET
				 ? send_internet(f, to ?: &peer, m,
						 !to || socket_name_is_same(to, &peer))
				 : send_local(f, to, destination, m);
	if (destination)
		socket_pair_put(destination);
	return result;
}

/* Under the lock of `to`. */
static bool has_to_wait(struct socket_pair *sender, struct socket_pair *to)
{
	const struct socket_end *receiver = &to->ends[0];

	return !receiver->closed && !(receiver->shut & SHUT_IN) &&
	       (!to->destination || to->destination == sender) && !socket_is_writable(&to->ends[1]);
}

bool socket_datagram_has_to_wait(struct socket_pair *sender)
{
	struct socket_pair *to;
	bool has_to, elsewhere = false;

	lock_acquire(&sender->lock);
	to = sender->destination;
	if (to)
		socket_pair_get(to);
	lock_release(&sender->lock);
	if (!to)
		return false;
	lock_acquire(&to->lock);
	has_to = has_to_wait(sender, to);
	if (has_to)
		elsewhere = socket_refused_enter(to, sender);
	lock_release(&to->lock);
	socket_pair_put(to);
	if (elsewhere)
		socket_tell_writable(sender);
	return has_to;
}

/* ---------------------------------------------------------------- receiving */

/* Whoever is connected has them from there alone. */
bool socket_datagram_is_welcome(struct socket_end *entrance, const struct socket_message *m)
{
	const struct socket_pair *to = entrance->pair;

	if (to->family == AF_INET)
		return !to->peer.size || socket_name_is_same(&to->peer, m->name);
	return !to->destination || to->destination == m->sender;
}
