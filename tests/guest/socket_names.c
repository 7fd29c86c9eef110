/* SPDX-License-Identifier: MIT */
/*
 * Sockets with names: streams that listen, connect and are accepted, and datagrams, over AF_UNIX and
 * over this machine's own addresses.  All of it but what /proc/exo is asked for holds on Linux as well:
 * gcc -pthread tests/guest/socket_names.c tries it there.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asleep.h"
#include "fails.h"
#include "in_child.h"
#include "socket_name.h"
#include "test.h"

static const char path[] = "/tmp/socket_names.socket";

static struct name path_name(void)
{
	struct name n = { .size = sizeof(n.local), .local = { .sun_family = AF_UNIX } };

	strcpy(n.local.sun_path, path);
	return n;
}

/* In no directory; the process's own, so that runs do not meet. */
static struct name abstract_name(int number)
{
	struct name n = { .local = { .sun_family = AF_UNIX } };

	n.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     (size_t)snprintf(n.local.sun_path + 1, 64, "socket_names %d %d",
					      test_process, number));
	return n;
}

static struct name port_name(unsigned address, unsigned port)
{
	struct name n = { .size = sizeof(n.internet), .internet = { .sin_family = AF_INET } };

	n.internet.sin_addr.s_addr = htonl(address);
	n.internet.sin_port = htons((uint16_t)port);
	return n;
}

static struct name loopback(unsigned port)
{
	return port_name(INADDR_LOOPBACK, port);
}

static struct name own_name(int fd)
{
	struct name n = { .size = sizeof(n.bytes) };

	CHECK_EQ(getsockname(fd, &n.any, &n.size), 0);
	return n;
}

static struct name others_name(int fd)
{
	struct name n = { .size = sizeof(n.bytes) };

	CHECK_EQ(getpeername(fd, &n.any, &n.size), 0);
	return n;
}

static unsigned port_of(struct name n)
{
	CHECK_EQ(n.size, sizeof(n.internet));
	CHECK_EQ(n.internet.sin_family, AF_INET);
	return ntohs(n.internet.sin_port);
}

