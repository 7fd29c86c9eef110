/* SPDX-License-Identifier: MIT */
/* A socket as an open file: read and write, poll, ioctl. */
#include <linux/sockios.h>
#include "core/usercopy.h"
#include "fs/async.h"
#include "fs/poll.h"
#include "fs/read_write.h"
#include "fs/socket.h"
#include "fs/socket_rights.h"

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
		return ((struct socket_end *)f->private)->pair->type == SOCK_DGRAM
			       ? socket_send_to(f, NULL, &m)
			       : socket_send(f, f->private, &m);
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

/* Under the lock, of one that listens, or that nobody has at the other side. */
static uint32_t poll_alone(struct socket_end *e)
{
	if (e->pair->state != SOCKET_LISTENING)
		return POLLOUT | POLLWRNORM | POLLWRBAND | POLLHUP | (e->error ? POLLERR : 0) |
		       (e->shut & SHUT_IN ? POLLIN | POLLRDNORM | POLLRDHUP : 0);
	if (e->shut & SHUT_IN)
		return POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP;
	return list_empty(&e->pair->backlog) ? 0 : POLLIN | POLLRDNORM;
}

/* Under the lock. */
static uint32_t poll_joined(struct socket_end *e)
{
	uint32_t events = 0;

	if (e->error)
		events |= POLLERR;
	if (e->queue.ring.used)
		events |= POLLIN | POLLRDNORM;
	if (e->shut & SHUT_IN)
		events |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (e->shut == SHUT_BOTH)
		events |= POLLHUP;
	/* What goes to many has no room of its own to be missing: socket_poll() asks where it goes. */
	if (socket_is_writable(e) || e->pair->state == SOCKET_FRESH)
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return events;
}

static uint32_t socket_poll(struct file *f, struct poll_waiter *w)
{
	struct socket_end *e = f->private;
	uint32_t events;

	lock_acquire(&e->pair->lock);
	if (w)
		poll_wait(w, &e->pollers, &e->pair->lock);
	events = socket_is_joined(e) || !socket_is_connected(e) ? poll_joined(e) : poll_alone(e);
	lock_release(&e->pair->lock);
	/* It has been registered before the other one is asked (fs/socket_refused.c). */
	if ((events & POLLOUT) && !socket_is_connected(e) && e->pair->state == SOCKET_FRESH &&
	    socket_datagram_has_to_wait(e->pair))
		events &= ~(uint32_t)(POLLOUT | POLLWRNORM | POLLWRBAND);
	return events;
}

static int bytes_to_read(struct socket_end *e)
{
	int bytes;

	lock_acquire(&e->pair->lock);
	bytes = (int)socket_queue_bytes(&e->queue, !socket_is_connected(e));
	lock_release(&e->pair->lock);
	return bytes;
}

/* What has been sent and not arrived is nothing, of TCP and UDP; of AF_UNIX Linux counts what has not been
 * taken.  What goes to many is not kept apart. */
static int bytes_on_their_way(struct socket_end *e)
{
	int bytes = 0;

	lock_acquire(&e->pair->lock);
	if (e->pair->family == AF_UNIX && socket_is_joined(e))
		bytes = (int)socket_queue_bytes(&socket_other(e)->queue, false);
	lock_release(&e->pair->lock);
	return bytes;
}

static long socket_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	struct socket_end *e = f->private;
	int value;

	switch (command) {
	case FIONREAD:
		value = bytes_to_read(e);
		break;
	case SIOCOUTQ:
		value = bytes_on_their_way(e);
		break;
	case FIOGETOWN:
	case SIOCGPGRP:
		value = async_owner(f);
		break;
	case FIOSETOWN:
	case SIOCSPGRP:
		return copy_from_user(&value, argument, sizeof(value)) ?: async_set_owner(f, value);
	default:
		return -ENOTTY;
	}
	return copy_to_user(argument, &value, sizeof(value));
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
