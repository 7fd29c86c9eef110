/* SPDX-License-Identifier: MIT */
/*
 * Datagrams between sockets with names: who has no room, who is connected to whom, whose name they have.
 * All of it but what is marked holds on Linux as well: gcc -pthread tests/guest/socket_datagrams.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include "socket_make.h"

static int receiver, sender, epoll;

static void connect_to(int fd, struct name n)
{
	CHECK_EQ(connect(fd, &n.any, n.size), 0);
}

/* ---------------------------------------------------------------- no room */

static void begin(bool connected)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };

	receiver = make_bound(SOCK_DGRAM, abstract_name(1));
	sender = connected ? make_connected(SOCK_DGRAM, abstract_name(1))
			   : make(AF_UNIX, SOCK_DGRAM);
	epoll = epoll_create1(0);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, sender, &e), 0);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 1);
}

static void end(void)
{
	close(epoll);
	close(sender);
	close(receiver);
}

static long send_to(int number)
{
	static const char bytes[2000];
	struct name n = abstract_name(number);

	return number ? sendto(sender, bytes, sizeof(bytes), MSG_DONTWAIT, &n.any, n.size)
		      : send(sender, bytes, sizeof(bytes), MSG_DONTWAIT);
}

static void fill(int number)
{
	while (send_to(number) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
}

static void empty(int fd)
{
	static char bytes[2000];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
}

static int edges(void)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, 0);
}

static void who_is_connected_to_a_full_one_is_not_ready(void)
{
	begin(true);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(ready(sender), POLLOUT);
		fill(0);
		CHECK_EQ(ready(sender), 0);
		CHECK_EQ(edges(), 0);
		empty(receiver);
		CHECK_EQ(edges(), 1);
		CHECK_EQ(edges(), 0);
	}
	end();
}

/* He did not try to send: to have looked is enough. */
static void who_finds_a_full_one_is_told(void)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	int another;

	begin(true);
	fill(0);
	another = sender;
	close(epoll);
	sender = make_connected(SOCK_DGRAM, abstract_name(1));
	epoll = epoll_create1(0);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, sender, &e), 0);
	CHECK_EQ(edges(), 0);
	empty(receiver);
	CHECK_EQ(edges(), 1);
	close(another);
	end();
}

static void who_names_a_full_one_is_told(void)
{
	int second = make_bound(SOCK_DGRAM, abstract_name(2));

	begin(false);
	fill(1);
	edges();
	empty(receiver);
	CHECK_EQ(edges(), 1);
	/* Two: whenever he is told, he tries both. */
	for (int i = 0; i < 3; i++) {
		fill(1);
		fill(2);
		edges();
		empty(second);
		CHECK_EQ(edges(), 1);
		fill(2);
		fill(1);
		edges();
		empty(receiver);
		CHECK_EQ(edges(), 1);
	}
	close(second);
	end();
}

static void who_goes_makes_room(void)
{
	begin(true);
	fill(0);
	CHECK_EQ(edges(), 0);
	close(receiver);
	CHECK_EQ(edges(), 1);
	FAILS(send_to(0), ECONNREFUSED);
	end();
	begin(true);
	fill(0);
	CHECK_EQ(edges(), 0);
	CHECK_EQ(shutdown(receiver, SHUT_RD), 0);
	/* Linux leaves it at that. */
	if (access("/proc/exo", F_OK) == 0)
		CHECK_EQ(edges(), 1);
	end();
}

static void who_waits_may_go(void)
{
	begin(true);
	fill(0);
	close(sender);
	sender = make_connected(SOCK_DGRAM, abstract_name(1));
	empty(receiver);
	CHECK_EQ(send_to(0), 2000);
	end();
	/* To himself, and never received. */
	begin(false);
	close(sender);
	sender = receiver;
	connect_to(sender, abstract_name(1));
	fill(0);
	CHECK_EQ(ready(sender), POLLIN);
	empty(sender);
	CHECK_EQ(ready(sender), POLLOUT);
	close(epoll);
	close(sender);
}

enum { MESSAGES = 20000 };

static void *send_many(void *unused)
{
	int fd = make_connected(SOCK_DGRAM, abstract_name(1)), own = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	char bytes[8000] = { 0 };

	if (fcntl(fd, F_SETFL, O_NONBLOCK) || epoll_ctl(own, EPOLL_CTL_ADD, fd, &e))
		return "cannot watch";
	for (int i = 0; i < MESSAGES;) {
		if (send(fd, bytes, sizeof(bytes), 0) > 0)
			i++;
		else if (errno != EAGAIN)
			return strerror(errno);
		else if (epoll_wait(own, &e, 1, 60000) != 1)
			return "not told";
	}
	close(fd);
	close(own);
	return NULL;
}

static void many_wait_for_one_by_edges(void)
{
	pthread_t threads[3];
	char bytes[8000];
	void *what;

	receiver = make_bound(SOCK_DGRAM, abstract_name(1));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, send_many, NULL), 0);
	for (int i = 0; i < 3 * MESSAGES; i++)
		CHECK_EQ(recv(receiver, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &what);
		CHECK(!what);
	}
	close(receiver);
}