static bool is_same(struct name a, struct name b)
{
	return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

static int option(int fd, int level, int which)
{
	int value = -1;
	socklen_t size = sizeof(value);

	CHECK_EQ(getsockopt(fd, level, which, &value, &size), 0);
	CHECK_EQ(size, sizeof(value));
	return value;
}

static short ready(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	CHECK(poll(&item, 1, 0) >= 0);
	return item.revents;
}

static int make(int family, int type)
{
	int fd = socket(family, type, 0);

	CHECK(fd >= 0);
	return fd;
}

static int make_bound(int type, struct name n)
{
	int fd = make(n.any.sa_family, type);

	CHECK_EQ(bind(fd, &n.any, n.size), 0);
	return fd;
}

static int make_listener(int type, struct name n, int backlog)
{
	int fd = make_bound(type, n);

	CHECK_EQ(listen(fd, backlog), 0);
	return fd;
}

static int make_connected(int type, struct name n)
{
	int fd = make(n.any.sa_family, type);

	CHECK_EQ(connect(fd, &n.any, n.size), 0);
	return fd;
}

static int try_connect(int type, struct name n)
{
	int fd = make(n.any.sa_family, type), result = connect(fd, &n.any, n.size), error = errno;

	close(fd);
	errno = error;
	return result;
}

static int try_bind(int type, struct name n)
{
	int fd = make(n.any.sa_family, type), result = bind(fd, &n.any, n.size), error = errno;

	close(fd);
	errno = error;
	return result;
}

static void says(int from, int to, const char *text)
{
	size_t n = strlen(text);
	struct pollfd item = { .fd = to, .events = POLLIN };
	char got[64];

	CHECK_EQ(write(from, text, n), n);
	CHECK_EQ(poll(&item, 1, -1), 1);
	CHECK_EQ(read(to, got, sizeof(got)), n);
	CHECK_EQ(memcmp(got, text, n), 0);
}

/* ---------------------------------------------------------------- streams */

static void a_listener_is_reached(int type, struct name n)
{
	int listener = make_listener(type, n, 5), client, server;

	/* (musl's own tries accept instead.) */
	FAILS(syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC | 1), EINVAL);
	CHECK_EQ(ready(listener), 0);
	CHECK_EQ(option(listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
	client = make_connected(type, own_name(listener));
	CHECK_EQ(option(client, SOL_SOCKET, SO_ACCEPTCONN), 0);
	CHECK_EQ(ready(listener), POLLIN);
	/* Before it is accepted it may be written to. */
	CHECK_EQ(write(client, "early", 5), 5);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK(server >= 0);
	CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(server, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(client, F_GETFL), O_RDWR);
	CHECK_EQ(ready(listener), 0);
	says(server, client, "answer");
	CHECK_EQ(read(server, (char[8]){ 0 }, 8), 5);
	says(client, server, "question");
	CHECK(is_same(own_name(server), own_name(listener)));
	CHECK(is_same(others_name(client), own_name(listener)));
	CHECK(is_same(own_name(client), others_name(server)));
	FAILS(connect(client, &n.any, n.size), EISCONN);
	FAILS(connect(server, &n.any, n.size), EISCONN);
	FAILS(accept(client, NULL, NULL), EINVAL);
	FAILS(listen(client, 1), EINVAL);
	/* What has been accepted stays when the listener goes. */
	close(listener);
	says(client, server, "still there");
	close(server);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 0);
	close(client);
}

static void a_path_is_listened_at(void)
{
	struct name n = path_name();
	struct stat s;

	for (int type = SOCK_STREAM; type; type = type == SOCK_STREAM ? SOCK_SEQPACKET : 0) {
		unlink(path);
		a_listener_is_reached(type, n);
		CHECK_EQ(stat(path, &s), 0);
		CHECK(S_ISSOCK(s.st_mode));
		FAILS(open(path, O_RDWR), ENXIO);
		FAILS(try_bind(type, n), EADDRINUSE);
		FAILS(try_connect(type, n), ECONNREFUSED);
	}
	unlink(path);
	FAILS(try_connect(SOCK_STREAM, n), ENOENT);
}

static void an_abstract_name_is_listened_at(void)
{
	struct name n = abstract_name(1);

	a_listener_is_reached(SOCK_STREAM, n);
	a_listener_is_reached(SOCK_SEQPACKET, n);
	FAILS(try_connect(SOCK_STREAM, n), ECONNREFUSED);
}

static void a_port_is_listened_at(void)
{
	a_listener_is_reached(SOCK_STREAM, loopback(0));
	FAILS(try_connect(SOCK_STREAM, loopback(1)), ECONNREFUSED);
}

static void whoever_accepts_is_told_who_came(void)
{
	int listener = make_listener(SOCK_STREAM, loopback(0), 5), client, server;
	struct name n = { .size = sizeof(n.bytes) };

	client = make_connected(SOCK_STREAM, own_name(listener));
	server = accept(listener, &n.any, &n.size);
	CHECK(server >= 0);
	CHECK(is_same(n, own_name(client)));
	CHECK(port_of(n) != port_of(own_name(listener)));
	CHECK_EQ(ntohl(n.internet.sin_addr.s_addr), INADDR_LOOPBACK);
	close(client);
	close(server);
	/* As much as there is room for; and how much there was. */
	client = make_connected(SOCK_STREAM, own_name(listener));
	n = (struct name){ .size = 2 };
	server = accept(listener, &n.any, &n.size);
	CHECK_EQ(n.size, sizeof(n.internet));
	CHECK_EQ(n.any.sa_family, AF_INET);
	CHECK_EQ(n.internet.sin_port, 0);
	close(client);
	close(server);
	close(listener);
	/* One of AF_UNIX has no name unless it was given one. */
	listener = make_listener(SOCK_STREAM, abstract_name(2), 5);
	client = make_connected(SOCK_STREAM, abstract_name(2));
	n = (struct name){ .size = sizeof(n.bytes) };
	server = accept(listener, &n.any, &n.size);
	CHECK_EQ(n.size, 2);
	CHECK_EQ(n.any.sa_family, AF_UNIX);
	close(client);
	close(server);
	close(listener);
}

static void addresses_are_this_machines(void)
{
	int all = make_listener(SOCK_STREAM, port_name(INADDR_ANY, 0), 5), one, client, server;
	unsigned port = port_of(own_name(all));

	FAILS(try_bind(SOCK_STREAM, loopback(port)), EADDRINUSE);
	client = make_connected(SOCK_STREAM, port_name(INADDR_ANY, port));
	server = accept(all, NULL, NULL);
	CHECK(is_same(own_name(server), loopback(port)));
	close(client);
	close(server);
	close(all);
	/* Two addresses, and each has its own. */
	all = make_listener(SOCK_STREAM, port_name(0x7f000002, 0), 5);
	port = port_of(own_name(all));
	one = make_listener(SOCK_STREAM, loopback(port), 5);
	client = make_connected(SOCK_STREAM, loopback(port));
	CHECK_EQ(ready(all), 0);
	CHECK_EQ(ready(one), POLLIN);
	close(client);
	close(all);
	close(one);
	FAILS(try_bind(SOCK_STREAM, port_name(0xc0000201, 0)),
	      EADDRNOTAVAIL); /* 192.0.2.1, nobody's */
}

static void a_port_is_had_by_one(void)
{
	int first = make_bound(SOCK_STREAM, loopback(0)), second, on = 1;
	struct name n = own_name(first);

	FAILS(try_bind(SOCK_STREAM, n), EADDRINUSE);
	CHECK_EQ(try_bind(SOCK_DGRAM, n), 0);
	FAILS(bind(first, &n.any, n.size), EINVAL);
	close(first);
	first = make(AF_INET, SOCK_STREAM);
	second = make(AF_INET, SOCK_STREAM);
	CHECK_EQ(setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(bind(first, &n.any, n.size), 0);
	CHECK_EQ(bind(second, &n.any, n.size), 0);
	CHECK_EQ(listen(second, 1), 0);
	FAILS(listen(first, 1), EADDRINUSE);
	close(first);
	first = make(AF_INET, SOCK_STREAM);
	CHECK_EQ(setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	FAILS(bind(first, &n.any, n.size), EADDRINUSE);
	close(first);
	close(second);
	CHECK_EQ(try_bind(SOCK_STREAM, n), 0);
}

static void what_is_no_name_is_refused(void)
{
	struct name n = path_name();
	int fd = make(AF_UNIX, SOCK_STREAM);

	unlink(path);
	FAILS(bind(fd, &n.any, 1), EINVAL);
	FAILS(bind(fd, &n.any, sizeof(n.local) + 1), EINVAL);
	FAILS(bind(fd, (void *)8, n.size), EFAULT);
	FAILS(connect(fd, (void *)8, n.size), EFAULT);
	FAILS(connect(fd, &n.any, 2), EINVAL);
	FAILS(listen(fd, 1), EINVAL);
	n.any.sa_family = AF_INET;
	FAILS(bind(fd, &n.any, n.size), EINVAL);
	FAILS(connect(fd, &n.any, n.size), EINVAL);
	n = path_name();
	strcpy(n.local.sun_path, "/nowhere/at/all");
	FAILS(bind(fd, &n.any, n.size), ENOENT);
	/* What could not be had may be tried again. */
	n = path_name();
	CHECK_EQ(bind(fd, &n.any, n.size), 0);
	close(fd);
	unlink(path);
	fd = make(AF_INET, SOCK_STREAM);
	n = loopback(0);
	FAILS(bind(fd, &n.any, n.size - 1), EINVAL);
	FAILS(connect(fd, &n.any, n.size - 1), EINVAL);
	n.any.sa_family = AF_UNIX;
	FAILS(bind(fd, &n.any, n.size), EAFNOSUPPORT);
	FAILS(connect(fd, &n.any, n.size), EAFNOSUPPORT);
	close(fd);
	FAILS(socket(AF_UNIX, SOCK_RAW + 100, 0), EINVAL);
	FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	FAILS(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	FAILS(socket(AF_INET, SOCK_STREAM | 1 << 20, 0), EINVAL);
	FAILS(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(bind(77, &n.any, n.size), EBADF);
	FAILS(listen(0, 1), ENOTSOCK);
}

/* A path of the full length needs no NUL. */
static void a_long_path_is_a_name(void)
{
	struct name n = { .size = sizeof(n.local), .local = { .sun_family = AF_UNIX } };
	int listener, client;

	memset(n.local.sun_path, 'x', sizeof(n.local.sun_path));
	memcpy(n.local.sun_path, "/tmp/", 5);
	listener = make_listener(SOCK_STREAM, n, 1);
	client = make_connected(SOCK_STREAM, n);
	CHECK_EQ(own_name(listener).size, sizeof(n.local) + 1);
	close(client);
	close(listener);
	n.bytes[sizeof(n.local)] = '\0';
	CHECK_EQ(unlink(n.local.sun_path), 0);
}

static void one_that_is_alone_says_so(void)
{
	int fd = make(AF_UNIX, SOCK_STREAM);
	struct name n = { .size = sizeof(n.bytes) };

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(ready(fd), POLLOUT | POLLHUP);
	FAILS(read(fd, &n, 1), EINVAL);
	FAILS(write(fd, &n, 1), ENOTCONN);
	FAILS(getpeername(fd, &n.any, &n.size), ENOTCONN);
	CHECK_EQ(own_name(fd).size, 2);
	close(fd);
	fd = make(AF_INET, SOCK_STREAM);
	CHECK_EQ(ready(fd), POLLOUT | POLLHUP);
	FAILS(read(fd, &n, 1), ENOTCONN);
	FAILS(write(fd, &n, 1), EPIPE);
	FAILS(shutdown(fd, SHUT_RDWR), ENOTCONN);
	FAILS(accept(fd, NULL, NULL), EINVAL);
	FAILS(getpeername(fd, &n.any, &n.size), ENOTCONN);
	CHECK_EQ(port_of(own_name(fd)), 0);
	/* Listening without a name gives it one. */
	CHECK_EQ(listen(fd, 1), 0);
	CHECK(port_of(own_name(fd)) != 0);
	close(fd);
	fd = make(AF_INET, SOCK_DGRAM);
	FAILS(listen(fd, 1), EOPNOTSUPP);
	FAILS(accept(fd, NULL, NULL), EOPNOTSUPP);
	close(fd);
}

static void it_says_what_it_is(void)
{
	int fd = make(AF_INET, SOCK_STREAM), one = 1;
	struct linger linger = { 1, 5 };
	socklen_t size = sizeof(linger);

	CHECK_EQ(option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
	CHECK_EQ(option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	CHECK_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	CHECK_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
	CHECK_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	linger = (struct linger){ 0 };
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size), 0);
	CHECK(linger.l_onoff && linger.l_linger == 5);
	FAILS(setsockopt(fd, IPPROTO_TCP, 999, &one, sizeof(one)), ENOPROTOOPT);
	close(fd);
	fd = make(AF_INET, SOCK_DGRAM);
	CHECK_EQ(option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
	FAILS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), ENOPROTOOPT);
	close(fd);
	fd = make(AF_UNIX, SOCK_STREAM);
	FAILS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), EOPNOTSUPP);
	close(fd);
}

static void both_sides_know_whose_they_are(void)
{
	int listener = make_listener(SOCK_STREAM, abstract_name(3), 5), client, server, status;
	struct ucred who;
	socklen_t size = sizeof(who);
	pid_t child = fork();

	if (child == 0) {
		client = make_connected(SOCK_STREAM, abstract_name(3));
		_exit(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &size) ||
		      who.pid != getppid() || read(client, &who, 1) != 0);
	}
	server = accept(listener, NULL, NULL);
	CHECK_EQ(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &who, &size), 0);
	CHECK_EQ(who.pid, child);
	close(server);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	close(listener);
}

