/* SPDX-License-Identifier: MIT */
/* poll, select and their relatives: readiness, time-outs, signals, many waiters. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "asleep.h"
#include "in_child.h"
#include "test.h"

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ready_files_are_told(void)
{
	struct pollfd p[2];
	int fds[2];

	CHECK(pipe(fds) == 0);
	p[0] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = fds[1], .events = POLLOUT };
	CHECK_EQ(poll(p, 2, 0), 1);
	CHECK_EQ(p[0].revents, 0);
	CHECK_EQ(p[1].revents, POLLOUT);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLIN);
	close(fds[1]);
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLIN | POLLHUP);
	close(fds[0]);
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLNVAL);
}

static void time_out_takes_its_time(void)
{
	long start = now_ms(), took;
	struct pollfd p;
	int fds[2];

	CHECK(pipe(fds) == 0);
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 50), 0);
	took = now_ms() - start;
	CHECK(took >= 49 && took < 30000);
	close(fds[0]);
	close(fds[1]);
}

static void *write_late(void *fd)
{
	usleep(20000);
	write(*(int *)fd, "l", 1);
	return NULL;
}

static void sleeper_is_woken_by_data(void)
{
	enum { PIPES = 20 };
	int fds[PIPES][2];
	struct pollfd p[PIPES];
	pthread_t thread;

	for (int n = 0; n < PIPES; n++) {
		CHECK(pipe(fds[n]) == 0);
		p[n] = (struct pollfd){ .fd = fds[n][0], .events = POLLIN };
	}
	CHECK(pthread_create(&thread, NULL, write_late, &fds[13][1]) == 0);
	CHECK_EQ(poll(p, PIPES, 5000), 1);
	CHECK_EQ(p[13].revents, POLLIN);
	pthread_join(thread, NULL);
	for (int n = 0; n < PIPES; n++) {
		close(fds[n][0]);
		close(fds[n][1]);
	}
}

static struct pollfd watched[2];
static _Atomic int watcher;

static void *watch(void *result)
{
	watcher = gettid();
	*(int *)result = poll(watched, 2, 5000);
	return NULL;
}

/* Of what the program has there only the result is written. */
static void what_is_asked_of_a_poller_meanwhile_stays(void)
{
	int wake[2], other[2], result = -1;
	pthread_t thread;

	CHECK(pipe(wake) == 0 && pipe(other) == 0);
	watched[0] = (struct pollfd){ .fd = wake[0], .events = POLLIN };
	watched[1] = (struct pollfd){ .fd = other[0], .revents = POLLPRI };
	CHECK(pthread_create(&thread, NULL, watch, &result) == 0);
	while (!watcher)
		sched_yield();
	wait_asleep(getpid(), watcher);
	watched[1].fd = other[1];
	watched[1].events = POLLOUT;
	CHECK_EQ(write(wake[1], "x", 1), 1);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_EQ(result, 1);
	CHECK(watched[0].revents == POLLIN && watched[1].revents == 0);
	CHECK(watched[1].fd == other[1] && watched[1].events == POLLOUT);
	for (int i = 0; i < 2; i++) {
		close(wake[i]);
		close(other[i]);
	}
}

static void a_poller_takes_no_wake_from_a_reader(void)
{
	int fds[2], go[2], status;
	char c;

	CHECK(pipe(fds) == 0 && pipe(go) == 0);
	if (fork() == 0) {
		struct pollfd p = { .fd = fds[0], .events = POLLIN };

		/* Looks, and never reads. */
		for (int n = 0; n < 50; n++)
			poll(&p, 1, 100);
		_exit(0);
	}
	if (fork() == 0) {
		for (int n = 0; n < 50; n++)
			if (read(fds[0], &c, 1) != 1 || write(go[1], "g", 1) != 1)
				_exit(1);
		_exit(0);
	}
	for (int n = 0; n < 50; n++) {
		CHECK_EQ(write(fds[1], "x", 1), 1);
		CHECK_EQ(read(go[0], &c, 1), 1);
	}
	close(fds[1]);
	while (wait(&status) > 0)
		CHECK_EQ(status, 0);
	close(fds[0]);
	close(go[0]);
	close(go[1]);
}

