/* SPDX-License-Identifier: MIT */
/*
 * How streams end, and listeners: what is told of a close, a shutdown and a loss, to whom and when.
 * All of it but what is marked holds on Linux as well: gcc -pthread tests/guest/socket_ends.c.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include "asleep.h"
#include "socket_make.h"

#define OVER (POLLIN | POLLOUT | POLLRDHUP)

static int client, server;
static volatile sig_atomic_t pipe_signals;

static void count_signal(int number)
{
	pipe_signals++;
}

static void join(struct name n)
{
	make_joined(n, &client, &server);
	signal(SIGPIPE, count_signal);
	pipe_signals = 0;
}

static void end(void)
{
	close(client);
	close(server);
}

/* ---------------------------------------------------------------- what was lost */

/* The loss is told behind what came before it, and once. */
static void a_loss_behind_bytes(struct name n, size_t room, int flags)
{
	char bytes[4096] = { 0 };

	join(n);
	CHECK_EQ(write(server, "lost", 4), 4);
	CHECK_EQ(write(client, bytes, 100), 100);
	close(client);
	while (!(ready(server) & POLLHUP))
		;
	CHECK_EQ(recv(server, bytes, room, flags), 100);
	FAILS(recv(server, bytes, sizeof(bytes), flags), ECONNRESET);
	CHECK_EQ(recv(server, bytes, sizeof(bytes), flags), 0);
	close(server);
}

static void a_loss_is_told_after_what_came(void)
{
	for (int i = 0; i < 2; i++) {
		a_loss_behind_bytes(i ? loopback(0) : abstract_name(1), 4096, 0);
		a_loss_behind_bytes(i ? loopback(0) : abstract_name(1), 4096, i ? MSG_WAITALL : 0);
		a_loss_behind_bytes(i ? loopback(0) : abstract_name(1), 100, 0);
	}
}

/* Of a network: without a signal, that is for the next time. */
static void a_loss_is_told_to_who_sends(void)
{
	join(loopback(0));
	CHECK_EQ(write(server, "lost", 4), 4);
	close(client);
	CHECK_EQ(ready_to_receive(server), OVER | POLLHUP | POLLERR);
	FAILS(write(server, "x", 1), ECONNRESET);
	CHECK_EQ(pipe_signals, 0);
	FAILS(write(server, "x", 1), EPIPE);
	CHECK_EQ(pipe_signals, 1);
	CHECK_EQ(read(server, (char[1]){ 0 }, 1), 0);
	close(server);
}

/* It is for who sends: who receives has had his end. */
static void a_loss_behind_the_end(void)
{
	join(loopback(0));
	CHECK_EQ(write(server, "lost", 4), 4);
	CHECK_EQ(shutdown(client, SHUT_WR), 0);
	CHECK_EQ(ready_to_receive(server), OVER);
	close(client);
	while (!(ready(server) & POLLERR))
		;
	CHECK_EQ(read(server, (char[1]){ 0 }, 1), 0);
	CHECK_EQ(ready(server), OVER | POLLHUP | POLLERR);
	FAILS(write(server, "x", 1), EPIPE);
	CHECK_EQ(pipe_signals, 1);
	CHECK_EQ(ready(server), OVER | POLLHUP);
	close(server);
}

/* ---------------------------------------------------------------- a network's end */

/* What is sent behind it is taken, and what became of it is told the next time. */
static void is_found_out_by_sending(size_t size)
{
	char *bytes = calloc(1, size);

	CHECK_EQ(ready_to_receive(server), OVER);
	CHECK_EQ(send(server, bytes, size, 0), size);
	free(bytes);
	CHECK_EQ(pipe_signals, 0);
	while (!(ready(server) & POLLHUP))
		;
	CHECK_EQ(ready(server), OVER | POLLHUP | POLLERR);
	CHECK_EQ(read(server, (char[1]){ 0 }, 1), 0);
}

