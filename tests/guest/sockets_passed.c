/* SPDX-License-Identifier: MIT */
/*
 * Sockets that are passed in messages of other sockets (SCM_RIGHTS).  What may be passed is narrower
 * here than on Linux, which searches for circles: those cases are left out there.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "fails.h"
#include "test.h"

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int pass(int to, int fd)
{
	union control control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
					      .cmsg_level = SOL_SOCKET,
					      .cmsg_type = SCM_RIGHTS } };
	struct iovec byte = { "x", 1 };
	struct msghdr m = { .msg_iov = &byte,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return (int)sendmsg(to, &m, 0);
}

static int take_flags(int from, int flags)
{
	union control control;
	char c;
	struct iovec byte = { &c, 1 };
	struct msghdr m = { .msg_iov = &byte,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(from, &m, flags) == 1 && m.msg_controllen)
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

static int take(int from)
{
	return take_flags(from, 0);
}

static void make(int ends[2])
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void end(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void says(int from, int to)
{
	char c = 0;

	CHECK_EQ(write(from, "s", 1), 1);
	CHECK_EQ(read(to, &c, 1), 1);
	CHECK_EQ(c, 's');
}

static bool is_over(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static struct sockaddr_un name = { .sun_family = AF_UNIX };
static socklen_t name_size;

static int make_listener(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	name_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				(size_t)snprintf(name.sun_path + 1, 64, "sockets_passed %d",
						 test_process));
	CHECK_EQ(bind(fd, (void *)&name, name_size), 0);
	CHECK_EQ(listen(fd, 5), 0);
	return fd;
}

static int make_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(connect(fd, (void *)&name, name_size), 0);
	return fd;
}

static void an_end_is_passed(void)
{
	int carrier[2], passed[2], got;

	make(carrier);
	make(passed);
	CHECK_EQ(pass(carrier[0], passed[0]), 1);
	close(passed[0]);
	CHECK(!is_over(passed[1]));
	got = take_flags(carrier[1], MSG_PEEK); /* another one of the same */
	says(got, passed[1]);
	close(got);
	got = take(carrier[1]);
	says(got, passed[1]);
	says(passed[1], got);
	/* And again, and back. */
	CHECK_EQ(pass(carrier[1], got), 1);
	close(got);
	got = take(carrier[0]);
	says(passed[1], got);
	close(got);
	CHECK(is_over(passed[1]));
	close(passed[1]);
	end(carrier);
}