static void nothing(int number)
{
}

static void signal_ends_it(void)
{
	struct pollfd p;
	int fds[2];

	CHECK(pipe(fds) == 0);
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	signal(SIGALRM, nothing);
	ualarm(20000, 20000); /* again and again: the first may come before we wait */
	CHECK_EQ(poll(&p, 1, 30000), -1);
	CHECK_EQ(errno, EINTR);
	ualarm(0, 0);
	close(fds[0]);
	close(fds[1]);
}

static volatile sig_atomic_t handled;

static void note(int number)
{
	handled = 1;
}

static void raise_blocked(sigset_t *block)
{
	handled = 0;
	signal(SIGUSR1, note);
	sigemptyset(block);
	sigaddset(block, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, block, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
}

static void ppoll_lets_a_blocked_signal_in(void)
{
	struct timespec limit = { 5, 0 };
	sigset_t block, none, now;

	raise_blocked(&block);
	sigemptyset(&none);
	CHECK_EQ(handled, 0);
	CHECK_EQ(ppoll(NULL, 0, &limit, &none), -1);
	CHECK_EQ(errno, EINTR);
	CHECK_EQ(handled, 1);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	CHECK(sigismember(&now, SIGUSR1) == 1);
	CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
}

static void pselect_lets_a_blocked_signal_in(void)
{
	struct timespec limit = { 5, 0 }, no_time = { 0, 0 };
	sigset_t block, none, now;

	raise_blocked(&block);
	sigemptyset(&none);
	CHECK_EQ(pselect(0, NULL, NULL, NULL, &no_time, NULL), 0);
	CHECK_EQ(handled, 0);
	CHECK_EQ(pselect(0, NULL, NULL, NULL, &limit, &none), -1);
	CHECK(errno == EINTR && handled == 1);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
	/* With nothing pending the mask comes back as well. */
	CHECK_EQ(pselect(0, NULL, NULL, NULL, &no_time, &none), 0);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
	CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
}

static void select_tells_sets_and_time(void)
{
	struct timeval limit = { 5, 0 };
	fd_set in, out;
	int fds[2];

	CHECK(pipe(fds) == 0);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fds[0], &in);
	FD_SET(fds[1], &out);
	CHECK_EQ(select(fds[1] + 1, &in, &out, NULL, &limit), 1);
	CHECK(!FD_ISSET(fds[0], &in) && FD_ISSET(fds[1], &out));
	CHECK(limit.tv_sec <= 5);
	FD_SET(fds[0], &in);
	limit = (struct timeval){ 0, 20000 };
	CHECK_EQ(select(fds[0] + 1, &in, NULL, NULL, &limit), 0);
	CHECK(!FD_ISSET(fds[0], &in));
	FD_SET(60, &in);
	CHECK_EQ(select(61, &in, NULL, NULL, &limit), -1);
	CHECK_EQ(errno, EBADF);
	close(fds[0]);
	close(fds[1]);
}

/* What the table of descriptors has no room for is not looked at, however large the limit: sets may be
 * small. */
static void select_looks_no_further_than_the_table(void)
{
	struct {
		fd_set out;
		unsigned char behind[512];
	} small;
	struct rlimit old, many = { 4096, 4096 };
	int fds[2], found, changed = 0;

	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	many.rlim_max = old.rlim_max > many.rlim_max ? old.rlim_max : many.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &many) == 0);
	CHECK(pipe(fds) == 0);
	memset(&small, 0x5a, sizeof(small));
	FD_ZERO(&small.out);
	FD_SET(fds[1], &small.out);
	found = select(4096, NULL, &small.out, NULL, NULL);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK_EQ(found, 1);
	CHECK(FD_ISSET(fds[1], &small.out));
	for (unsigned i = 0; i < sizeof(small.behind); i++)
		changed += small.behind[i] != 0x5a;
	CHECK_EQ(changed, 0);
	close(fds[0]);
	close(fds[1]);
}

