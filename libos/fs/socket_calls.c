/* SPDX-License-Identifier: MIT */
/* The calls on sockets that move nothing.  Of sockets there are pairs; no family has any other. */
#include "fs/socket_calls.h"
#include "core/usercopy.h"
#include "fs/calls.h"

/* C libraries try it in passing (syslog) and look at the error. */
long sys_socket(void)
{
	return -EAFNOSUPPORT;
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
	unsigned flags = (unsigned)type & ~SOCK_TYPE_MASK;

	type &= SOCK_TYPE_MASK;
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	return make_pair(type, flags, user);
}

/* ---------------------------------------------------------------- names, which none has */

static long refuse(int fd, long of_connected, long of_datagrams)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: socket_is_connected(r.end) ? of_connected : of_datagrams;

	socket_return(r);
	return result;
}

long sys_connect(int fd)
{
	return refuse(fd, -EISCONN, -ECONNREFUSED);
}

long sys_bind(int fd)
{
	return refuse(fd, -EOPNOTSUPP, -EOPNOTSUPP);
}

long sys_listen(int fd)
{
	return refuse(fd, -EINVAL, -EOPNOTSUPP);
}

static long tell_name(int fd, bool other, uint64_t address, uint64_t size_user)
{
	const uint16_t family = AF_UNIX;
	const int whole = sizeof(family);
	struct socket_ref r = socket_borrow(fd);
	long result = r.error;
	int size;

	if (!result && other && socket_is_lonely(r.end))
		result = -ENOTCONN;
	socket_return(r);
	if (result)
		return result;
	if (copy_from_user(&size, size_user, sizeof(size)))
		return -EFAULT;
	if (size < 0)
		return -EINVAL;
	return copy_to_user(address, &family, (size_t)(size < whole ? size : whole))
		       ?: copy_to_user(size_user, &whole, sizeof(whole));
}

long sys_getsockname(int fd, uint64_t address, uint64_t size_user)
{
	return tell_name(fd, false, address, size_user);
}

long sys_getpeername(int fd, uint64_t address, uint64_t size_user)
{
	return tell_name(fd, true, address, size_user);
}

/* ---------------------------------------------------------------- shutdown */

long sys_shutdown(int fd, int how)
{
	struct socket_ref r = socket_borrow(fd);
	long result = r.error ?: how < 0 || how > 2 ? -EINVAL : 0;

	if (!result)
		socket_shut(r.end, (unsigned)how + 1);
	socket_return(r);
	return result;
}
