/* SPDX-License-Identifier: MIT */
/*
 * Sending and receiving between the two ends of a pair, and waiting for either: see socket.h.
 *
 * As in a pipe, bytes are copied between a program and the queue under the lock, a datagram in one piece
 * and a stream in batches; the lock is dropped when the program's memory has to be touched, and all that
 * was found is looked at afresh.
 *
 * Why nobody sleeps while there is something for him: whoever changes what is waited for does it under the
 * lock under which it was looked at, and wakes under it.  One receiver is woken for what comes, and whoever
 * leaves something behind, for whatever reason he leaves, wakes the next.  Senders are woken when no more
 * than a quarter of the limit is used, which comes about if the others take all, and whenever something is
 * taken from there on; and then each of them has room, until another takes it.
 */
#include "fs/socket.h"
#include "core/usercopy.h"
#include "fs/descriptor.h"
#include "fs/poll.h"
#include "fs/socket_rights.h"
#include "proc/signal.h"

#define SIGPIPE 13
/* Of a stream, under one hold of the lock; how often memory is touched for the same bytes: as in pipe.c. */
#define BATCH_BYTES 16384
#define TOUCHES_MAX 16

static bool is_stream(const struct socket_end *e)
{
	return e->pair->type == SOCK_STREAM;
}

/* ---------------------------------------------------------------- whom to wake: under the lock */

static void wake_pollers(struct socket_end *e, uint32_t events)
{
	if (!list_empty(&e->pollers.waiters))
		wake_all(&e->pollers, events);
}

/* There is something in e's queue, or nothing will come. */
static void wake_receiver(struct socket_end *e, bool donate)
{
	if (list_empty(&e->receivers.waiters) || (!e->queue.ring.used && !(e->shut & SHUT_IN)))
		return;
	if (donate)
		wake_one_donate(&e->receivers, WAKE_ANY, DONATION_PIPE);
	else
		wake_one(&e->receivers, WAKE_ANY);
}

void socket_wake_senders(struct socket_end *e)
{
	if (!socket_is_writable(e))
		return;
	if (!list_empty(&e->senders.waiters))
		wake_all(&e->senders, WAKE_ANY);
	wake_pollers(e, POLLOUT | POLLWRNORM | POLLWRBAND);
}

/* ---------------------------------------------------------------- waiting */

/* One call that may wait. */
struct transfer {
	struct socket_end *end;
	struct socket_message *message;
	uint64_t deadline_ns; /* 0: none */
	bool at_once;
	bool elsewhere; /* the sender is to be told that it may send to another */
	size_t done;
	uint64_t place; /* where what has only been looked at begins in the queue */
	unsigned touches;
};

static struct transfer begin(struct file *f, struct socket_end *e, struct socket_message *m,
			     uint64_t timeout_ns)
{
	return (struct transfer){
		.end = e,
		.message = m,
		.deadline_ns = socket_deadline(timeout_ns),
		.at_once = (file_flags(f) & O_NONBLOCK) || (m->flags & MSG_DONTWAIT),
	};
}

/* The copy has met memory that is not there: 1, try again; or -EFAULT. */
static long touch(struct transfer *t, bool write)
{
	return t->touches++ == TOUCHES_MAX ? -EFAULT : socket_touch(t->message, write) ?: 1;
}

/* ---------------------------------------------------------------- sending */

/* Through an entrance: of what else may be said of the sender its own end knows (fs/socket_datagram.c). */
static int refuse_entrance(struct socket_end *e, const struct socket_message *m)
{
	struct socket_end *to = socket_other(e);

	if (to->closed)
		return -ECONNREFUSED;
	if (!socket_datagram_is_welcome(e, m))
		return -EPERM;
	return to->shut & SHUT_IN ? -EPIPE : 0;
}

/* Under the lock: may e send?  0 or -errno, in Linux's order. */
static int refuse_send(struct socket_end *e, const struct socket_message *m)
{
	struct socket_end *to = socket_other(e);

	if (socket_is_entrance(e))
		return refuse_entrance(e, m);
	if (e->error && is_stream(e) && e->pair->family == AF_INET)
		return -socket_take_error_locked(e);
	if (!socket_is_joined(e))
		return e->pair->family == AF_INET ? -EPIPE : -ENOTCONN;
	if (e->lonely)
		return -ENOTCONN;
	if (!is_stream(e) && e->error)
		return -socket_take_error_locked(e);
	if (e->shut & SHUT_OUT)
		return -EPIPE;
	if (to->closed && !is_stream(e)) {
		e->lonely = true;
		return -ECONNREFUSED;
	}
	return to->shut & SHUT_IN && e->pair->family == AF_UNIX ? -EPIPE : 0;
}

