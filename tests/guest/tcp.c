/* SPDX-License-Identifier: MIT */
/*
 * What the two sides of a network's stream are told of each other, and when: the answers are those of Linux
 * over its loopback device.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "fails.h"
#include "socket_name.h"
#include "test.h"

#define ALL (POLLIN | POLLOUT | POLLRDHUP)

static short ready(int fd)
{
	struct pollfd item = { .fd = fd, .events = ALL };

	CHECK(poll(&item, 1, 0) >= 0);
	return item.revents;
}

static int pending_error(int fd)
{
	int error = -1;
	socklen_t size = sizeof(error);

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	return error;
}

static struct name name_of(int fd)
{
	struct name n = { .size = sizeof(n.bytes) };

	CHECK_EQ(getsockname(fd, &n.any, &n.size), 0);
	return n;
}

static int make_listener(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0 && bind(fd, (void *)&address, sizeof(address)) == 0 && listen(fd, 5) == 0);
	return fd;
}

/* Where nobody listens. */
static struct name nobody(void)
{
	int fd = make_listener();
	struct name n = name_of(fd);

	close(fd);
	return n;
}

static void make_two(int *client, int *server)
{
	int listener = make_listener();
	struct name n = name_of(listener);

	*client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(*client, &n.any, n.size), 0);
	*server = accept(listener, NULL, NULL);
	CHECK(*server >= 0);
	close(listener);
}

/* ---- connect() that does not wait */

static int hurried(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK(fd >= 0);
	return fd;
}

static void a_connection_is_in_progress_before_it_is_there(void)
{
	int listener = make_listener(), client = hurried(), server;
	struct name n = name_of(listener);

	FAILS(connect(client, &n.any, n.size), EINPROGRESS);
	FAILS(listen(client, 1), EINVAL);
	CHECK_EQ(ready(client), POLLOUT);
	CHECK_EQ(pending_error(client), 0);
	CHECK_EQ(connect(client, &n.any, n.size), 0);
	FAILS(connect(client, &n.any, n.size), EISCONN);
	close(client);

	/* It may be used at once; and one that waits finds that there is nothing to wait for. */
	client = hurried();
	FAILS(connect(client, &n.any, n.size), EINPROGRESS);
	CHECK_EQ(write(client, "abc", 3), 3);
	CHECK_EQ(fcntl(client, F_SETFL, 0), 0);
	CHECK(close(accept(listener, NULL, NULL)) == 0);
	server = accept(listener, NULL, NULL);
	/* Who has been accepted was never asked. */
	FAILS(connect(server, &n.any, n.size), EISCONN);
	CHECK_EQ(connect(client, &n.any, n.size), 0);
	FAILS(connect(client, &n.any, n.size), EISCONN);
	CHECK_EQ(read(server, (char[8]){ 0 }, 8), 3);
	close(client);
	close(server);
	close(listener);
}

static void a_refusal_is_told_once(void)
{
	struct name none = nobody();
	int fd = hurried();

	FAILS(connect(fd, &none.any, none.size), EINPROGRESS);
	CHECK_EQ(ready(fd), ALL | POLLERR | POLLHUP);
	CHECK_EQ(pending_error(fd), ECONNREFUSED);
	CHECK_EQ(ready(fd), ALL | POLLHUP);
	CHECK_EQ(pending_error(fd), 0);
	FAILS(connect(fd, &none.any, none.size), ECONNABORTED);
	CHECK_EQ(ready(fd), POLLOUT | POLLHUP);

	/* Then it may be tried again: it is told to connect(), ... */
	FAILS(connect(fd, &none.any, none.size), EINPROGRESS);
	FAILS(listen(fd, 1), EINVAL);
	FAILS(connect(fd, &none.any, none.size), ECONNREFUSED);
	CHECK_EQ(pending_error(fd), 0);
	/* ... to who receives, ... */
	FAILS(connect(fd, &none.any, none.size), EINPROGRESS);
	FAILS(read(fd, (char[4]){ 0 }, 4), ECONNREFUSED);
	CHECK_EQ(read(fd, (char[4]){ 0 }, 4), 0);
	FAILS(connect(fd, &none.any, none.size), ECONNABORTED);
	/* ... or to who sends. */
	FAILS(connect(fd, &none.any, none.size), EINPROGRESS);
	FAILS(write(fd, "x", 1), ECONNREFUSED);
	FAILS(write(fd, "x", 1), EPIPE);
	close(fd);
}

static void who_was_refused_may_connect_elsewhere(void)
{
	int listener = make_listener(), fd = hurried();
	struct name none = nobody(), n = name_of(listener);

	FAILS(connect(fd, &none.any, none.size), EINPROGRESS);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	FAILS(connect(fd, &n.any, n.size), ECONNREFUSED);
	CHECK_EQ(connect(fd, &n.any, n.size), 0);
	CHECK_EQ(ready(fd), POLLOUT);
	close(fd);
	close(listener);
}