static void a_close_is_found_out_by_sending(void)
{
	for (size_t size = 1; size < 200000; size *= 50) {
		join(loopback(0));
		close(client);
		is_found_out_by_sending(size);
		FAILS(write(server, "x", 1), EPIPE);
		CHECK_EQ(pipe_signals, 1);
		CHECK_EQ(ready(server), OVER | POLLHUP);
		close(server);
	}
	/* Or asked for; then it has been told. */
	join(loopback(0));
	close(client);
	is_found_out_by_sending(1);
	CHECK_EQ(option(server, SOL_SOCKET, SO_ERROR), EPIPE);
	CHECK_EQ(ready(server), OVER | POLLHUP);
	FAILS(write(server, "x", 1), EPIPE);
	close(server);
}

static void who_has_shut_is_reset_by_what_comes(void)
{
	char got[8];

	join(loopback(0));
	CHECK_EQ(write(server, "had", 3), 3);
	while (!(ready(client) & POLLIN))
		;
	CHECK_EQ(shutdown(client, SHUT_RDWR), 0);
	CHECK_EQ(ready(client), OVER | POLLHUP);
	is_found_out_by_sending(5);
	FAILS(write(server, "x", 1), EPIPE);
	CHECK_EQ(ready(client), OVER | POLLHUP | POLLERR);
	CHECK_EQ(read(client, got, sizeof(got)), 3);
	FAILS(read(client, got, sizeof(got)), ECONNRESET);
	CHECK_EQ(read(client, got, sizeof(got)), 0);
	end();
}

/* One that waits for room finds out, too; on Linux when probes have not been answered for long. */
static void *shut_when_asleep(void *thread)
{
	wait_asleep(getpid(), (int)(long)thread);
	shutdown(client, SHUT_RDWR);
	return NULL;
}

static void who_waits_for_room_is_told(void)
{
	static char bytes[1 << 24];
	pthread_t thread;

	join(loopback(0));
	CHECK_EQ(pthread_create(&thread, NULL, shut_when_asleep, (void *)(long)gettid()), 0);
	CHECK(write(server, bytes, sizeof(bytes)) > 0);
	pthread_join(thread, NULL);
	FAILS(write(server, "x", 1), EPIPE);
	end();
}

/* ---------------------------------------------------------------- listeners */

static void is_listened_at(int listener)
{
	client = make_connected(SOCK_STREAM, own_name(listener));
	CHECK(ready_to_receive(listener) & POLLIN);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	end();
}

static void a_shut_listener_listens_again(void)
{
	int listener = make_listener(SOCK_STREAM, loopback(0), 5), other, on = 1;
	struct name n = own_name(listener);

	for (int how = SHUT_RD; how <= SHUT_RDWR; how += SHUT_RDWR - SHUT_RD) {
		CHECK_EQ(shutdown(listener, how), 0);
		CHECK_EQ(option(listener, SOL_SOCKET, SO_ACCEPTCONN), 0);
		CHECK_EQ(ready(listener), POLLOUT | POLLHUP);
		FAILS(try_connect(SOCK_STREAM, n), ECONNREFUSED);
		FAILS(accept(listener, NULL, NULL), EINVAL);
		FAILS(shutdown(listener, how), ENOTCONN);
		CHECK_EQ(listen(listener, 5), 0);
		CHECK_EQ(ready(listener), 0);
		is_listened_at(listener);
	}
	/* Meanwhile another one may. */
	CHECK_EQ(shutdown(listener, SHUT_RDWR), 0);
	close(listener);
	listener = make(AF_INET, SOCK_STREAM);
	other = make(AF_INET, SOCK_STREAM);
	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(bind(listener, &n.any, n.size), 0);
	CHECK_EQ(bind(other, &n.any, n.size), 0);
	CHECK_EQ(listen(listener, 5), 0);
	FAILS(listen(other, 5), EADDRINUSE);
	CHECK_EQ(shutdown(listener, SHUT_RDWR), 0);
	CHECK_EQ(listen(other, 5), 0);
	FAILS(listen(listener, 5), EADDRINUSE);
	is_listened_at(other);
	close(listener);
	close(other);
}

static void what_is_shut_before_it_listens(void)
{
	int listener = make_bound(SOCK_STREAM, loopback(0));

	FAILS(shutdown(listener, SHUT_RDWR), ENOTCONN);
	CHECK_EQ(listen(listener, 5), 0);
	is_listened_at(listener);
	close(listener);
}