/* Under the lock, where it may send.  That nobody receives any more a network's sender finds out by sending:
 * it is taken, and refused at the other side. */
static bool goes_nowhere(struct socket_end *e)
{
	const struct socket_end *to = socket_other(e);

	return e->pair->family == AF_INET && is_stream(e) && (to->closed || to->shut == SHUT_BOTH);
}

/* Under the lock: room for the message, or of a stream for some of it. */
static bool has_room(const struct transfer *t)
{
	size_t used = socket_other(t->end)->queue.ring.used;

	if (used >= t->end->send_limit)
		return false;
	return is_stream(t->end) || socket_queue_record_size(t->message) <= SOCKET_CAPACITY - used;
}

/* Waits under the lock until there is room: 1 or -errno. */
static long await_room(const struct transfer *t)
{
	struct socket_end *e = t->end;
	long ended = 0;

	for (;;) {
		/* What has been sent is what this call says: the next one is told. */
		long error = t->done && e->error ? -EPIPE : refuse_send(e, t->message);

		if (error)
			return error;
		if (goes_nowhere(e))
			return 1;
		if (!is_stream(e) && t->message->size > e->send_limit - SOCKET_OVERHEAD)
			return -EMSGSIZE;
		if (has_room(t))
			return 1;
		if (t->at_once || ended)
			return ended ?: -EAGAIN;
		/* It will sleep: who receives may as well have the rest of the slice. */
		wake_receiver(socket_other(e), true);
		ended = socket_sleep(&e->senders, &e->pair->lock, t->deadline_ns);
	}
}

static long put_bytes(struct transfer *t)
{
	struct socket_message *m = t->message;
	struct socket_queue *q = &socket_other(t->end)->queue;
	size_t n = m->size - t->done;

	if (goes_nowhere(t->end)) {
		socket_reset(t->end);
		return (long)n;
	}
	if (!is_stream(t->end))
		return socket_queue_put_record(q, m);
	if (n > t->end->send_limit - q->ring.used)
		n = t->end->send_limit - q->ring.used;
	return socket_queue_put(q, m, t->done, n < BATCH_BYTES ? n : BATCH_BYTES);
}

/* With the descriptors that go with the first of them. */
static long put(struct transfer *t)
{
	struct rights *rights = t->message->rights;
	long result = flight_begin(t->end->pair, rights);

	if (result)
		return result;
	result = put_bytes(t);
	if (result < 0)
		flight_end(rights);
	return result;
}

/* Under the lock.  Who sends through an entrance polls elsewhere, and is told when there is room; a network
 * loses what finds none. */
static void refuse_sender(struct transfer *t)
{
	struct socket_pair *to = t->end->pair;

	if (socket_is_entrance(t->end) && to->family == AF_UNIX)
		t->elsewhere = socket_refused_enter(to, t->message->sender);
}

/* One hold of the lock. */
static long send_some(struct transfer *t)
{
	struct socket_end *to = socket_other(t->end);
	long result;

	lock_acquire(&t->end->pair->lock);
	result = await_room(t);
	if (result > 0)
		result = put(t);
	if (result == -EAGAIN)
		refuse_sender(t);
	if (result >= 0) {
		t->done += (size_t)result;
		t->touches = 0;
		wake_receiver(to, t->done == t->message->size);
		wake_pollers(to, POLLIN | POLLRDNORM);
	}
	lock_release(&t->end->pair->lock);
	return result;
}

/* Of a stream nothing is no message, but is not for nobody either. */
static long send_nothing(struct socket_end *e)
{
	long result;

	lock_acquire(&e->pair->lock);
	result = refuse_send(e, NULL);
	lock_release(&e->pair->lock);
	return result;
}

