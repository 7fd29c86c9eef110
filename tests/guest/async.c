/* SPDX-License-Identifier: MIT */
/* O_ASYNC: news of files that is told by SIGIO, to whom it belongs.  All of it holds on Linux, too. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "socket_name.h"
#include "test.h"

#ifndef SIOCOUTQ
#define SIOCOUTQ TIOCOUTQ
#endif

static _Atomic int heard;

static void on_news(int number)
{
	heard++;
}

static void listen_for_news(void)
{
	struct sigaction action = { .sa_handler = on_news, .sa_flags = SA_RESTART };

	CHECK_EQ(sigaction(SIGIO, &action, NULL), 0);
}

static void tell_me(int fd)
{
	int on = 1;

	CHECK_EQ(ioctl(fd, FIOASYNC, &on), 0);
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
	CHECK_EQ(fcntl(fd, F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
}

/* It is told, sooner or later. */
static void is_told(int before)
{
	while (heard == before)
		sched_yield();
}

static void what_comes_is_told(void)
{
	int ends[2], before = heard;
	char c;

	listen_for_news();
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	tell_me(ends[0]);
	for (int n = 0; n < 10; n++) {
		before = heard;
		CHECK_EQ(write(ends[1], "x", 1), 1);
		is_told(before);
		CHECK_EQ(read(ends[0], &c, 1), 1);
	}
	before = heard;
	close(ends[1]); /* that is news as well */
	is_told(before);
	close(ends[0]);
}

static void pipes_tell_both_sides(void)
{
	int ends[2], before;
	static char page[4096];

	listen_for_news();
	CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
	tell_me(ends[0]);
	before = heard;
	CHECK_EQ(write(ends[1], "x", 1), 1);
	is_told(before);
	CHECK_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	CHECK(!(fcntl(ends[0], F_GETFL) & O_ASYNC));
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	CHECK_EQ(fcntl(ends[1], F_SETFL, O_NONBLOCK | O_ASYNC), 0);
	CHECK_EQ(fcntl(ends[1], F_SETOWN, getpid()), 0);
	before = heard;
	while (read(ends[0], page, sizeof(page)) > 0)
		;
	is_told(before);
	close(ends[0]);
	close(ends[1]);
}

static void who_connects_is_told(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0),
	    before = heard;

	listen_for_news();
	CHECK(bind(listener, (void *)&name, size) == 0 && listen(listener, 5) == 0);
	CHECK_EQ(getsockname(listener, (void *)&name, &size), 0);
	tell_me(listener);
	CHECK_EQ(connect(client, (void *)&name, size), 0);
	is_told(before);
	close(client);
	close(listener);
}

/* The owner is another process, or all of a group. */
static void its_owner_is_told(bool as_group)
{
	int ends[2], ready[2], status, on = 1;
	sigset_t set;
	pid_t child;
	char c;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(ready) == 0);
	child = fork();
	if (child == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGIO);
		CHECK(setpgid(0, 0) == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		CHECK_EQ(write(ready[1], "x", 1), 1);
		CHECK_EQ(sigwaitinfo(&set, NULL), SIGIO);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(fcntl(ends[0], F_SETOWN, as_group ? -child : child), 0);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), as_group ? -child : child);
	CHECK_EQ(ioctl(ends[0], FIOASYNC, &on), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1); /* to nobody */
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(ready[i]);
	}
}

static void another_process_is_told(void)
{
	its_owner_is_told(false);
}

static void a_group_is_told(void)
{
	its_owner_is_told(true);
}