/* Of AF_UNIX those that wait may still be accepted. */
static void those_that_wait_are_accepted_when_it_is_shut(void)
{
	struct name n = abstract_name(2);
	int listener = make_listener(SOCK_STREAM, n, 5);

	client = make_connected(SOCK_STREAM, n);
	CHECK_EQ(shutdown(listener, SHUT_RDWR), 0);
	FAILS(try_connect(SOCK_STREAM, n), ECONNREFUSED);
	CHECK(ready(listener) & POLLIN);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	CHECK_EQ(write(client, "x", 1), 1);
	CHECK_EQ(read(server, (char[1]){ 0 }, 1), 1);
	FAILS(accept(listener, NULL, NULL), EINVAL);
	end();
	close(listener);
}

/* ---------------------------------------------------------------- connecting */

static _Atomic int connecting_thread;

static void *connect_in_thread(void *fd)
{
	struct name n = abstract_name(3);

	connecting_thread = gettid();
	return (void *)(long)connect((int)(long)fd, &n.any, n.size);
}

/* Here alone: Linux forgets to tell. */
static void what_is_shut_while_it_connects_is_told(void)
{
	struct name n = abstract_name(3);
	int listener = make_listener(SOCK_STREAM, n, 0), first = make_connected(SOCK_STREAM, n);
	pthread_t thread;
	void *result;

	client = make(AF_UNIX, SOCK_STREAM);
	connecting_thread = 0;
	CHECK_EQ(pthread_create(&thread, NULL, connect_in_thread, (void *)(long)client), 0);
	while (!connecting_thread)
		sched_yield();
	wait_asleep(getpid(), connecting_thread);
	CHECK_EQ(shutdown(client, SHUT_WR), 0);
	close(accept(listener, NULL, NULL));
	close(first);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	pthread_join(thread, &result);
	CHECK_EQ((long)result, 0);
	CHECK_EQ(ready(server), OVER);
	CHECK_EQ(read(server, (char[1]){ 0 }, 1), 0);
	end();
	close(listener);
}

static int connect_one_more(struct name n)
{
	int fd = make(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

	CHECK(connect(fd, &n.any, n.size) == -1 && errno == EINPROGRESS);
	if (connect(fd, &n.any, n.size) == 0) /* says what became of it */
		return fd;
	CHECK_EQ(errno, ECONNREFUSED);
	close(fd);
	return -1;
}

static int connections_until_refused(int backlog)
{
	int listener = make_listener(SOCK_STREAM, loopback(0), backlog), clients[401], n = 0;

	while (n < 400 && (clients[n] = connect_one_more(own_name(listener))) >= 0)
		n++;
	/* There is room again for each that is accepted. */
	server = accept(listener, NULL, NULL);
	clients[n] = n < 400 ? connect_one_more(own_name(listener)) : -1;
	CHECK(clients[n] >= 0);
	close(clients[n]);
	close(server);
	for (int i = 0; i < n; i++)
		close(clients[i]);
	close(listener);
	return n;
}

/* Here alone: a network would try again. */
static void a_backlog_is_as_long_as_was_asked_for(void)
{
	CHECK_EQ(connections_until_refused(300), 301);
	CHECK_EQ(connections_until_refused(1), 128);
	CHECK_EQ(connections_until_refused(0), 128);
}

int main(void)
{
	bool here = access("/proc/exo", F_OK) == 0;

	RUN(a_loss_is_told_after_what_came);
	RUN(a_loss_is_told_to_who_sends);
	RUN(a_loss_behind_the_end);
	RUN(a_close_is_found_out_by_sending);
	RUN(who_has_shut_is_reset_by_what_comes);
	RUN(a_shut_listener_listens_again);
	RUN(what_is_shut_before_it_listens);
	RUN(those_that_wait_are_accepted_when_it_is_shut);
	if (here) {
		RUN(who_waits_for_room_is_told);
		RUN(what_is_shut_while_it_connects_is_told);
		RUN(a_backlog_is_as_long_as_was_asked_for);
	}
	return test_result();
}
