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
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/descriptor.h"
#include "fs/poll.h"
#include "fs/socket_rights.h"
#include "proc/signal.h"
#include "time/timespec.h"

#define SIGPIPE 13
/* Of a stream, under one hold of the lock; how often memory is touched for the same bytes: as in pipe.c. */
#define BATCH_BYTES 16384
#define TOUCHES_MAX 16

static bool is_stream(const struct socket_end *e)
{
	return e->pair->type == SOCK_STREAM;
}

/* ---------------------------------------------------------------- whom to wake: under the lock */

static bool is_writable(struct socket_end *e)
{
	return socket_other(e)->queue.ring.used <= e->send_limit / 4;
}

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
	if (!is_writable(e))
		return;
	if (!list_empty(&e->senders.waiters))
		wake_all(&e->senders, WAKE_ANY);
	wake_pollers(e, POLLOUT | POLLWRNORM | POLLWRBAND);
}

static int take_error(struct socket_end *e)
{
	int error = e->error;

	e->error = 0;
	return error;
}

/* ---------------------------------------------------------------- waiting */

/* One call that may wait. */
struct transfer {
	struct socket_end *end;
	struct socket_message *message;
	uint64_t deadline_ns; /* 0: none */
	bool at_once;
	size_t done;
	unsigned touches;
};

static struct transfer begin(struct file *f, struct socket_message *m, uint64_t timeout_ns)
{
	return (struct transfer){
		.end = f->private,
		.message = m,
		.deadline_ns = timeout_ns ? deadline_after(timeout_ns) : 0,
		.at_once = (file_flags(f) & O_NONBLOCK) || (m->flags & MSG_DONTWAIT),
	};
}

/* Under the lock.  0, or what the call says if there is still nothing: one with a time limit is not made
 * again. */
static long sleep_on(struct wait_queue *q, const struct transfer *t)
{
	switch (wait_on(q, &t->end->pair->lock, WAIT_INTERRUPTIBLE, t->deadline_ns)) {
	case -EINTR:
		return t->deadline_ns ? -EINTR : -ERESTARTSYS;
	case -ETIMEDOUT:
		return -EAGAIN;
	default:
		return 0;
	}
}

/* The copy has met memory that is not there: 1, try again; or -EFAULT. */
static long touch(struct transfer *t, bool write)
{
	struct socket_message *m = t->message;
	const struct iovec *v = m->vector;
	size_t at = m->touch_at, left = m->touch;

	m->touch = 0;
	if (t->touches++ == TOUCHES_MAX)
		return -EFAULT;
	for (; left; v++) {
		size_t n = at < v->iov_len ? v->iov_len - at : 0;

		if (n > left)
			n = left;
		if (n && user_touch((uint64_t)v->iov_base + at, n, write))
			return -EFAULT;
		at = n ? 0 : at - v->iov_len;
		left -= n;
	}
	return 1;
}

/* ---------------------------------------------------------------- sending */

/* Under the lock: may e send?  0 or -errno, in Linux's order. */
static int refuse_send(struct socket_end *e)
{
	struct socket_end *to = socket_other(e);

	if (e->lonely)
		return -ENOTCONN;
	if (!is_stream(e) && e->error)
		return -take_error(e);
	if (e->shut & SHUT_OUT)
		return -EPIPE;
	if (to->closed) {
		e->lonely = true;
		return -ECONNREFUSED;
	}
	return to->shut & SHUT_IN ? -EPIPE : 0;
}

/* Under the lock: room for the message, or of a stream for some of it. */
static bool has_room(const struct transfer *t)
{
	size_t used = socket_other(t->end)->queue.ring.used;

	if (used >= t->end->send_limit)
		return false;
	return is_stream(t->end) ||
	       sizeof(record_length) + t->message->size <= SOCKET_CAPACITY - used;
}

/* Waits under the lock until there is room: 1 or -errno. */
static long await_room(const struct transfer *t)
{
	struct socket_end *e = t->end;
	long ended = 0;

	for (;;) {
		long error = refuse_send(e);

		if (error)
			return error;
		if (!is_stream(e) && t->message->size > e->send_limit - SOCKET_OVERHEAD)
			return -EMSGSIZE;
		if (has_room(t))
			return 1;
		if (t->at_once || ended)
			return ended ?: -EAGAIN;
		/* It will sleep: who receives may as well have the rest of the slice. */
		wake_receiver(socket_other(e), true);
		ended = sleep_on(&e->senders, t);
	}
}

static long put(struct transfer *t)
{
	struct socket_message *m = t->message;
	struct socket_queue *q = &socket_other(t->end)->queue;
	size_t n = m->size - t->done;

	if (!is_stream(t->end))
		return socket_queue_put_record(q, m);
	if (n > t->end->send_limit - q->ring.used)
		n = t->end->send_limit - q->ring.used;
	return socket_queue_put(q, m, t->done, n < BATCH_BYTES ? n : BATCH_BYTES);
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
	result = refuse_send(e);
	lock_release(&e->pair->lock);
	return result;
}

long socket_send(struct file *f, struct socket_message *m)
{
	struct socket_end *e = f->private;
	struct transfer t = begin(f, m, e->send_timeout_ns);
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
	if (result == -EPIPE && is_stream(e) && !t.done && !(m->flags & MSG_NOSIGNAL))
		signal_raise(SIGPIPE);
	return t.done ? (long)t.done : result;
}