/* As a server does that leaves its connections to others. */
static void what_was_accepted_is_passed(void)
{
	int listener = make_listener(), carrier[2], client, server, status;
	pid_t child;

	make(carrier);
	child = fork();
	if (child == 0) {
		close(listener);
		close(carrier[0]);
		for (int i = 0; i < 20; i++) {
			server = take(carrier[1]);
			if (write(server, &i, sizeof(i)) != sizeof(i))
				_exit(1);
			close(server);
		}
		_exit(0);
	}
	for (int i = 0; i < 20; i++) {
		int got = -1;

		client = make_client();
		server = accept(listener, NULL, NULL);
		CHECK_EQ(pass(carrier[0], server), 1);
		close(server);
		CHECK_EQ(read(client, &got, sizeof(got)), sizeof(got));
		CHECK_EQ(got, i);
		CHECK_EQ(read(client, &got, 1), 0);
		close(client);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	end(carrier);
	close(listener);
}

static void a_listener_is_passed(void)
{
	int listener = make_listener(), carrier[2], client = make_client(), server;

	make(carrier);
	CHECK_EQ(pass(carrier[0], listener), 1);
	close(listener);
	listener = take(carrier[1]);
	server = accept(listener, NULL, NULL);
	says(client, server);
	close(client);
	close(server);
	/* On its way it is found, and ends with those that nobody accepts. */
	CHECK_EQ(pass(carrier[0], listener), 1);
	close(listener);
	client = make_client();
	end(carrier);
	errno = 0;
	CHECK(recv(client, &(char){ 0 }, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
	close(client);
}

/* One that nobody has accepted yet carries as well. */
static void who_is_not_accepted_passes(void)
{
	int listener = make_listener(), client = make_client(), passed[2], server, got;

	make(passed);
	CHECK_EQ(pass(client, passed[0]), 1);
	close(passed[0]);
	server = accept(listener, NULL, NULL);
	got = take(server);
	says(got, passed[1]);
	close(got);
	close(server);
	close(client);
	client = make_client();
	CHECK_EQ(pass(client, passed[1]), 1);
	close(client);
	close(listener);
	end(passed);
}

static void what_nobody_can_receive_ends(void)
{
	int carrier[2], passed[2];

	make(carrier);
	make(passed);
	CHECK_EQ(pass(carrier[0], passed[0]), 1);
	close(passed[0]);
	close(carrier[0]);
	CHECK(!is_over(passed[1]));
	close(carrier[1]);
	CHECK(is_over(passed[1]));
	close(passed[1]);
}

/* ---------------------------------------------------------------- what could hold itself */

static void nothing_holds_itself(void)
{
	int first[2], second[2], third[2];

	make(first);
	make(second);
	make(third);
	FAILS(pass(first[0], first[0]), ETOOMANYREFS);
	FAILS(pass(first[0], first[1]), ETOOMANYREFS);
	CHECK_EQ(pass(first[0], second[0]), 1);
	/* It is on its way: it carries none until it has come, and who carries is not passed. */
	FAILS(pass(second[0], first[0]), ETOOMANYREFS);
	FAILS(pass(second[1], third[0]), ETOOMANYREFS);
	FAILS(pass(third[0], first[1]), ETOOMANYREFS);
	CHECK_EQ(pass(third[0], second[1]), 1);
	close(take(first[1]));
	FAILS(pass(second[0], third[1]), ETOOMANYREFS);
	close(take(third[1]));
	CHECK_EQ(pass(second[0], third[1]), 1);
	/* All else is passed by them all the time. */
	CHECK_EQ(pass(third[0], 1), 1);
	end(first);
	end(second);
	end(third);
}

static void a_listener_does_not_hold_itself(void)
{
	int listener = make_listener(), client = make_client(), carrier[2], other[2], server;

	make(carrier);
	make(other);
	FAILS(pass(client, listener), ETOOMANYREFS);
	CHECK_EQ(pass(client, carrier[0]), 1);
	/* It holds what waits in its backlog, with what that carries, and is passed all the same. */
	CHECK_EQ(pass(other[0], listener), 1);
	close(take(other[1]));
	server = accept(listener, NULL, NULL);
	/* Nothing waits for it any more that it could hold. */
	CHECK_EQ(pass(client, listener), 1);
	close(take(server));
	close(take(server));
	close(client);
	close(server);
	CHECK_EQ(pass(other[0], listener), 1);
	client = make_client();
	FAILS(pass(client, carrier[0]), ETOOMANYREFS);
	close(take(other[1]));
	CHECK_EQ(pass(client, carrier[0]), 1);
	close(client);
	close(listener);
	end(carrier);
	end(other);
}

/* One that is passed holds what waits in its backlog, with what that carries. */
static void the_end_of_one_is_the_end_of_all(void)
{
	int listener = make_listener(), client = make_client(), carrier[2], passed[2], other[2];

	make(carrier);
	make(passed);
	make(other);
	CHECK_EQ(pass(client, passed[0]), 1);
	close(passed[0]);
	CHECK_EQ(pass(carrier[0], listener), 1);
	close(listener);
	/* What comes now carries nothing, nor does who carries go anywhere. */
	FAILS(pass(client, other[0]), ETOOMANYREFS);
	FAILS(pass(other[0], carrier[0]), ETOOMANYREFS);
	close(carrier[0]);
	CHECK(!is_over(passed[1]));
	close(carrier[1]);
	CHECK(is_over(passed[1]));
	FAILS(recv(client, (char[1]){ 0 }, 1, 0), ECONNRESET); /* with what it had sent */
	close(passed[1]);
	close(client);
	end(other);
}

/* ---------------------------------------------------------------- many at once */

enum { PAIRS = 3, ROUNDS = 3000 };

static int crowd[PAIRS][2];
static _Atomic long passed_on;

static void *pass_among(void *seed)
{
	unsigned state = (unsigned)(long)seed;

	for (int i = 0; i < ROUNDS; i++) {
		int fd;

		state = state * 1103515245 + 12345;
		if (pass(crowd[state >> 16 & 1][0],
			 crowd[(state >> 17) % PAIRS][state >> 20 & 1]) == 1)
			passed_on++;
		fd = take_flags(crowd[state >> 21 & 1][1], MSG_DONTWAIT);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

/* Whatever was allowed among them, in the end nothing is left of them. */
static void whoever_passes_what_all_of_it_ends(void)
{
	int witness[PAIRS];
	pthread_t threads[4];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < PAIRS; i++) {
		make(crowd[i]);
		witness[i] = dup(crowd[i][0]);
	}
	passed_on = 0;
	for (long i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, pass_among, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(passed_on > ROUNDS / 10);
	for (int i = 0; i < PAIRS; i++)
		end(crowd[i]);
	/* The other end of each has gone, also if it lay in a queue: those are emptied. */
	for (int i = 0; i < PAIRS; i++) {
		int fd;

		while ((fd = take_flags(witness[i], MSG_DONTWAIT)) >= 0)
			close(fd);
	}
	for (int i = 0; i < PAIRS; i++) {
		char rest[64];

		while (recv(witness[i], rest, sizeof(rest), MSG_DONTWAIT) > 0)
			;
		CHECK(is_over(witness[i]));
		close(witness[i]);
	}
}

int main(void)
{
	bool here = access("/proc/exo", F_OK) == 0;

	RUN(an_end_is_passed);
	RUN(what_was_accepted_is_passed);
	RUN(a_listener_is_passed);
	RUN(who_is_not_accepted_passes);
	RUN(what_nobody_can_receive_ends);
	if (here) {
		RUN(nothing_holds_itself);
		RUN(a_listener_does_not_hold_itself);
		RUN(the_end_of_one_is_the_end_of_all);
		RUN(whoever_passes_what_all_of_it_ends);
	}
	return test_result();
}
