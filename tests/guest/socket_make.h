/* SPDX-License-Identifier: MIT */
/* Sockets of whatever family, made for a test. */
#ifndef TESTS_GUEST_SOCKET_MAKE_H
#define TESTS_GUEST_SOCKET_MAKE_H

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "fails.h"
#include "socket_name.h"
#include "test.h"

/* In no directory; the process's own, so that runs do not meet. */
static inline struct name abstract_name(int number)
{
	struct name n = { .local = { .sun_family = AF_UNIX } };

	n.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     (size_t)snprintf(n.local.sun_path + 1, 64, "socket_make %d %d",
					      test_process, number));
	return n;
}

static inline struct name loopback(unsigned port)
{
	struct name n = { .size = sizeof(n.internet), .internet = { .sin_family = AF_INET } };

	n.internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n.internet.sin_port = htons((uint16_t)port);
	return n;
}

static inline struct name own_name(int fd)
{
	struct name n = { .size = sizeof(n.bytes) };

	CHECK_EQ(getsockname(fd, &n.any, &n.size), 0);
	return n;
}

static inline int make(int family, int type)
{
	int fd = socket(family, type, 0);

	CHECK(fd >= 0);
	return fd;
}

static inline int make_bound(int type, struct name n)
{
	int fd = make(n.any.sa_family, type);

	CHECK_EQ(bind(fd, &n.any, n.size), 0);
	return fd;
}

static inline int make_listener(int type, struct name n, int backlog)
{
	int fd = make_bound(type, n);

	CHECK_EQ(listen(fd, backlog), 0);
	return fd;
}

static inline int make_connected(int type, struct name n)
{
	int fd = make(n.any.sa_family, type);

	CHECK_EQ(connect(fd, &n.any, n.size), 0);
	return fd;
}

static inline int try_connect(int type, struct name n)
{
	int fd = make(n.any.sa_family, type), result = connect(fd, &n.any, n.size), error = errno;

	close(fd);
	errno = error;
	return result;
}

/* Both ends of a connection by way of that name. */
static inline void make_joined(struct name n, int *client, int *server)
{
	int listener = make_listener(SOCK_STREAM, n, 5);

	*client = make_connected(SOCK_STREAM, own_name(listener));
	*server = accept(listener, NULL, NULL);
	CHECK(*server >= 0);
	close(listener);
}

static inline short ready(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	CHECK(poll(&item, 1, 0) >= 0);
	return item.revents;
}

/* With something to be received, or an end: a network may be late. */
static inline short ready_to_receive(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&item, 1, 60000), 1);
	return ready(fd);
}

static inline int option(int fd, int level, int which)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK_EQ(getsockopt(fd, level, which, &value, &size), 0);
	CHECK_EQ(size, sizeof(value));
	return value;
}

#endif