/* Whoever receives no more is not known to a network until he sends no more either; to AF_UNIX at once. */
static void who_does_not_receive_may_be_sent_to(void)
{
	int listener = make_listener(SOCK_STREAM, loopback(0), 5), client, server;

	signal(SIGPIPE, SIG_IGN);
	client = make_connected(SOCK_STREAM, own_name(listener));
	server = accept(listener, NULL, NULL);
	CHECK_EQ(shutdown(client, SHUT_RD), 0);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 0);
	CHECK_EQ(ready(server), POLLOUT);
	CHECK_EQ(write(server, "abc", 3), 3);
	says(client, server, "still sent");
	CHECK_EQ(shutdown(client, SHUT_WR), 0);
	CHECK_EQ(read(server, (char[8]){ 0 }, 8), 0);
	close(client);
	close(server);
	close(listener);
	listener = make_listener(SOCK_STREAM, abstract_name(16), 5);
	client = make_connected(SOCK_STREAM, own_name(listener));
	server = accept(listener, NULL, NULL);
	CHECK_EQ(shutdown(client, SHUT_RD), 0);
	FAILS(write(server, "abc", 3), EPIPE);
	close(client);
	close(server);
	close(listener);
}

static void is_reset(int type, struct name n, bool shut)
{
	int listener = make_listener(type, n, 5), client = make_connected(type, own_name(listener));

	if (shut)
		CHECK_EQ(shutdown(listener, SHUT_RD), 0);
	else
		close(listener);
	CHECK(ready(client) & POLLERR);
	FAILS(read(client, (char[1]){ 0 }, 1), ECONNRESET);
	close(client);
	if (shut)
		close(listener);
}