static void owners_are_named(void)
{
	struct f_owner_ex owner = { F_OWNER_PGRP, getpgrp() }, wrong = { 7, 1 };
	int ends[2], who = 0, regular = open("/tmp/regular", O_RDWR | O_CREAT, 0600), on = 1;
	int ep = epoll_create1(0);
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	CHECK_EQ(waitpid(gone, NULL, 0), gone);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
	CHECK_EQ(fcntl(ends[0], F_SETOWN_EX, &owner), 0);
	owner.type = owner.pid = 0;
	CHECK_EQ(fcntl(ends[0], F_GETOWN_EX, &owner), 0);
	CHECK(owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
	CHECK(ioctl(ends[0], FIOGETOWN, &who) == 0 && who == -getpgrp());
	who = getpid();
	CHECK(ioctl(ends[0], FIOSETOWN, &who) == 0 && fcntl(ends[0], F_GETOWN) == getpid());
	CHECK(fcntl(ends[0], F_SETOWN, gone) == -1 && errno == ESRCH);
	CHECK(fcntl(ends[0], F_SETOWN, INT_MIN) == -1 && errno == EINVAL);
	CHECK(fcntl(ends[0], F_SETOWN_EX, &wrong) == -1 && errno == EINVAL);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
	CHECK(fcntl(ends[0], F_SETOWN, 0) == 0 && fcntl(ends[0], F_GETOWN) == 0);
	CHECK(ioctl(regular, FIOASYNC, &on) == -1 && errno == ENOTTY);
	CHECK(ioctl(ep, FIOASYNC, &on) == -1 && errno == ENOTTY);
	close(ep);
	CHECK_EQ(fcntl(regular, F_SETFL, O_ASYNC), 0);
	close(regular);
	unlink("/tmp/regular");
	close(ends[0]);
	close(ends[1]);
}

static void what_is_on_its_way_is_counted(void)
{
	int ends[2], bytes = -1;
	char c;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	CHECK(ioctl(ends[0], SIOCOUTQ, &bytes) == 0 && bytes == 0);
	CHECK_EQ(write(ends[0], "words", 5), 5);
	CHECK(ioctl(ends[0], SIOCOUTQ, &bytes) == 0 && bytes >= 5); /* Linux counts what it takes */
	CHECK(ioctl(ends[1], FIONREAD, &bytes) == 0 && bytes == 5);
	while (ioctl(ends[1], FIONREAD, &bytes) == 0 && bytes)
		CHECK_EQ(read(ends[1], &c, 1), 1);
	CHECK(ioctl(ends[0], SIOCOUTQ, &bytes) == 0 && bytes == 0);
	close(ends[0]);
	close(ends[1]);
}

/* Files that are closed as their news is told, on all CPUs. */
#define THREADS 4
#define ROUNDS 300

static _Atomic bool bad;

static void *come_and_go(void *unused)
{
	for (int n = 0; n < ROUNDS; n++) {
		int ends[2], on = 1;

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
		    fcntl(ends[0], F_SETOWN, getpid()) != 0 || ioctl(ends[0], FIOASYNC, &on) != 0 ||
		    write(ends[1], "x", 1) != 1)
			bad = true;
		close(ends[n % 2]);
		close(ends[!(n % 2)]);
	}
	return NULL;
}

static void files_come_and_go(void)
{
	pthread_t thread[THREADS];

	listen_for_news();
	for (int n = 0; n < THREADS; n++)
		CHECK_EQ(pthread_create(&thread[n], NULL, come_and_go, NULL), 0);
	for (int n = 0; n < THREADS; n++)
		CHECK_EQ(pthread_join(thread[n], NULL), 0);
	CHECK(!bad);
	what_comes_is_told();
}

/* More than are told at once: each of them is told. */
#define LISTENERS 40

static void many_are_told(void)
{
	sigset_t news, before;
	int ends[2], copy[LISTENERS], status;
	pid_t child[LISTENERS];
	char path[64];

	listen_for_news();
	sigemptyset(&news);
	sigaddset(&news, SIGIO);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &news, &before), 0);
	CHECK_EQ(pipe(ends), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	for (int n = 0; n < LISTENERS; n++) {
		child[n] = fork();
		if (child[n] == 0) {
			while (heard == 0)
				sigsuspend(&before);
			_exit(0);
		}
		copy[n] = open(path, O_RDONLY | O_NONBLOCK);
		CHECK(copy[n] >= 0 && fcntl(copy[n], F_SETOWN, child[n]) == 0);
		CHECK_EQ(fcntl(copy[n], F_SETFL, O_ASYNC | O_NONBLOCK), 0);
	}
	heard = 0;
	CHECK_EQ(write(ends[1], "x", 1), 1);
	for (int n = 0; n < LISTENERS; n++) {
		CHECK(waitpid(child[n], &status, 0) == child[n] && status == 0);
		close(copy[n]);
	}
	close(ends[0]);
	close(ends[1]);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	RUN(what_comes_is_told);
	RUN(pipes_tell_both_sides);
	RUN(who_connects_is_told);
	RUN(another_process_is_told);
	RUN(a_group_is_told);
	RUN(owners_are_named);
	RUN(what_is_on_its_way_is_counted);
	RUN(files_come_and_go);
	RUN(many_are_told);
	return test_result();
}
