/* SPDX-License-Identifier: MIT */
/* send and recv in all their forms: a program's buffers, addresses and control messages. */
#include <stddef.h>
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/read_write.h"
#include "fs/socket_calls.h"
#include "fs/socket_rights.h"
#include "proc/signal.h"
#include "time/timespec.h"

#define CONTROL_MAX 0x7fffffff

/* Linux's struct msghdr, and what sendmmsg has one after the other. */
struct linux_message {
	uint64_t name;
	int32_t name_size;
	uint64_t vector, vector_count;
	uint64_t control, control_size;
	uint32_t flags;
};

struct linux_messages {
	struct linux_message message;
	uint32_t length;
};

/* ---------------------------------------------------------------- addresses */

static long send_datagram_to_name(struct socket_ref r, struct socket_name *to,
				  struct socket_message *m)
{
	long error = socket_name_check(to, r.end->pair->family);

	if (error)
		return error;
	if (to->family == AF_INET && !to->internet.sin_port)
		return -EINVAL;
	socket_name_aim(to);
	return socket_send_to(r.fd.file, to, m);
}

/* Under no lock: one that is connected stays so. */
static long send_to_name(struct socket_ref r, struct socket_name *to, struct socket_message *m)
{
	struct socket_end *e = r.end;

	if (e->pair->type == SOCK_DGRAM)
		return send_datagram_to_name(r, to, m);
	if (e->pair->type == SOCK_STREAM && e->pair->family == AF_UNIX)
		return socket_is_joined(e) ? -EISCONN : -EOPNOTSUPP;
	/* The other kinds do not look at it. */
	return socket_send(r.fd.file, e, m);
}

/* To an address of the program's, or none. */
static long send_to(struct socket_ref r, uint64_t address, int size, struct socket_message *m)
{
	struct socket_name to;

	if (address && size)
		return socket_name_fetch(&to, address, size) ?: send_to_name(r, &to, m);
	return r.end->pair->type == SOCK_DGRAM ? socket_send_to(r.fd.file, NULL, m)
					       : socket_send(r.fd.file, r.end, m);
}

/* What came over AF_UNIX came from the one at the other side; of a network's streams that is not told. */
static void find_sender(struct socket_end *e, struct socket_name *sender)
{
	if (socket_is_connected(e) && e->pair->family == AF_UNIX)
		*sender = socket_name_of(socket_other(e));
}

/* ---------------------------------------------------------------- one buffer */

static struct socket_message one_buffer(const struct iovec *one, unsigned flags)
{
	return (struct socket_message){
		.vector = one,
		.size = one->iov_len,
		.is_user = true,
		.flags = flags,
	};
}

long sys_sendto(int fd, uint64_t buf, uint64_t n, unsigned flags, uint64_t address,
		int address_size)
{
	struct iovec one = { (void *)buf, n < IO_BYTES_MAX ? n : IO_BYTES_MAX };
	struct socket_message m = one_buffer(&one, flags);
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: send_to(r, address, address_size, &m);

	socket_return(r);
	return result;
}

long sys_recvfrom(int fd, uint64_t buf, uint64_t n, unsigned flags, uint64_t address,
		  uint64_t size_user)
{
	struct iovec one = { (void *)buf, n < IO_BYTES_MAX ? n : IO_BYTES_MAX };
	struct socket_message m = one_buffer(&one, flags);
	struct socket_name sender = { 0 };
	struct socket_ref r = socket_borrow(fd);
	long result = r.error;

	m.name = &sender;
	if (!result)
		result = socket_receive(r.fd.file, &m);
	rights_put(m.rights);
	if (result >= 0 && address) {
		int refused;

		if (result > 0)
			find_sender(r.end, &sender);
		refused = socket_name_write_sender(&sender, address, size_user);
		if (refused)
			result = refused;
	}
	socket_return(r);
	return result;
}

/* ---------------------------------------------------------------- several buffers, control messages */

/* The buffers of *l; to be dropped if it was 0. */
static long fetch_vector(struct io_vector *v, const struct linux_message *l,
			 struct socket_message *m)
{
	long error;

	if (l->vector_count > UIO_MAXIOV)
		return -EMSGSIZE;
	error = io_vector_fetch(v, l->vector, (unsigned)l->vector_count);
	if (error) {
		io_vector_drop(v);
		return error;
	}
	m->vector = v->buffers;
	for (unsigned i = 0; i < l->vector_count; i++)
		m->size += v->buffers[i].iov_len;
	if (m->size > IO_BYTES_MAX)
		m->size = IO_BYTES_MAX;
	return 0;
}