static void what_is_not_accepted_is_reset(void)
{
	is_reset(SOCK_STREAM, abstract_name(17), false);
	is_reset(SOCK_SEQPACKET, abstract_name(17), false);
	is_reset(SOCK_STREAM, loopback(0), false);
	is_reset(SOCK_STREAM, loopback(0), true);
}

static void what_is_accepted_has_the_listeners_limits(void)
{
	int listener = make_listener(SOCK_STREAM, loopback(0), 5), client, server, size = 10000;
	struct timeval time = { 3, 0 };
	socklen_t room = sizeof(time);

	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), 0);
	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	client = make_connected(SOCK_STREAM, own_name(listener));
	server = accept(listener, NULL, NULL);
	time.tv_sec = 0;
	CHECK_EQ(getsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &time, &room), 0);
	CHECK_EQ(time.tv_sec, 3);
	CHECK_EQ(option(server, SOL_SOCKET, SO_SNDBUF), 2 * size);
	close(client);
	close(server);
	close(listener);
}

/* Neither descriptors nor whose it is. */
static void a_network_passes_bytes_alone(void)
{
	int listener = make_listener(SOCK_STREAM, loopback(0), 5), client, server;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec one = { (char[1]){ 0 }, 1 };
	struct msghdr m = { .msg_iov = &one,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct ucred who;
	socklen_t size = sizeof(who);

	client = make_connected(SOCK_STREAM, own_name(listener));
	server = accept(listener, NULL, NULL);
	memcpy(CMSG_DATA(&control.header), &(int){ 0 }, sizeof(int));
	CHECK_EQ(sendmsg(client, &m, 0), 1);
	m.msg_controllen = sizeof(control);
	CHECK_EQ(recvmsg(server, &m, MSG_DONTWAIT), 1);
	CHECK_EQ(m.msg_controllen, 0);
	CHECK_EQ(m.msg_flags, 0);
	CHECK_EQ(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &who, &size), 0);
	CHECK_EQ(who.pid, 0);
	CHECK_EQ(who.uid, -1u);
	close(client);
	close(server);
	close(listener);
}

static void what_is_received_has_a_sender(int type, struct name n, bool is_told)
{
	int listener = make_listener(type, n, 5), client = make_connected(type, own_name(listener)),
	    server = accept(listener, NULL, NULL);
	struct name from = { .size = sizeof(from.bytes) };
	struct iovec one = { (char[8]){ 0 }, 8 };
	struct msghdr m = {
		.msg_iov = &one, .msg_iovlen = 1, .msg_name = &from.any, .msg_namelen = from.size
	};

	n = is_told ? own_name(server) : (struct name){ 0 };
	CHECK_EQ(write(server, "abc", 3), 3);
	CHECK_EQ(recvfrom(client, (char[8]){ 0 }, 8, MSG_PEEK, &from.any, &from.size), 3);
	CHECK_EQ(from.size, n.size);
	CHECK(!is_told || is_same(from, n));
	CHECK_EQ(recvmsg(client, &m, 0), 3);
	CHECK_EQ(m.msg_namelen, n.size);
	close(client);
	close(server);
	close(listener);
}