/* ---------------------------------------------------------------- receiving */

/* Waits under the lock until something has come: 1, 0 if nothing will, or -errno. */
static long await_message(const struct transfer *t)
{
	struct socket_end *e = t->end;
	long ended = 0;

	for (;;) {
		if (e->error && !(is_stream(e) && e->queue.ring.used))
			return -take_error(e);
		if (e->queue.ring.used)
			return 1;
		if (e->shut & SHUT_IN)
			return t->at_once && !socket_is_connected(e) ? -EAGAIN : 0;
		/* What has been received is not waited upon. */
		if (t->done && !(t->message->flags & MSG_WAITALL))
			return 0;
		if (t->at_once || ended)
			return ended ?: -EAGAIN;
		ended = sleep_on(&e->receivers, t);
	}
}

static long take(struct transfer *t)
{
	struct socket_message *m = t->message;
	size_t n = m->size - t->done;

	if (!is_stream(t->end))
		return socket_queue_take_record(&t->end->queue, m);
	/* What is only looked at is looked at from the beginning, at once. */
	return socket_queue_take(&t->end->queue, m, t->done,
				 n < BATCH_BYTES || (m->flags & MSG_PEEK) ? n : BATCH_BYTES);
}

/* One hold of the lock; *more: it may go on. */
static long receive_some(struct transfer *t, bool *more)
{
	struct socket_end *e = t->end;
	struct socket_message *m = t->message;
	long result;

	*more = false;
	lock_acquire(&e->pair->lock);
	result = await_message(t);
	if (result > 0) {
		result = take(t);
		if (result >= 0) {
			t->done += (size_t)result;
			t->touches = 0;
			*more = is_stream(e) && !m->rights && !(m->flags & MSG_PEEK) &&
				t->done < m->size;
		}
		if (!(m->flags & MSG_PEEK))
			socket_wake_senders(socket_other(e));
	}
	wake_receiver(e, false);
	lock_release(&e->pair->lock);
	return result;
}

long socket_receive(struct file *f, struct socket_message *m)
{
	struct socket_end *e = f->private;
	struct transfer t = begin(f, m, e->receive_timeout_ns);
	long result;
	bool more;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	do {
		result = receive_some(&t, &more);
		if (result == -EFAULT) {
			result = touch(&t, true);
			more = result > 0;
		}
	} while (more);
	return t.done ? (long)t.done : result;
}

/* ---------------------------------------------------------------- as a file */

static long transfer_vector(struct file *f, bool write, const struct iovec *vector, unsigned count,
			    bool is_user)
{
	struct socket_message m = { .vector = vector, .is_user = is_user };
	long result;

	for (unsigned i = 0; i < count; i++)
		m.size += vector[i].iov_len;
	if (m.size > IO_BYTES_MAX)
		m.size = IO_BYTES_MAX;
	if (write)
		return socket_send(f, &m);
	/* To read nothing is to do nothing, though there may be a datagram. */
	result = m.size ? socket_receive(f, &m) : 0;
	rights_put(m.rights);
	return result;
}

static long socket_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct iovec one = { (void *)user, n };

	return transfer_vector(f, false, &one, 1, true);
}

static long socket_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct iovec one = { (void *)user, n };

	return transfer_vector(f, true, &one, 1, true);
}

static long socket_write_kernel(struct file *f, const void *data, size_t n, uint64_t *pos)
{
	struct iovec one = { (void *)data, n };

	return transfer_vector(f, true, &one, 1, false);
}

static long socket_read_vector(struct file *f, const struct iovec *vector, unsigned count,
			       uint64_t *pos)
{
	return transfer_vector(f, false, vector, count, true);
}

/* As on Linux an empty datagram is sent from one empty buffer, and not from an array of them. */
static long socket_write_vector(struct file *f, const struct iovec *vector, unsigned count,
				uint64_t *pos)
{
	for (unsigned i = 0; i < count; i++)
		if (vector[i].iov_len)
			return transfer_vector(f, true, vector, count, true);
	return 0;
}

static uint32_t socket_poll(struct file *f, struct poll_waiter *w)
{
	struct socket_end *e = f->private;
	uint32_t events = 0;

	lock_acquire(&e->pair->lock);
	if (w)
		poll_wait(w, &e->pollers, &e->pair->lock);
	if (e->error)
		events |= POLLERR;
	if (e->queue.ring.used)
		events |= POLLIN | POLLRDNORM;
	if (e->shut & SHUT_IN)
		events |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (e->shut == SHUT_BOTH)
		events |= POLLHUP;
	if (is_writable(e))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	lock_release(&e->pair->lock);
	return events;
}

static long socket_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	struct socket_end *e = f->private;
	int bytes;

	if (command != FIONREAD)
		return -ENOTTY;
	lock_acquire(&e->pair->lock);
	bytes = (int)socket_queue_bytes(&e->queue, !socket_is_connected(e));
	lock_release(&e->pair->lock);
	return copy_to_user(argument, &bytes, sizeof(bytes));
}

const struct file_ops socket_file_ops = {
	.read = socket_read,
	.read_vector = socket_read_vector,
	.write = socket_write,
	.write_vector = socket_write_vector,
	.write_kernel = socket_write_kernel,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.release = socket_release,
};