/* An epoll that is told of changes only hears of the refusal. */
static void a_refusal_is_an_event(void)
{
	struct epoll_event e = { .events = ALL | EPOLLET };
	int epoll = epoll_create1(0), fd = hurried();
	struct name none = nobody();

	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), 0);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1); /* EPOLLHUP: it is alone */
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
	FAILS(connect(fd, &none.any, none.size), EINPROGRESS);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1);
	CHECK_EQ(e.events, ALL | EPOLLERR | EPOLLHUP);
	close(epoll);
	close(fd);
}

/* ---- the other side goes */

static void the_first_that_is_sent_to_nobody_is_lost(void)
{
	int client, server;

	make_two(&client, &server);
	CHECK_EQ(write(server, "last", 4), 4);
	close(server);
	CHECK_EQ(ready(client), ALL);
	CHECK_EQ(write(client, "xx", 2), 2);
	CHECK_EQ(ready(client), ALL | POLLERR | POLLHUP);
	FAILS(shutdown(client, SHUT_WR), ENOTCONN);
	/* What had come before is there still; the end of it is no error. */
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 4);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 0);
	CHECK_EQ(pending_error(client), EPIPE);
	CHECK_EQ(ready(client), ALL | POLLHUP);
	FAILS(write(client, "xx", 2), EPIPE);
	close(client);

	make_two(&client, &server);
	close(server);
	CHECK_EQ(write(client, "xx", 2), 2);
	FAILS(write(client, "xx", 2), EPIPE);
	CHECK_EQ(pending_error(client), 0);
	FAILS(write(client, "xx", 2), EPIPE);
	close(client);
}

static void who_was_not_read_is_reset(void)
{
	int client, server;

	make_two(&client, &server);
	CHECK(write(client, "zz", 2) == 2 && write(server, "last", 4) == 4);
	close(server);
	CHECK_EQ(ready(client), ALL | POLLERR | POLLHUP);
	FAILS(write(client, "xx", 2), ECONNRESET);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 4);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 0);
	FAILS(write(client, "xx", 2), EPIPE);
	close(client);
}

static void who_does_not_linger_resets(void)
{
	struct linger none = { .l_onoff = 1 };
	struct name n = { .size = sizeof(n.bytes) };
	int client, server;

	make_two(&client, &server);
	CHECK_EQ(setsockopt(server, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	CHECK_EQ(write(server, "last", 4), 4);
	CHECK_EQ(getpeername(client, &n.any, &n.size), 0);
	close(server);
	CHECK_EQ(ready(client), ALL | POLLERR | POLLHUP);
	FAILS(getpeername(client, &n.any, &n.size), ENOTCONN);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 4);
	CHECK(read(client, (char[8]){ 0 }, 8) <= 0);
	FAILS(write(client, "xx", 2), EPIPE);
	close(client);
}

static void who_does_neither_resets_when_something_comes(void)
{
	int client, server;

	make_two(&client, &server);
	CHECK_EQ(shutdown(server, SHUT_RDWR), 0);
	CHECK_EQ(ready(client), ALL);
	CHECK_EQ(ready(server), ALL | POLLHUP);
	CHECK_EQ(write(client, "xx", 2), 2);
	CHECK_EQ(ready(client), ALL | POLLERR | POLLHUP);
	CHECK_EQ(ready(server), ALL | POLLERR | POLLHUP);
	FAILS(read(server, (char[8]){ 0 }, 8), ECONNRESET);
	FAILS(write(server, "xx", 2), EPIPE);
	FAILS(write(client, "xx", 2), EPIPE);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 0);
	close(client);
	close(server);
}

static void one_that_sends_no_more_hears_of_the_end(void)
{
	int client, server;

	make_two(&client, &server);
	CHECK_EQ(shutdown(client, SHUT_WR), 0);
	CHECK_EQ(ready(client), POLLOUT);
	close(server);
	CHECK_EQ(ready(client), ALL | POLLHUP);
	FAILS(write(client, "xx", 2), EPIPE);
	CHECK_EQ(read(client, (char[8]){ 0 }, 8), 0);
	close(client);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	RUN(a_connection_is_in_progress_before_it_is_there);
	RUN(a_refusal_is_told_once);
	RUN(who_was_refused_may_connect_elsewhere);
	RUN(a_refusal_is_an_event);
	RUN(the_first_that_is_sent_to_nobody_is_lost);
	RUN(who_was_not_read_is_reset);
	RUN(who_does_not_linger_resets);
	RUN(who_does_neither_resets_when_something_comes);
	RUN(one_that_sends_no_more_hears_of_the_end);
	return test_result();
}