static void streams_say_who_sends(void)
{
	what_is_received_has_a_sender(SOCK_STREAM, abstract_name(18), true);
	what_is_received_has_a_sender(SOCK_SEQPACKET, abstract_name(18), true);
	what_is_received_has_a_sender(SOCK_STREAM, loopback(0), false);
}

/* ---------------------------------------------------------------- waiting */

static void a_full_backlog_makes_wait(void)
{
	struct name n = abstract_name(4);
	int listener = make_listener(SOCK_STREAM, n, 1), clients[2], server, status, late;
	pid_t child;

	for (int i = 0; i < 2; i++)
		clients[i] = make_connected(SOCK_STREAM, n);
	late = make(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
	FAILS(connect(late, &n.any, n.size), EAGAIN);
	child = fork();
	if (child == 0) {
		close(listener);
		_exit(write(make_connected(SOCK_STREAM, n), "x", 1) != 1);
	}
	wait_asleep(child, child);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	/* Its turn has come, and is not lost because it was refused before. */
	close(accept(listener, NULL, NULL));
	CHECK_EQ(connect(late, &n.any, n.size), 0);
	close(server);
	for (int i = 0; i < 2; i++)
		close(clients[i]);
	close(late);
	close(listener);
}

static int listener_to_be_shut;

static void *shut_when_asleep(void *thread)
{
	wait_asleep(getpid(), (int)(long)thread);
	shutdown(listener_to_be_shut, SHUT_RDWR);
	return NULL;
}

static void a_listener_that_is_shut_ends_accept(void)
{
	struct name n = abstract_name(5);
	pthread_t thread;

	listener_to_be_shut = make_listener(SOCK_STREAM, n, 1);
	CHECK_EQ(pthread_create(&thread, NULL, shut_when_asleep, (void *)(long)gettid()), 0);
	FAILS(accept(listener_to_be_shut, NULL, NULL), EINVAL);
	pthread_join(thread, NULL);
	FAILS(try_connect(SOCK_STREAM, n), ECONNREFUSED);
	close(listener_to_be_shut);
}

static void a_listener_that_goes_ends_what_waits(void)
{
	struct name n = abstract_name(6);
	int listener = make_listener(SOCK_STREAM, n, 0), client = make_connected(SOCK_STREAM, n),
	    status;
	pid_t child = fork();

	signal(SIGPIPE, SIG_IGN);
	if (child == 0) {
		close(listener);
		_exit(try_connect(SOCK_STREAM, n) != -1 || errno != ECONNREFUSED);
	}
	wait_asleep(child, child);
	close(listener);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	/* It was connected, and nobody accepted it. */
	CHECK_EQ(read(client, (char[1]){ 0 }, 1) > 0, 0);
	FAILS(write(client, "x", 1), EPIPE);
	close(client);
}

static void nothing(int number)
{
}

static void a_signal_or_time_ends_the_waits(void)
{
	struct name n = abstract_name(7);
	int listener = make_listener(SOCK_STREAM, n, 0), client = make_connected(SOCK_STREAM, n),
	    late;
	struct sigaction action = { .sa_handler = nothing };
	struct timeval moment = { 0, 10000 };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } };

	late = make(AF_UNIX, SOCK_STREAM);
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	FAILS(connect(late, &n.any, n.size), EINTR);
	close(accept(listener, NULL, NULL));
	FAILS(accept(listener, NULL, NULL), EINTR);
	often = (struct itimerval){ 0 };
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment)), 0);
	FAILS(accept(listener, NULL, NULL), EAGAIN);
	CHECK_EQ(connect(late, &n.any, n.size), 0);
	close(late);
	late = make(AF_UNIX, SOCK_STREAM);
	CHECK_EQ(setsockopt(late, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment)), 0);
	FAILS(connect(late, &n.any, n.size), EAGAIN);
	close(late);
	close(client);
	close(listener);
}

static void epoll_tells_of_connections(void)
{
	struct name n = abstract_name(8);
	int listener = make_listener(SOCK_STREAM, n, 5), epoll = epoll_create1(0), client, server;
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = listener };

	CHECK_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	FAILS(accept(listener, NULL, NULL), EAGAIN);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e), 0);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
	client = make(AF_UNIX, SOCK_STREAM);
	/* It may be watched before it is connected, and is told of when it is answered. */
	e = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.fd = client };
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, client, &e), 0);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1); /* EPOLLHUP: it is alone */
	CHECK_EQ(connect(client, &n.any, n.size), 0);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 1000), 1);
	if (e.data.fd == client) /* that it was connected, as Linux tells */
		CHECK_EQ(epoll_wait(epoll, &e, 1, 1000), 1);
	CHECK_EQ(e.data.fd, listener);
	CHECK_EQ(e.events, EPOLLIN);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	CHECK_EQ(write(server, "x", 1), 1);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 1000), 1);
	CHECK_EQ(e.data.fd, client);
	CHECK(e.events & EPOLLIN);
	close(client);
	close(server);
	close(epoll);
	close(listener);
}

