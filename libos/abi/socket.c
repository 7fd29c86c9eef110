/* SPDX-License-Identifier: MIT */
/*
 * Sockets: there are none, of no address family.  The calls say so instead of being unknown,
 * because C libraries try them in passing (syslog) and look at the error.
 */
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "fs/file.h"

long sys_socket(void)
{
	return -EAFNOSUPPORT;
}

long sys_socketpair(void)
{
	return -EAFNOSUPPORT;
}

/* Every other call on a socket: whatever the descriptor is, it is none. */
long sys_connect(int fd)
{
	struct file *f = fd_get(fd);

	if (f == NULL)
		return -EBADF;
	file_put(f);
	return -ENOTSOCK;
}
