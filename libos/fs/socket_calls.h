/* SPDX-License-Identifier: MIT */
/* The socket of a descriptor, for the length of a call. */
#ifndef LIBOS_SOCKET_CALLS_H
#define LIBOS_SOCKET_CALLS_H

#include "fs/descriptor.h"
#include "fs/socket.h"

struct socket_ref {
	struct fd_ref fd;
	struct socket_end *end;
	long error; /* 0, or -EBADF, -ENOTSOCK: there is no socket */
};

static inline struct socket_ref socket_borrow(int fd)
{
	struct socket_ref r = { .fd = fd_borrow(fd) };

	if (!r.fd.file || (file_flags(r.fd.file) & O_PATH)) {
		r.error = -EBADF;
	} else {
		r.end = socket_of_file(r.fd.file);
		r.error = r.end ? 0 : -ENOTSOCK;
	}
	return r;
}

/* In any case. */
static inline void socket_return(struct socket_ref r)
{
	fd_return(r.fd);
}

#endif