static _Atomic int failures;

enum { GREETINGS = 400 };

static int greeted_epoll, greeters[GREETINGS];

static void *greet(void *listener)
{
	/* They stay open: a close would be told, too. */
	for (int i = 0; i < GREETINGS; i++) {
		greeters[i] = accept((int)(long)listener, NULL, NULL);
		if (write(greeters[i], "x", 1) != 1)
			failures++;
	}
	return NULL;
}

/* What comes before connect() has returned is told of again when it can be received. */
static void *await_greetings(void *unused)
{
	struct epoll_event e;
	char c;

	for (int i = 0; i < GREETINGS && !failures;) {
		if (epoll_wait(greeted_epoll, &e, 1, 10000) != 1) {
			failures++;
		} else if ((e.events & EPOLLIN) && read(e.data.fd, &c, 1) == 1) {
			close(e.data.fd);
			i++;
		}
	}
	return NULL;
}

static void an_answer_before_connect_returns_is_told_of(void)
{
	struct name n = abstract_name(15);
	int listener = make_listener(SOCK_STREAM, n, 5);
	pthread_t threads[2];

	failures = 0;
	greeted_epoll = epoll_create1(0);
	CHECK_EQ(pthread_create(&threads[0], NULL, greet, (void *)(long)listener), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, await_greetings, NULL), 0);
	for (int i = 0; i < GREETINGS && !failures; i++) {
		int fd = make(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
		struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

		CHECK_EQ(epoll_ctl(greeted_epoll, EPOLL_CTL_ADD, fd, &e), 0);
		while (connect(fd, &n.any, n.size) != 0 && errno == EAGAIN)
			sched_yield();
	}
	pthread_join(threads[1], NULL);
	CHECK_EQ(failures, 0);
	pthread_join(threads[0], NULL);
	for (int i = 0; i < GREETINGS; i++)
		close(greeters[i]);
	close(greeted_epoll);
	close(listener);
}

/* ---------------------------------------------------------------- many */

enum { CLIENTS = 4, VISITS = 300, SERVERS = 2 };

static int busy_listener;

static void *serve(void *unused)
{
	char c;

	for (;;) {
		int fd = accept(busy_listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		if (read(fd, &c, 1) != 1 || write(fd, &c, 1) != 1)
			failures++;
		close(fd);
	}
}

static void *visit(void *name)
{
	const struct name *n = name;
	char c;

	for (int i = 0; i < VISITS; i++) {
		int fd = socket(n->any.sa_family, SOCK_STREAM, 0);

		c = (char)i;
		if (connect(fd, &n->any, n->size) != 0 || write(fd, &c, 1) != 1 ||
		    read(fd, &c, 1) != 1 || c != (char)i || read(fd, &c, 1) != 0)
			failures++;
		close(fd);
	}
	return NULL;
}

/* Several accept, several come, and there is room for one to wait. */
static void many_visit(struct name n)
{
	pthread_t clients[CLIENTS], servers[SERVERS];

	busy_listener = make_listener(SOCK_STREAM, n, 0);
	n = own_name(busy_listener);
	failures = 0;
	for (int i = 0; i < SERVERS; i++)
		CHECK_EQ(pthread_create(&servers[i], NULL, serve, NULL), 0);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EQ(pthread_create(&clients[i], NULL, visit, &n), 0);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	shutdown(busy_listener, SHUT_RDWR);
	for (int i = 0; i < SERVERS; i++)
		pthread_join(servers[i], NULL);
	close(busy_listener);
	CHECK_EQ(failures, 0);
}

static void many_visit_one_name(void)
{
	many_visit(abstract_name(9));
	many_visit(loopback(0));
}

static _Atomic bool over;

static void *come_and_go(void *name)
{
	struct name n = *(struct name *)name;

	while (!over) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (connect(fd, &n.any, n.size) != 0 && errno != EAGAIN && errno != ECONNREFUSED)
			failures++;
		if (write(fd, "x", 1) < 0 && errno != EPIPE && errno != ENOTCONN &&
		    errno != ECONNRESET)
			failures++;
		close(fd);
	}
	return NULL;
}

/* A listener that comes and goes meanwhile, accepting some. */
static void listeners_come_and_go_beside_connections(void)
{
	struct name n = abstract_name(10);
	pthread_t threads[3];

	signal(SIGPIPE, SIG_IGN);
	failures = 0;
	over = false;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, come_and_go, &n), 0);
	for (int i = 0; i < 300; i++) {
		int listener = make_listener(SOCK_STREAM | SOCK_NONBLOCK, n, i % 4), accepted = -1;

		for (int tries = 0; tries < 5; tries++) {
			accepted = accept(listener, NULL, NULL);
			if (accepted >= 0)
				close(accepted);
			sched_yield();
		}
		close(listener);
	}
	over = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(failures, 0);
}

/* ---------------------------------------------------------------- datagrams */