long socket_send(struct file *f, struct socket_end *via, struct socket_message *m)
{
	struct socket_end *e = f->private;
	struct transfer t = begin(f, via, m, e->send_timeout_ns);
	long result = 1;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (is_stream(e) && !m->size)
		result = send_nothing(e);
	while (result > 0) {
		result = send_some(&t);
		if (result == -EFAULT)
			result = touch(&t, false);
		else if (t.done == m->size)
			break;
	}
	if (t.elsewhere)
		socket_tell_writable(m->sender);
	if (result == -EPIPE && is_stream(e) && !t.done && !(m->flags & MSG_NOSIGNAL))
		signal_raise(SIGPIPE);
	return t.done ? (long)t.done : result;
}

/* ---------------------------------------------------------------- receiving */

/* Under the lock: is this call the one that hears of the error?  What came before it is had first, and not
 * forgotten over it; and of what came behind the end (EPIPE) who receives hears nothing. */
static bool is_told(const struct transfer *t)
{
	const struct socket_end *e = t->end;

	return e->error && e->error != EPIPE && !t->done && !(is_stream(e) && e->queue.ring.used);
}

/* Under the lock, of a stream that is looked at: behind what was seen, if nobody has taken that meanwhile. */
static bool has_more_to_see(const struct transfer *t)
{
	const struct socket_queue *q = &t->end->queue;

	return q->taken == t->place && q->ring.used > t->done;
}

/* Waits under the lock until something has come: 1, 0 if nothing will, or -errno. */
static long await_message(const struct transfer *t)
{
	struct socket_end *e = t->end;
	long ended = 0;

	for (;;) {
		if (t->done && (t->message->flags & MSG_PEEK))
			return has_more_to_see(t);
		if (is_told(t))
			return -socket_take_error_locked(e);
		if (e->queue.ring.used)
			return 1;
		/* The next call is told. */
		if (t->done && e->error)
			return 0;
		if (e->shut & SHUT_IN)
			return t->at_once && !socket_is_connected(e) ? -EAGAIN : 0;
		if (socket_is_connected(e) && !socket_is_joined(e))
			return e->pair->family == AF_INET ? -ENOTCONN : -EINVAL;
		/* What has been received is not waited upon. */
		if (t->done && !(t->message->flags & MSG_WAITALL))
			return 0;
		if (t->at_once || ended)
			return ended ?: -EAGAIN;
		ended = socket_sleep(&e->receivers, &e->pair->lock, t->deadline_ns);
	}
}

static long take(struct transfer *t)
{
	struct socket_message *m = t->message;
	size_t n = m->size - t->done;

	if (!is_stream(t->end))
		return socket_queue_take_record(&t->end->queue, m);
	if (!t->done)
		t->place = t->end->queue.taken;
	return socket_queue_take(&t->end->queue, m, t->done, n < BATCH_BYTES ? n : BATCH_BYTES);
}

/* One hold of the lock; *more: it may go on. */
static long receive_some(struct transfer *t, bool *more)
{
	struct socket_end *e = t->end;
	struct socket_message *m = t->message;
	struct list refused = LIST_INIT(refused);
	bool tell = false;
	long result;

	*more = false;
	lock_acquire(&e->pair->lock);
	result = await_message(t);
	if (result > 0) {
		result = take(t);
		if (result >= 0) {
			if (!(m->flags & MSG_PEEK))
				flight_end(m->rights);
			t->done += (size_t)result;
			t->touches = 0;
			*more = is_stream(e) && !m->rights && t->done < m->size;
		}
		if (!(m->flags & MSG_PEEK))
			socket_wake_senders(socket_other(e));
		tell = e->pair->refused.any && socket_is_writable(socket_other(e));
		if (tell)
			socket_refused_take(e->pair, &refused);
	}
	wake_receiver(e, false);
	lock_release(&e->pair->lock);
	if (tell)
		socket_refused_tell(&refused);
	return result;
}

long socket_receive(struct file *f, struct socket_message *m)
{
	struct socket_end *e = f->private;
	struct transfer t = begin(f, e, m, e->receive_timeout_ns);
	long result;
	bool more;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (e->pair->family == AF_INET) {
		/* Errors are told as such: there are none with more to them. */
		if (m->flags & MSG_ERRQUEUE)
			return -EAGAIN;
		m->discards = is_stream(e) && (m->flags & MSG_TRUNC);
	}
	do {
		result = receive_some(&t, &more);
		if (result == -EFAULT) {
			result = touch(&t, true);
			more = result > 0;
		}
	} while (more);
	return t.done ? (long)t.done : result;
}
