/* SPDX-License-Identifier: MIT */
/* The calls on sockets that move nothing: what a program gives is read and checked here. */
#include "fs/socket_calls.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/inode.h"

#define TYPE_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

/* ---------------------------------------------------------------- socket */

/* Of AF_UNIX: 0 or -errno. */
static int refuse_local(int type, int protocol)
{
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	return type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET
		       ? 0
		       : -ESOCKTNOSUPPORT;
}

static int refuse_internet(int type, int protocol)
{
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	return !protocol || protocol == socket_protocol(AF_INET, type) ? 0 : -EPROTONOSUPPORT;
}

/* C libraries try others in passing and look at the error. */
static int refuse(int family, int type, int protocol)
{
	if (type & ~(SOCK_TYPE_MASK | TYPE_FLAGS))
		return -EINVAL;
	type &= SOCK_TYPE_MASK;
	if (family != AF_UNIX && family != AF_INET)
		return -EAFNOSUPPORT;
	return family == AF_UNIX ? refuse_local(type, protocol) : refuse_internet(type, protocol);
}

long sys_socket(int family, int type, int protocol)
{
	unsigned flags = (unsigned)type & TYPE_FLAGS;
	long error = refuse(family, type, protocol);
	struct file *f;

	if (error)
		return error;
	f = socket_create(family, type & SOCK_TYPE_MASK, flags & SOCK_NONBLOCK);
	return f ? fd_install(f, 0, flags & SOCK_CLOEXEC) : -ENOMEM;
}

/* ---------------------------------------------------------------- making a pair */

/* Two descriptors; 0 or -errno. */
static int reserve_two(int fds[2])
{
	fds[0] = fd_reserve();
	if (fds[0] < 0)
		return fds[0];
	fds[1] = fd_reserve();
	if (fds[1] < 0)
		fd_unreserve(fds[0]);
	return fds[1] < 0 ? fds[1] : 0;
}

static long make_pair(int type, unsigned flags, uint64_t user)
{
	struct file *files[2];
	int fds[2], error = reserve_two(fds);

	if (error)
		return error;
	error = copy_to_user(user, fds, sizeof(fds))
			?: socket_pair_create(type, flags & SOCK_NONBLOCK, files);
	for (unsigned i = 0; i < 2; i++)
		if (error)
			fd_unreserve(fds[i]);
		else
			fd_fill(fds[i], files[i], flags & SOCK_CLOEXEC);
	return error;
}

long sys_socketpair(int family, int type, int protocol, uint64_t user)
{
	long error = refuse(family, type, protocol);

	if (error)
		return error;
	if (family != AF_UNIX)
		return -EOPNOTSUPP;
	return make_pair(type & SOCK_TYPE_MASK, (unsigned)type & TYPE_FLAGS, user);
}

/* ---------------------------------------------------------------- names */

static long bind_to(struct socket_end *e, uint64_t address, int size)
{
	struct socket_name name;

	return socket_name_fetch(&name, address, size) ?: socket_name_check(&name, e->pair->family)
			       ?: socket_bind(e, &name);
}

long sys_bind(int fd, uint64_t address, int size)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: bind_to(r.end, address, size);

	socket_return(r);
	return result;
}

static long connect_to(struct socket_ref r, uint64_t address, int size)
{
	bool connected = socket_is_connected(r.end);
	struct socket_name name;
	int error = socket_name_fetch(&name, address, size);

	/* To no family: datagrams go nowhere any more. */
	if (!error && !connected && name.size >= sizeof(name.family) && name.family == AF_UNSPEC)
		return socket_datagram_connect(r.end, NULL);
	error = error ?: socket_name_check(&name, r.end->pair->family);
	if (error)
		return error;
	socket_name_aim(&name);
	return connected ? socket_connect(r.fd.file, &name) : socket_datagram_connect(r.end, &name);
}

long sys_connect(int fd, uint64_t address, int size)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: connect_to(r, address, size);

	socket_return(r);
	return result;
}

long sys_listen(int fd, int backlog)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: socket_listen(r.end, backlog);

	socket_return(r);
	return result;
}

/* Where datagrams go from a socket that was not made for another: 0 or -ENOTCONN. */
static long name_of_destination(struct socket_pair *pair, struct socket_name *name)
{
	struct socket_pair *destination;

	lock_acquire(&pair->lock);
	*name = pair->peer;
	destination = pair->destination;
	if (destination)
		socket_pair_get(destination);
	lock_release(&pair->lock);
	if (!destination)
		return name->size ? 0 : -ENOTCONN;
	*name = socket_name_of(&destination->ends[0]);
	socket_pair_put(destination);
	return 0;
}

/* Whoever it is at the other side: 0 or -ENOTCONN. */
static long name_of_other(struct socket_end *e, struct socket_name *name)
{
	struct socket_pair *pair = e->pair;
	bool lonely;

	if (!socket_is_connected(e) && pair->state == SOCKET_FRESH)
		return name_of_destination(pair, name);
	lock_acquire(&pair->lock);
	lonely = e->lonely || pair->is_reset || !socket_is_joined(e);
	lock_release(&pair->lock);
	if (!lonely)
		*name = socket_name_of(socket_other(e));
	return lonely ? -ENOTCONN : 0;
}

long sys_getsockname(int fd, uint64_t address, uint64_t size_user)
{
	struct socket_ref r = socket_borrow(fd);
	struct socket_name name;
	long result = r.error;

	if (!result) {
		name = socket_name_of(r.end);
		result = socket_name_write(&name, r.end->pair->family, address, size_user);
	}
	socket_return(r);
	return result;
}

long sys_getpeername(int fd, uint64_t address, uint64_t size_user)
{
	struct socket_ref r = socket_borrow(fd);
	struct socket_name name;
	long result = r.error ?: name_of_other(r.end, &name);

	if (!result)
		result = socket_name_write(&name, r.end->pair->family, address, size_user);
	socket_return(r);
	return result;
}

/* ---------------------------------------------------------------- accept */

/* Into `fd`, which is reserved: it, or -errno. */
static long accept_into(int fd, struct socket_ref r, uint64_t address, uint64_t size_user,
			unsigned flags)
{
	struct socket_name name;
	long error;
	struct file *f = socket_accept(r.fd.file, &error);

	if (!f)
		return error;
	inode_set_owner(f->inode, NULL);
	/* Nobody else has the file yet. */
	atomic_fetch_or_explicit(&f->flags, flags & SOCK_NONBLOCK, memory_order_relaxed);
	if (address) {
		struct socket_end *e = f->private;

		name = socket_name_of(socket_other(e));
		error = socket_name_write(&name, e->pair->family, address, size_user);
		if (error) {
			file_put(f);
			return error;
		}
	}
	return fd_fill(fd, f, flags & SOCK_CLOEXEC);
}

long sys_accept4(int fd, uint64_t address, uint64_t size_user, unsigned flags)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: flags & ~TYPE_FLAGS ? -EINVAL : fd_reserve();

	if (result >= 0) {
		int new = (int)result;

		result = accept_into(new, r, address, size_user, flags);
		if (result < 0)
			fd_unreserve(new);
	}
	socket_return(r);
	return result;
}

long sys_accept(int fd, uint64_t address, uint64_t size_user)
{
	return sys_accept4(fd, address, size_user, 0);
}

/* ---------------------------------------------------------------- shutdown */

long sys_shutdown(int fd, int how)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: how < 0 || how > 2 ? -EINVAL : 0;

	if (!result)
		result = socket_shut(r.end, (unsigned)how + 1);
	socket_return(r);
	return result;
}
