/* SPDX-License-Identifier: MIT */
/*
 * Names of sockets (unix(7), ip(7)), and which socket has which.
 *
 *	AF_UNIX  /run/x    an inode of its own, S_IFSOCK, to which the path leads
 *	         \0x       any bytes, in no directory
 *	AF_INET  port      of this machine's own addresses: 127.0.0.0/8, and 0.0.0.0 for all of them
 *
 * A name is had by end 0 of a pair (fs/socket.h), from bind(2) or connect(2) to the socket's end.  What
 * has been accepted shows the name that it was reached by, and does not have it.
 */
#ifndef LIBOS_SOCKET_NAME_H
#define LIBOS_SOCKET_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/in.h>
#include <linux/un.h>
#include "core/name_tree.h"

struct inode;
struct socket_end;
struct socket_pair;

#define SOCKET_NAME_BYTES_MAX 128 /* Linux's struct sockaddr_storage */
#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define SOCKET_LOOPBACK                                                                            \
	__builtin_bswap32(INADDR_LOOPBACK) /* as addresses are written, like INADDR_ANY */

struct socket_name {
	uint32_t size; /* as the calls count it; 0: it has none */
	union {
		uint16_t family;
		struct sockaddr_un local; /* one that is a path ends with a NUL, which is counted */
		struct sockaddr_in internet;
		char bytes[sizeof(struct sockaddr_un) +
			   1]; /* a path of full length is given without its NUL */
	};
};

/* Of a socket, which may have a name.  While it is in the table all of it is under the table's lock, and
 * `inode` fixed; before and after it is the task's that gives the name, or closes the socket. */
struct socket_binding {
	struct named node;
	bool is_there;
	bool listens;
	bool shares;         /* SO_REUSEADDR, when it was bound */
	struct socket_name
		peer; /* of a network's datagrams: from whom alone they come; or of no size */
	struct inode *inode; /* the name's, counted; NULL: it has none */
};

/* ---------------------------------------------------------------- fs/socket_name.c */

/* What a program has written: 0, -EFAULT or -EINVAL. */
int socket_name_fetch(struct socket_name *n, uint64_t user, int size);
/* Is it a name of this family?  0, -EINVAL, or -EAFNOSUPPORT. */
int socket_name_check(struct socket_name *n, int family);
/* Of `family` if it has none; as getsockname(2) does it.  0, -EFAULT or -EINVAL. */
int socket_name_write(const struct socket_name *n, int family, uint64_t user, uint64_t size_user);
/* The same where a message's is told: of none only the size is. */
int socket_name_write_sender(const struct socket_name *n, uint64_t user, uint64_t size_user);

static inline bool socket_name_is_path(const struct socket_name *n)
{
	return n->family == AF_UNIX && n->size > offsetof(struct sockaddr_un, sun_path) &&
	       n->local.sun_path[0];
}

bool socket_name_is_same(const struct socket_name *a, const struct socket_name *b);
/* As others see it, or go there: all of this machine's addresses are one of them. */
static inline void socket_name_aim(struct socket_name *n)
{
	if (n->family == AF_INET && n->internet.sin_addr.s_addr == INADDR_ANY)
		n->internet.sin_addr.s_addr = SOCKET_LOOPBACK;
}

/* Of AF_INET: one of this machine's. */
bool socket_name_is_here(const struct socket_name *n);

/* -------------------------------------------------------- fs/socket_bind.c.  Task context, no lock held */

/* Gives end 0 the name, or of AF_UNIX without bytes, or of AF_INET with port 0, one that is free.  0,
 * -EINVAL (it has one, or is not to have one), -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, or what making a
 * path's inode says. */
long socket_bind(struct socket_end *e, const struct socket_name *n);
/* For who has to have a port, at `address`, and has none yet; any other: nothing.  0, or -EAGAIN:
 * none is free. */
long socket_bind_any(struct socket_end *e, uint32_t address);
/* It listens from now on.  0, or -EADDRINUSE: another one does. */
long socket_bind_listener(struct socket_pair *pair);
void socket_unbind_listener(struct socket_pair *pair); /* not any more */
void socket_unbind(struct socket_pair *pair); /* before it goes; harmless if it has no name */
struct socket_name socket_name_of(struct socket_end *e);
/* Of AF_INET: it talks from SOCKET_LOOPBACK from now on, if it could from everywhere. */
void socket_settle_address(struct socket_end *e);

/* Under the pair's lock: it is connected to that name, of a network, or to none. */
void socket_bind_peer(struct socket_pair *pair, const struct socket_name *peer);

/* Who has it, counted; NULL with *error: -ECONNREFUSED, -EPROTOTYPE, or what the path's walk says.
 * `sender`: of a datagram over a network, whose it is; or NULL. */
struct socket_pair *socket_find(const struct socket_name *n, int type,
				const struct socket_name *sender, int *error);

#endif