static void event_counter_adds_up(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t value = 4;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 7);
	CHECK(read(fd, &value, 8) == -1 && errno == EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 0);
	close(fd);
}

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#define LATE_TIMEOUT_MS 20

/* A poller and who writes for it, on one CPU. */
struct late_write {
	int to;
	pid_t poller;
	long start_us;   /* the poller's time begins after this */
	long written_us; /* it was written before this */
};

/* When the poller's time is nearly over, and then keeps the CPU until it is. */
static void *write_at_last(void *argument)
{
	struct late_write *w = argument;
	long end_us = w->start_us + LATE_TIMEOUT_MS * 1000;

	wait_asleep(getpid(), w->poller);
	while (now_us() < end_us - 300)
		;
	write(w->to, "l", 1);
	w->written_us = now_us();
	while (now_us() < end_us + 500)
		;
	return NULL;
}

/* Who is woken in time, and has the CPU when that is over, is told all the same. */
static void what_came_in_time_is_told(void)
{
	cpu_set_t before, one;

	CHECK(sched_getaffinity(0, sizeof(before), &before) == 0);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	for (int round = 0; round < 30; round++) {
		struct late_write w = { .poller = gettid() };
		pthread_t writer;
		struct pollfd p;
		int fds[2], ready;

		CHECK(pipe(fds) == 0);
		w.to = fds[1];
		w.start_us = now_us();
		CHECK(pthread_create(&writer, NULL, write_at_last, &w) == 0);
		p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
		ready = poll(&p, 1, LATE_TIMEOUT_MS);
		CHECK(pthread_join(writer, NULL) == 0);
		CHECK(ready == 1 || w.written_us >= w.start_us + LATE_TIMEOUT_MS * 1000);
		close(fds[0]);
		close(fds[1]);
	}
	CHECK(sched_setaffinity(0, sizeof(before), &before) == 0);
}

/* ---- limits */

/* What one user may wait for at once is limited here, but not on Linux, as who wakes a file's pollers looks
 * at all their entries: so many threads of one user, each of which names as many files as it may, but one. */
#define NAMED 4096
#define WAITING 64

static int counter;
static _Atomic int refused, woken;

static void *wait_for_many(void *unused)
{
	struct pollfd *own = malloc(NAMED * sizeof(*own));

	if (!own)
		return NULL;
	for (int i = 0; i < NAMED; i++)
		own[i] = (struct pollfd){ counter, POLLIN, 0 };
	if (poll(own, NAMED, -1) > 0)
		woken++;
	else if (errno == ENOMEM)
		refused++;
	free(own);
	return NULL;
}

static int as_one_user(void)
{
	struct rlimit files = { NAMED, NAMED };
	pthread_t thread[WAITING + 1];

	if (setrlimit(RLIMIT_NOFILE, &files) != 0 || setuid(1000) != 0)
		return 1;
	counter = eventfd(0, 0);
	for (int i = 0; i <= WAITING; i++)
		if (pthread_create(&thread[i], NULL, wait_for_many, NULL) != 0)
			return 2;
	while (!refused)
		sched_yield();
	if (eventfd_write(counter, 1) != 0)
		return 3;
	for (int i = 0; i <= WAITING; i++)
		pthread_join(thread[i], NULL);
	return refused != 1 || woken != WAITING ? 4 : 0;
}

static void one_users_polls_are_limited(void)
{
	CHECK_EQ(in_child(as_one_user), 0);
}

int main(void)
{
	RUN(ready_files_are_told);
	RUN(time_out_takes_its_time);
	RUN(sleeper_is_woken_by_data);
	RUN(what_came_in_time_is_told);
	RUN(what_is_asked_of_a_poller_meanwhile_stays);
	RUN(a_poller_takes_no_wake_from_a_reader);
	RUN(signal_ends_it);
	RUN(ppoll_lets_a_blocked_signal_in);
	RUN(pselect_lets_a_blocked_signal_in);
	RUN(select_tells_sets_and_time);
	RUN(select_looks_no_further_than_the_table);
	RUN(event_counter_adds_up);
	RUN(one_users_polls_are_limited);
	return test_result();
}