/* *all: nothing of it is left to be sent. */
static long send_message(struct socket_ref r, const struct linux_message *l, unsigned flags,
			 bool *all)
{
	struct socket_message m = { .is_user = true, .flags = flags };
	int name_size = l->name_size;
	struct io_vector v;
	long result;

	/* As on Linux: here what is too long is cut off. */
	if (name_size > SOCKET_NAME_BYTES_MAX)
		name_size = SOCKET_NAME_BYTES_MAX;
	if (l->control_size > CONTROL_MAX)
		return -ENOBUFS;
	result = fetch_vector(&v, l, &m);
	if (result)
		return result;
	/* As on Linux, a network passes none, and says nothing. */
	if (r.end->pair->family == AF_UNIX)
		result = rights_read(l->control, l->control_size, &m.rights);
	if (!result)
		result = send_to(r, l->name, name_size, &m);
	*all = result == (long)m.size;
	rights_put(m.rights); /* if they have not been sent */
	io_vector_drop(&v);
	return result;
}

long sys_sendmsg(int fd, uint64_t user, unsigned flags)
{
	struct socket_ref r = socket_borrow(fd);
	struct linux_message l;
	long result = r.error;
	bool all;

	if (!result)
		result = copy_from_user(&l, user, sizeof(l)) ?: send_message(r, &l, flags, &all);
	socket_return(r);
	return result;
}

/* What recvmsg tells beside the bytes, in the header at `user`. */
static int tell_message(uint64_t user, const struct linux_message *l, struct socket_message *m)
{
	uint64_t used = rights_write(m->rights, l->control, l->control_size,
				     m->flags & MSG_CMSG_CLOEXEC, &m->came);
	uint32_t flags = m->came | (m->flags & MSG_CMSG_CLOEXEC);

	if (l->name && socket_name_write_sender(m->name, l->name,
						user + offsetof(struct linux_message, name_size)))
		return -EFAULT;
	return copy_to_user(user + offsetof(struct linux_message, flags), &flags, sizeof(flags))
		       ?: copy_to_user(user + offsetof(struct linux_message, control_size), &used,
				       sizeof(used));
}

static long receive_message(struct socket_ref r, uint64_t user, unsigned flags)
{
	struct socket_name sender = { 0 };
	struct socket_message m = { .is_user = true, .flags = flags, .name = &sender };
	struct linux_message l;
	struct io_vector v;
	long result;

	if (copy_from_user(&l, user, sizeof(l)))
		return -EFAULT;
	if (l.name && l.name_size < 0)
		return -EINVAL;
	result = fetch_vector(&v, &l, &m);
	if (result)
		return result;
	result = socket_receive(r.fd.file, &m);
	if (result > 0 && l.name)
		find_sender(r.end, &sender);
	if (result >= 0 && tell_message(user, &l, &m))
		result = -EFAULT;
	rights_put(m.rights);
	io_vector_drop(&v);
	return result;
}

long sys_recvmsg(int fd, uint64_t user, unsigned flags)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: receive_message(r, user, flags);

	socket_return(r);
	return result;
}

/* ---------------------------------------------------------------- several messages */

static int tell_length(uint64_t user, long length)
{
	uint32_t n = (uint32_t)length;

	return copy_to_user(user + offsetof(struct linux_messages, length), &n, sizeof(n));
}

/* Those that are done are told of; an error only if there is none.  Behind half a message comes no other: it
 * would be taken for the rest. */
long sys_sendmmsg(int fd, uint64_t user, unsigned count, unsigned flags)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error;
	bool all = true;
	unsigned i = 0;

	if (count > UIO_MAXIOV)
		count = UIO_MAXIOV;
	while (i < count && result >= 0 && all && !(i && signal_is_pending())) {
		struct linux_message l;

		result = copy_from_user(&l, user, sizeof(l)) ?: send_message(r, &l, flags, &all);
		if (result >= 0)
			result = tell_length(user, result);
		i += result >= 0;
		user += sizeof(struct linux_messages);
	}
	socket_return(r);
	return i ? i : result;
}

/* What is left of the time limit, once something has come. */
static long tell_time_left(uint64_t user, uint64_t deadline)
{
	uint64_t now = time_now_ns();

	return timespec_write(user, now < deadline ? deadline - now : 0);
}

/* As on Linux the time limit is looked at between two messages, and ends no wait. */
long sys_recvmmsg(int fd, uint64_t user, unsigned count, unsigned flags, uint64_t timeout)
{
	struct socket_ref r = socket_borrow(fd);
	uint64_t ns = TIME_NEVER_NS, deadline;
	long result = r.error;
	unsigned i = 0;

	if (!result && timeout)
		result = timespec_read(timeout, &ns);
	deadline = deadline_after(ns);
	while (i < count && result >= 0 &&
	       !(i && (signal_is_pending() || time_now_ns() >= deadline))) {
		result = receive_message(r, user, flags & ~MSG_WAITFORONE);
		if (result >= 0)
			result = tell_length(user, result);
		i += result >= 0;
		user += sizeof(struct linux_messages);
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
	}
	socket_return(r);
	if (i && timeout && tell_time_left(timeout, deadline))
		return -EFAULT;
	return i ? i : result;
}