/* ---------------------------------------------------------------- whose name */

static int shared;
static struct name port;
static _Atomic int arrived;

static void *send_first(void *unused)
{
	arrived++;
	while (arrived % 2)
		;
	return (void *)(long)sendto(shared, "x", 1, 0, &port.any, port.size);
}

static void whoever_sends_first_has_a_name(void)
{
	pthread_t thread;

	receiver = make_bound(SOCK_DGRAM, loopback(0));
	port = own_name(receiver);
	arrived = 0;
	for (int i = 0; i < 1000; i++) {
		shared = make(AF_INET, SOCK_DGRAM);
		CHECK_EQ(pthread_create(&thread, NULL, send_first, NULL), 0);
		send_first(NULL);
		for (int k = 0; k < 2; k++) {
			struct name from = { .size = sizeof(from.bytes) };
			char c;

			CHECK_EQ(recvfrom(receiver, &c, 1, 0, &from.any, &from.size), 1);
			CHECK_EQ(from.size, sizeof(from.internet));
			CHECK_EQ(from.internet.sin_port, own_name(shared).internet.sin_port);
		}
		pthread_join(thread, NULL);
		close(shared);
	}
	close(receiver);
}

/* ---------------------------------------------------------------- who is connected */

static int make_sharing(struct name n)
{
	int fd = make(AF_INET, SOCK_DGRAM), on = 1;

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(bind(fd, &n.any, n.size), 0);
	return fd;
}

static void goes_to(int from, struct name n, int to, int not_to)
{
	struct pollfd item = { .fd = to, .events = POLLIN };

	CHECK_EQ(sendto(from, "x", 1, 0, &n.any, n.size), 1);
	CHECK_EQ(poll(&item, 1, 60000), 1);
	CHECK_EQ(recv(to, (char[1]){ 0 }, 1, 0), 1);
	CHECK_EQ(ready(not_to) & POLLIN, 0);
}

/* Of those that share a port, the one that is connected to the sender. */
static void who_is_connected_has_what_comes_from_there(void)
{
	int first = make_sharing(loopback(0)), one = make_bound(SOCK_DGRAM, loopback(0)), second,
	    another = make_bound(SOCK_DGRAM, loopback(0));
	struct name n = own_name(first), ones = own_name(one), nobody = { 0 };

	second = make_sharing(n);
	nobody.size = sizeof(nobody.any);
	for (int i = 0; i < 2; i++) {
		int joined = i ? first : second, open = i ? second : first;

		CHECK_EQ(connect(joined, &ones.any, ones.size), 0);
		goes_to(one, n, joined, open);
		goes_to(another, n, open, joined);
		CHECK_EQ(connect(joined, &nobody.any, nobody.size), 0);
		close(second);
		second = make_sharing(n);
	}
	close(first);
	close(second);
	close(one);
	close(another);
}

static void who_is_connected_elsewhere_is_nobody(void)
{
	int joined = make_bound(SOCK_DGRAM, loopback(0)), one = make_bound(SOCK_DGRAM, loopback(0)),
	    other;
	struct name n = own_name(joined), ones = own_name(one);

	CHECK_EQ(connect(joined, &ones.any, ones.size), 0);
	other = make_connected(SOCK_DGRAM, n);
	CHECK_EQ(send(other, "x", 1, 0), 1);
	while (!(ready(other) & POLLERR))
		;
	CHECK_EQ(option(other, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	/* The same if it is named; and of another nothing is told. */
	CHECK_EQ(sendto(other, "x", 1, 0, &n.any, n.size), 1);
	while (!(ready(other) & POLLERR))
		;
	CHECK_EQ(option(other, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	close(one);
	CHECK_EQ(sendto(other, "x", 1, 0, &ones.any, ones.size), 1);
	CHECK_EQ(ready(other), POLLOUT);
	close(joined);
	close(other);
	/* Of AF_UNIX he is not connected to. */
	joined = make_bound(SOCK_DGRAM, abstract_name(3));
	one = make_bound(SOCK_DGRAM, abstract_name(4));
	connect_to(joined, abstract_name(4));
	FAILS(try_connect(SOCK_DGRAM, abstract_name(3)), EPERM);
	connect_to(one, abstract_name(3));
	close(joined);
	close(one);
}

int main(void)
{
	RUN(who_is_connected_to_a_full_one_is_not_ready);
	RUN(who_finds_a_full_one_is_told);
	RUN(who_names_a_full_one_is_told);
	RUN(who_goes_makes_room);
	RUN(who_waits_may_go);
	RUN(many_wait_for_one_by_edges);
	/* (On Linux he may have an address without a port.) */
	if (access("/proc/exo", F_OK) == 0)
		RUN(whoever_sends_first_has_a_name);
	RUN(who_is_connected_has_what_comes_from_there);
	RUN(who_is_connected_elsewhere_is_nobody);
	return test_result();
}