static void datagrams_find_their_names(struct name a, struct name b)
{
	int one = make_bound(SOCK_DGRAM, a), other = make_bound(SOCK_DGRAM, b);
	struct name n = own_name(other), from = { .size = sizeof(from.bytes) };
	char got[8];

	CHECK_EQ(sendto(one, "abc", 3, 0, &n.any, n.size), 3);
	CHECK_EQ(sendto(one, "", 0, 0, &n.any, n.size), 0);
	CHECK_EQ(ready(other), POLLIN | POLLOUT);
	CHECK_EQ(recvfrom(other, got, 8, MSG_PEEK, &from.any, &from.size), 3);
	CHECK(is_same(from, own_name(one)));
	from = (struct name){ .size = sizeof(from.bytes) };
	CHECK_EQ(recvfrom(other, got, 8, 0, &from.any, &from.size), 3);
	CHECK(is_same(from, own_name(one)));
	from = (struct name){ .size = sizeof(from.bytes) };
	CHECK_EQ(recvfrom(other, got, 8, 0, &from.any, &from.size), 0);
	CHECK(is_same(from, own_name(one)));
	/* An answer, by connection. */
	n = own_name(one);
	CHECK_EQ(connect(other, &n.any, n.size), 0);
	CHECK(is_same(others_name(other), n));
	says(other, one, "answer");
	CHECK_EQ(connect(other, &(struct sockaddr){ .sa_family = AF_UNSPEC },
			 sizeof(struct sockaddr)),
		 0);
	FAILS(getpeername(other, &from.any, &from.size), ENOTCONN);
	close(one);
	close(other);
}

static void datagrams_have_senders(void)
{
	struct name a = abstract_name(11), b = abstract_name(12), n = path_name();
	int fd, other;

	datagrams_find_their_names(a, b);
	datagrams_find_their_names(loopback(0), loopback(0));
	unlink(path);
	datagrams_find_their_names(n, b);
	unlink(path);
	/* One without a name sends as nobody, or gets one. */
	other = make_bound(SOCK_DGRAM, a);
	fd = make(AF_UNIX, SOCK_DGRAM);
	CHECK_EQ(sendto(fd, "x", 1, 0, &a.any, a.size), 1);
	n.size = sizeof(n.bytes);
	CHECK_EQ(recvfrom(other, &(char){ 0 }, 1, 0, &n.any, &n.size), 1);
	CHECK_EQ(n.size, 0);
	close(fd);
	close(other);
	other = make_bound(SOCK_DGRAM, port_name(INADDR_ANY, 0));
	fd = make(AF_INET, SOCK_DGRAM);
	a = loopback(port_of(own_name(other)));
	CHECK_EQ(sendto(fd, "x", 1, 0, &a.any, a.size), 1);
	n.size = sizeof(n.bytes);
	CHECK_EQ(recvfrom(other, &(char){ 0 }, 1, 0, &n.any, &n.size), 1);
	CHECK(is_same(n, loopback(port_of(own_name(fd)))));
	close(fd);
	close(other);
}

static char many_bytes[70000];

static void datagrams_to_nobody(void)
{
	struct name n = abstract_name(13);
	int fd = make(AF_UNIX, SOCK_DGRAM), other;

	FAILS(write(fd, "x", 1), ENOTCONN);
	FAILS(sendto(fd, "x", 1, 0, &n.any, n.size), ECONNREFUSED);
	FAILS(connect(fd, &n.any, n.size), ECONNREFUSED);
	other = make_bound(SOCK_DGRAM, n);
	CHECK_EQ(connect(fd, &n.any, n.size), 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	close(other);
	FAILS(write(fd, "x", 1), ECONNREFUSED);
	FAILS(write(fd, "x", 1), ENOTCONN);
	other = make_bound(SOCK_DGRAM, n);
	close(fd);
	/* One that is connected elsewhere is not to be reached. */
	fd = make_bound(SOCK_DGRAM, abstract_name(14));
	CHECK_EQ(connect(fd, &n.any, n.size), 0);
	n = abstract_name(14);
	close(other);
	other = make(AF_UNIX, SOCK_DGRAM);
	FAILS(sendto(other, "x", 1, 0, &n.any, n.size), EPERM);
	close(other);
	close(fd);
	/* A network loses it, and says so to who is connected. */
	fd = make(AF_INET, SOCK_DGRAM);
	FAILS(write(fd, "x", 1), EDESTADDRREQ);
	n = loopback(1);
	CHECK_EQ(sendto(fd, "x", 1, 0, &n.any, n.size), 1);
	CHECK_EQ(connect(fd, &n.any, n.size), 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	FAILS(write(fd, "x", 1), ECONNREFUSED);
	FAILS(send(fd, many_bytes, sizeof(many_bytes), 0), EMSGSIZE);
	close(fd);
}

static void any_address_is_this_machine(void)
{
	int to = make_bound(SOCK_DGRAM, loopback(0)), fd = make(AF_INET, SOCK_DGRAM);
	struct name n = port_name(INADDR_ANY, port_of(own_name(to)));

	CHECK_EQ(sendto(fd, "x", 1, 0, &n.any, n.size), 1);
	CHECK_EQ(recv(to, (char[8]){ 0 }, 8, MSG_DONTWAIT), 1);
	n = loopback(0);
	FAILS(sendto(fd, "x", 1, 0, &n.any, n.size), EINVAL);
	close(fd);
	close(to);
}

static int waiting_socket;

static void *receive_one(void *unused)
{
	errno = 0;
	return (void *)(long)(read(waiting_socket, &(char){ 0 }, 1) == -1 ? errno : 0);
}

/* That nobody has it is told to who waits, too. */
static void a_lost_datagram_wakes_who_waits(void)
{
	int gone = make_bound(SOCK_DGRAM, loopback(0)), epoll = epoll_create1(0), fd;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	struct name n = own_name(gone);
	pthread_t thread;
	void *error;

	close(gone);
	fd = make_connected(SOCK_DGRAM, n);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), 0);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 10000), 1);
	CHECK_EQ(e.events, EPOLLERR);
	CHECK_EQ(option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	waiting_socket = fd;
	CHECK_EQ(pthread_create(&thread, NULL, receive_one, NULL), 0);
	usleep(20000);
	CHECK_EQ(write(fd, "x", 1), 1);
	pthread_join(thread, &error);
	CHECK_EQ((long)error, ECONNREFUSED);
	close(epoll);
	close(fd);
}

static void a_stream_is_no_datagram(void)
{
	struct name n = path_name();
	int fd;

	unlink(path);
	fd = make_bound(SOCK_DGRAM, n);
	FAILS(try_connect(SOCK_STREAM, n), EPROTOTYPE);
	CHECK_EQ(try_connect(SOCK_DGRAM, n), 0);
	close(fd);
	unlink(path);
	CHECK_EQ(mkfifo(path, 0600), 0);
	FAILS(try_connect(SOCK_STREAM, n), ECONNREFUSED);
	unlink(path);
}

static int connect_as_another(void)
{
	struct name n = path_name();

	if (setuid(12345))
		return 1;
	return try_connect(SOCK_STREAM, n) == -1 && errno == EACCES ? 0 : 2;
}

static int bind_low_port(void)
{
	if (setuid(12345))
		return 1;
	return try_bind(SOCK_STREAM, loopback(80)) == -1 && errno == EACCES ? 0 : 2;
}

static void rights_are_looked_at(void)
{
	int fd;

	unlink(path);
	fd = make_listener(SOCK_STREAM, path_name(), 1);
	CHECK_EQ(chmod(path, 0700), 0);
	CHECK_EQ(in_child(connect_as_another), 0);
	CHECK_EQ(in_child(bind_low_port), 0);
	close(fd);
	unlink(path);
}

static void hosts_have_names(void)
{
	struct addrinfo wanted = { .ai_family = AF_INET,
				   .ai_socktype = SOCK_STREAM,
				   .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found;

	CHECK_EQ(getaddrinfo("localhost", "80", &wanted, &found), 0);
	CHECK_EQ(((struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK_EQ(((struct sockaddr_in *)found->ai_addr)->sin_port, htons(80));
	freeaddrinfo(found);
}

static int give_out_all_ports(void)
{
	struct rlimit many = { 40000, 40000 };
	int given = 0, fd = -1;

	if (setrlimit(RLIMIT_NOFILE, &many)) /* it may not be ours to say */
		return access("/proc/exo", F_OK) == 0;
	for (; given < 30000; given++) {
		struct name n = loopback(0);

		fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (fd < 0 || bind(fd, &n.any, n.size))
			break;
	}
	if (fd < 0 || errno != EADDRINUSE || given < 28000)
		return 2;
	/* One that is asked for is still to be had. */
	return try_bind(SOCK_DGRAM, loopback(20001)) ? 3 : 0;
}

static void ports_run_out(void)
{
	CHECK_EQ(in_child(give_out_all_ports), 0);
	CHECK_EQ(try_bind(SOCK_DGRAM, loopback(0)), 0);
}

int main(void)
{
	RUN(a_path_is_listened_at);
	RUN(an_abstract_name_is_listened_at);
	RUN(a_port_is_listened_at);
	RUN(whoever_accepts_is_told_who_came);
	RUN(addresses_are_this_machines);
	RUN(a_port_is_had_by_one);
	RUN(what_is_no_name_is_refused);
	RUN(a_long_path_is_a_name);
	RUN(one_that_is_alone_says_so);
	RUN(it_says_what_it_is);
	RUN(both_sides_know_whose_they_are);
	RUN(who_does_not_receive_may_be_sent_to);
	RUN(what_is_not_accepted_is_reset);
	RUN(what_is_accepted_has_the_listeners_limits);
	RUN(a_network_passes_bytes_alone);
	RUN(streams_say_who_sends);
	RUN(a_full_backlog_makes_wait);
	RUN(a_listener_that_is_shut_ends_accept);
	RUN(a_listener_that_goes_ends_what_waits);
	RUN(a_signal_or_time_ends_the_waits);
	RUN(epoll_tells_of_connections);
	RUN(an_answer_before_connect_returns_is_told_of);
	RUN(many_visit_one_name);
	RUN(listeners_come_and_go_beside_connections);
	RUN(datagrams_have_senders);
	RUN(datagrams_to_nobody);
	RUN(any_address_is_this_machine);
	RUN(a_lost_datagram_wakes_who_waits);
	RUN(a_stream_is_no_datagram);
	RUN(rights_are_looked_at);
	RUN(hosts_have_names);
	RUN(ports_run_out);
	return test_result();
}
