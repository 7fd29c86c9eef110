/* SPDX-License-Identifier: MIT */
/* epoll: levels, edges, one shots, what an item is, epolls in epolls, errors.  All of it holds on Linux,
 * too. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

static struct epoll_event got[8];

static int change(int ep, int operation, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = 0x1234567800000000ul + (unsigned)fd };

	return epoll_ctl(ep, operation, fd, &e);
}

static int add(int ep, int fd, uint32_t events)
{
	return change(ep, EPOLL_CTL_ADD, fd, events);
}

/* What is ready now, of one descriptor: its events; 0: nothing is; -1: something else. */
static int ready(int ep, int fd)
{
	int n = epoll_wait(ep, got, 8, 0);

	if (n == 0)
		return 0;
	return n == 1 && got[0].data.u64 == 0x1234567800000000ul + (unsigned)fd ? (int)got[0].events : -1;
}

static void put(int fd)
{
	CHECK_EQ(write(fd, "abcdefgh", 8), 8);
}

static void take(int fd, int n)
{
	char bytes[64];

	CHECK_EQ(read(fd, bytes, n), n);
}

static void close_all(int a, int b, int c)
{
	CHECK(close(a) == 0 && close(b) == 0 && close(c) == 0);
}

/* ---------------------------------------------------------------- how it is told */

static void a_level_is_told_while_it_lasts(void)
{
	int ep = epoll_create1(0), end[2];

	CHECK(ep >= 0 && pipe(end) == 0);
	CHECK_EQ(add(ep, end[0], EPOLLIN), 0);
	CHECK_EQ(ready(ep, end[0]), 0);
	put(end[1]);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	take(end[0], 4);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	take(end[0], 4);
	CHECK_EQ(ready(ep, end[0]), 0);
	put(end[1]);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	close_all(ep, end[0], end[1]);
}

static void an_edge_is_told_once(void)
{
	int ep = epoll_create1(0), end[2];

	CHECK(ep >= 0 && pipe(end) == 0);
	put(end[1]);
	CHECK_EQ(add(ep, end[0], EPOLLIN | EPOLLET), 0);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	CHECK_EQ(ready(ep, end[0]), 0);
	/* What is left is no news, but what comes is. */
	take(end[0], 4);
	CHECK_EQ(ready(ep, end[0]), 0);
	put(end[1]);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	CHECK_EQ(ready(ep, end[0]), 0);
	CHECK_EQ(change(ep, EPOLL_CTL_MOD, end[0], EPOLLIN | EPOLLET), 0);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	put(end[1]);
	take(end[0], 20);
	CHECK_EQ(ready(ep, end[0]), 0);
	close(end[1]);
	CHECK_EQ(ready(ep, end[0]), EPOLLHUP);
	CHECK_EQ(ready(ep, end[0]), 0);
	close(ep);
	close(end[0]);
}

static void an_edge_is_of_what_is_wanted(void)
{
	int ep = epoll_create1(0), fd = eventfd(0, EFD_SEMAPHORE), end[2];
	uint64_t value = 5;

	CHECK(ep >= 0 && fd >= 0 && pipe(end) == 0);
	CHECK_EQ(add(ep, fd, EPOLLIN | EPOLLET), 0);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(ready(ep, fd), EPOLLIN);
	/* Four are left, but there are no more than before. */
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(ready(ep, fd), 0);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(ready(ep, fd), EPOLLIN);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), 0);
	/* Writes to a pipe are no news to its writers. */
	CHECK_EQ(add(ep, end[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET), 0);
	CHECK_EQ(ready(ep, end[1]), EPOLLOUT);
	put(end[1]);
	CHECK_EQ(ready(ep, end[1]), 0);
	close(end[0]);
	CHECK_EQ(ready(ep, end[1]), EPOLLOUT | EPOLLERR);
	close_all(ep, fd, end[1]);
}

static void room_is_told(void)
{
	static char block[4096];
	int ep = epoll_create1(0), end[2], all = 0;
	uint32_t kinds[2] = { EPOLLOUT, EPOLLOUT | EPOLLET };

	for (int kind = 0; kind < 2; kind++) {
		CHECK(ep >= 0 && pipe2(end, O_NONBLOCK) == 0);
		CHECK_EQ(add(ep, end[1], kinds[kind]), 0);
		CHECK_EQ(ready(ep, end[1]), EPOLLOUT);
		for (all = 0; write(end[1], block, sizeof(block)) > 0; all++)
			;
		CHECK(all > 1 && errno == EAGAIN);
		CHECK_EQ(ready(ep, end[1]), 0);
		for (; all > 0; all--)
			CHECK_EQ(read(end[0], block, sizeof(block)), sizeof(block));
		CHECK_EQ(ready(ep, end[1]), EPOLLOUT);
		CHECK_EQ(ready(ep, end[1]), kind == 0 ? EPOLLOUT : 0);
		close(end[0]);
		close(end[1]);
	}
	close(ep);
}

static void one_shot_is_told_once_until_it_is_armed(void)
{
	int ep = epoll_create1(0), end[2];

	CHECK(ep >= 0 && pipe(end) == 0);
	CHECK_EQ(add(ep, end[0], EPOLLIN | EPOLLONESHOT), 0);
	put(end[1]);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	put(end[1]);
	CHECK_EQ(ready(ep, end[0]), 0);
	CHECK_EQ(add(ep, end[0], EPOLLIN), -1);
	CHECK_EQ(errno, EEXIST);
	CHECK_EQ(change(ep, EPOLL_CTL_MOD, end[0], EPOLLIN | EPOLLONESHOT), 0);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	/* Not even the end is told while it is not armed. */
	close(end[1]);
	CHECK_EQ(ready(ep, end[0]), 0);
	CHECK_EQ(change(ep, EPOLL_CTL_MOD, end[0], EPOLLONESHOT), 0);
	CHECK_EQ(ready(ep, end[0]), EPOLLHUP);
	CHECK_EQ(ready(ep, end[0]), 0);
	close(ep);
	close(end[0]);
}

static void ends_are_told_unasked(void)
{
	int ep = epoll_create1(0), in[2], out[2];

	CHECK(ep >= 0 && pipe(in) == 0 && pipe(out) == 0);
	CHECK_EQ(add(ep, in[0], 0), 0);
	put(in[1]);
	CHECK_EQ(ready(ep, in[0]), 0);
	close(in[1]);
	CHECK_EQ(ready(ep, in[0]), EPOLLHUP);
	CHECK_EQ(change(ep, EPOLL_CTL_MOD, in[0], EPOLLIN | EPOLLRDHUP), 0);
	CHECK_EQ(ready(ep, in[0]), EPOLLIN | EPOLLHUP);
	close(in[0]);
	CHECK_EQ(add(ep, out[1], 0), 0);
	CHECK_EQ(ready(ep, out[1]), 0);
	close(out[0]);
	CHECK_EQ(ready(ep, out[1]), EPOLLERR);
	close(out[1]);
	close(ep);
}

static void each_has_its_turn(void)
{
	enum { FILES = 5 };
	int ep = epoll_create1(0), fd[FILES], seen[FILES] = { 0 };

	CHECK(ep >= 0);
	for (int i = 0; i < FILES; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		fd[i] = eventfd(1, 0);
		CHECK(fd[i] >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e) == 0);
	}
	for (int round = 0; round < FILES; round++) {
		CHECK_EQ(epoll_wait(ep, got, 2, 0), 2);
		CHECK(got[0].data.u32 != got[1].data.u32);
		seen[got[0].data.u32]++;
		seen[got[1].data.u32]++;
	}
	for (int i = 0; i < FILES; i++) {
		CHECK_EQ(seen[i], 2);
		close(fd[i]);
	}
	close(ep);
}

/* ---------------------------------------------------------------- what an item is */

static void an_item_is_a_file_and_a_descriptor(void)
{
	int ep = epoll_create1(0), end[2], again;

	CHECK(ep >= 0 && pipe(end) == 0);
	again = dup(end[0]);
	CHECK_EQ(add(ep, end[0], EPOLLIN), 0);
	CHECK_EQ(add(ep, again, EPOLLIN), 0);
	CHECK_EQ(add(ep, again, EPOLLIN), -1);
	CHECK_EQ(errno, EEXIST);
	put(end[1]);
	CHECK_EQ(epoll_wait(ep, got, 8, 0), 2);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL), 0);
	CHECK_EQ(ready(ep, again), EPOLLIN);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(add(ep, end[0], EPOLLIN), 0);
	/* The file is still open: its item is told, though nobody could name it. */
	close(end[0]);
	CHECK_EQ(epoll_wait(ep, got, 8, 0), 2);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL), -1);
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(dup2(again, end[0]), end[0]);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL), 0);
	CHECK_EQ(ready(ep, again), EPOLLIN);
	close(end[0]);
	close_all(ep, again, end[1]);
}

static void an_item_goes_with_its_file(void)
{
	int ep = epoll_create1(0), end[2], other[2], kept;

	CHECK(ep >= 0 && pipe(end) == 0 && pipe(other) == 0);
	put(end[1]);
	put(other[1]);
	CHECK_EQ(add(ep, end[0], EPOLLIN), 0);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	close(end[0]);
	CHECK_EQ(ready(ep, end[0]), 0);
	/* Another file under the same number is another item. */
	CHECK_EQ(dup2(other[0], end[0]), end[0]);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(add(ep, end[0], EPOLLIN), 0);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	kept = end[0];
	close(other[0]);
	CHECK_EQ(ready(ep, kept), EPOLLIN);
	close(kept);
	CHECK_EQ(ready(ep, kept), 0);
	close_all(ep, end[1], other[1]);
}

static void a_child_keeps_an_item(void)
{
	int ep = epoll_create1(0), end[2], go[2], status;
	char byte;

	CHECK(ep >= 0 && pipe(end) == 0 && pipe(go) == 0);
	CHECK_EQ(add(ep, end[0], EPOLLIN), 0);
	pid_t child = fork();

	if (child == 0) {
		close(go[1]);
		/* The same epoll: what the child adds is told to its parent. */
		CHECK_EQ(add(ep, go[0], EPOLLIN), 0);
		put(end[1]);
		CHECK_EQ(read(go[0], &byte, 1), 1);
		_exit(0);
	}
	close(end[0]);
	close(go[0]);
	CHECK_EQ(epoll_wait(ep, got, 8, -1), 1);
	CHECK_EQ((int)got[0].data.u64, end[0]);
	CHECK_EQ(write(go[1], "g", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	/* Both readers are gone. */
	CHECK_EQ(epoll_wait(ep, got, 8, 0), 0);
	close_all(ep, end[1], go[1]);
}

static void a_fifo_is_watched(void)
{
	int ep = epoll_create1(0), in, out;

	CHECK(ep >= 0 && mkfifo("/tmp/epoll-fifo", 0600) == 0);
	in = open("/tmp/epoll-fifo", O_RDONLY | O_NONBLOCK);
	CHECK(in >= 0 && add(ep, in, EPOLLIN | EPOLLET) == 0);
	CHECK_EQ(ready(ep, in), 0);
	out = open("/tmp/epoll-fifo", O_WRONLY);
	put(out);
	CHECK_EQ(ready(ep, in), EPOLLIN);
	close(out);
	CHECK_EQ(ready(ep, in), EPOLLIN | EPOLLHUP);
	unlink("/tmp/epoll-fifo");
	close(in);
	close(ep);
}

/* ---------------------------------------------------------------- an epoll as a file */

static void an_epoll_is_polled(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), end[2];
	struct pollfd p = { .fd = ep, .events = POLLIN | POLLOUT };
	struct timeval no_time = { 0, 0 };
	struct stat st;
	fd_set in;

	CHECK(ep >= 0 && pipe(end) == 0);
	CHECK_EQ(fcntl(ep, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fstat(ep, &st), 0);
	CHECK_EQ(add(ep, end[0], EPOLLIN), 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
	put(end[1]);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN);
	FD_ZERO(&in);
	FD_SET(ep, &in);
	CHECK_EQ(select(ep + 1, &in, NULL, NULL, &no_time), 1);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	CHECK_EQ(poll(&p, 1, 0), 1);
	/* It is not ready for what it was ready for once. */
	take(end[0], 8);
	CHECK_EQ(poll(&p, 1, 0), 0);
	put(end[1]);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK(read(ep, &st, 8) == -1 && errno == EINVAL);
	CHECK(write(ep, &st, 8) == -1 && errno == EINVAL);
	close_all(ep, end[0], end[1]);
}

static void an_epoll_has_a_name(void)
{
	int ep = epoll_create1(0);
	char path[64], name[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", ep);
	CHECK(readlink(path, name, sizeof(name) - 1) > 0);
	CHECK(strcmp(name, "anon_inode:[eventpoll]") == 0);
	close(ep);
}

static void an_epoll_is_watched(void)
{
	int inner = epoll_create1(0), outer = epoll_create1(0), end[2];

	CHECK(inner >= 0 && outer >= 0 && pipe(end) == 0);
	CHECK_EQ(add(outer, inner, EPOLLIN), 0);
	CHECK_EQ(add(inner, end[0], EPOLLIN), 0);
	CHECK_EQ(ready(outer, inner), 0);
	put(end[1]);
	CHECK_EQ(ready(outer, inner), EPOLLIN);
	CHECK_EQ(ready(inner, end[0]), EPOLLIN);
	CHECK_EQ(ready(outer, inner), EPOLLIN);
	take(end[0], 8);
	CHECK_EQ(ready(outer, inner), 0);
	CHECK_EQ(ready(inner, end[0]), 0);
	CHECK_EQ(change(outer, EPOLL_CTL_MOD, inner, EPOLLIN | EPOLLET), 0);
	CHECK_EQ(ready(outer, inner), 0);
	put(end[1]);
	CHECK_EQ(ready(outer, inner), EPOLLIN);
	CHECK_EQ(ready(outer, inner), 0);
	put(end[1]);
	CHECK_EQ(ready(outer, inner), EPOLLIN);
	/* The outer one forgets the inner one. */
	close(inner);
	CHECK_EQ(ready(outer, inner), 0);
	put(end[1]);
	CHECK_EQ(ready(outer, inner), 0);
	close_all(outer, end[0], end[1]);
}

static void epolls_form_no_circle_and_no_tower(void)
{
	enum { TOWER = 5 };
	int ep[TOWER + 1];

	for (int i = 0; i <= TOWER; i++)
		CHECK((ep[i] = epoll_create1(0)) >= 0);
	CHECK_EQ(add(ep[0], ep[0], EPOLLIN), -1);
	CHECK_EQ(errno, EINVAL);
	/* A circle, though no high one. */
	CHECK_EQ(add(ep[1], ep[0], EPOLLIN), 0);
	CHECK_EQ(add(ep[0], ep[1], EPOLLIN), -1);
	CHECK_EQ(errno, ELOOP);
	for (int i = 2; i < TOWER; i++)
		CHECK_EQ(add(ep[i], ep[i - 1], EPOLLIN), 0);
	CHECK_EQ(add(ep[0], ep[2], EPOLLIN), -1);
	CHECK_EQ(errno, ELOOP);
	CHECK_EQ(add(ep[TOWER], ep[TOWER - 1], EPOLLIN), -1);
	CHECK_EQ(errno, ELOOP);
	/* Nor from below. */
	CHECK_EQ(add(ep[0], ep[TOWER], EPOLLIN), -1);
	CHECK_EQ(errno, ELOOP);
	/* What was refused is not there, and what goes makes room. */
	CHECK_EQ(epoll_ctl(ep[1], EPOLL_CTL_DEL, ep[0], NULL), 0);
	CHECK_EQ(add(ep[TOWER], ep[TOWER - 1], EPOLLIN), 0);
	CHECK_EQ(add(ep[1], ep[0], EPOLLIN), -1);
	CHECK_EQ(errno, ELOOP);
	close(ep[2]);
	CHECK_EQ(add(ep[1], ep[0], EPOLLIN), 0);
	for (int i = 0; i <= TOWER; i++)
		if (i != 2)
			CHECK_EQ(close(ep[i]), 0);
}

static void a_tower_tells_its_top(void)
{
	enum { TOWER = 5 };
	int ep[TOWER], fd = eventfd(0, 0);
	uint64_t value = 1;

	for (int i = 0; i < TOWER; i++) {
		CHECK((ep[i] = epoll_create1(0)) >= 0);
		CHECK_EQ(add(ep[i], i ? ep[i - 1] : fd, EPOLLIN), 0);
	}
	CHECK_EQ(ready(ep[TOWER - 1], ep[TOWER - 2]), 0);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(ready(ep[TOWER - 1], ep[TOWER - 2]), EPOLLIN);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(ready(ep[TOWER - 1], ep[TOWER - 2]), 0);
	/* From the middle, which takes those below along only if nobody else has them. */
	for (int i = 0; i < TOWER; i++)
		CHECK_EQ(close(ep[(i + 2) % TOWER]), 0);
	close(fd);
}

/* Linux counts the ways up from a file, of which it bears more. */
static void an_epoll_is_in_few_others(void)
{
	enum { MOST = 8 };
	int inner = epoll_create1(0), ep[MOST + 1];

	if (access("/proc/exo", F_OK) != 0)
		return;
	for (int i = 0; i <= MOST; i++)
		CHECK((ep[i] = epoll_create1(0)) >= 0);
	for (int i = 0; i < MOST; i++)
		CHECK_EQ(add(ep[i], inner, EPOLLIN), 0);
	CHECK_EQ(add(ep[MOST], inner, EPOLLIN), -1);
	CHECK_EQ(errno, EINVAL);
	close(ep[0]);
	CHECK_EQ(add(ep[MOST], inner, EPOLLIN), 0);
	for (int i = 1; i <= MOST; i++)
		close(ep[i]);
	close(inner);
}

/* ---------------------------------------------------------------- errors */

static void wrong_descriptors_are_refused(void)
{
	int ep = epoll_create1(0), end[2], path = open("/dev/zero", O_PATH);

	CHECK(ep >= 0 && pipe(end) == 0 && path >= 0);
	CHECK(syscall(SYS_epoll_create, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_epoll_create, -1) == -1 && errno == EINVAL);
	CHECK(epoll_create1(O_NONBLOCK) == -1 && errno == EINVAL);
	CHECK(add(-1, end[0], EPOLLIN) == -1 && errno == EBADF);
	CHECK(add(ep, 999, EPOLLIN) == -1 && errno == EBADF);
	CHECK(add(ep, path, EPOLLIN) == -1 && errno == EBADF);
	CHECK(add(end[1], end[0], EPOLLIN) == -1 && errno == EINVAL);
	CHECK(change(ep, 0, end[0], EPOLLIN) == -1 && errno == EINVAL);
	CHECK(change(ep, 4, end[0], EPOLLIN) == -1 && errno == EINVAL);
	CHECK(change(ep, EPOLL_CTL_MOD, end[0], EPOLLIN) == -1 && errno == ENOENT);
	CHECK(change(ep, EPOLL_CTL_DEL, end[0], EPOLLIN) == -1 && errno == ENOENT);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, end[0], (void *)8) == -1 && errno == EFAULT);
	CHECK(epoll_ctl(-1, EPOLL_CTL_MOD, end[0], NULL) == -1 && errno == EFAULT);
	CHECK(epoll_wait(-1, got, 1, 0) == -1 && errno == EBADF);
	CHECK(epoll_wait(end[0], got, 1, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_epoll_wait, ep, got, 0, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_epoll_wait, ep, got, -1, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_epoll_wait, ep, got, 0x7fffffff, 0) == -1 && errno == EINVAL);
	/* Nothing is copied, nothing is wrong. */
	CHECK_EQ(syscall(SYS_epoll_wait, ep, 8, 1, 0), 0);
	close_all(ep, end[0], end[1]);
	close(path);
}

static void what_is_always_ready_is_refused(void)
{
	static const char *const names[] = { "/tmp", "/tmp/epoll-file", "/dev/null", "/dev/zero" };
	int ep = epoll_create1(0);

	CHECK(ep >= 0);
	close(open(names[1], O_CREAT | O_RDWR, 0600));
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDONLY);

		CHECK(fd >= 0);
		for (int operation = EPOLL_CTL_ADD; operation <= EPOLL_CTL_MOD; operation++)
			CHECK(change(ep, operation, fd, EPOLLIN) == -1 && errno == EPERM);
		close(fd);
	}
	unlink(names[1]);
	close(ep);
}

static void exclusive_is_only_for_new_items(void)
{
	int ep = epoll_create1(0), other = epoll_create1(0), end[2];

	CHECK(ep >= 0 && other >= 0 && pipe(end) == 0);
	CHECK(add(ep, end[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT) == -1 && errno == EINVAL);
	CHECK(add(ep, end[0], EPOLLPRI | EPOLLEXCLUSIVE) == -1 && errno == EINVAL);
	CHECK(add(ep, other, EPOLLIN | EPOLLEXCLUSIVE) == -1 && errno == EINVAL);
	CHECK_EQ(add(ep, end[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE), 0);
	CHECK(change(ep, EPOLL_CTL_MOD, end[0], EPOLLIN | EPOLLEXCLUSIVE) == -1 && errno == EINVAL);
	CHECK(change(ep, EPOLL_CTL_MOD, end[0], EPOLLIN) == -1 && errno == EINVAL);
	put(end[1]);
	CHECK_EQ(ready(ep, end[0]), EPOLLIN);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL), 0);
	close_all(ep, end[0], end[1]);
	close(other);
}

/* An event whose place turns out bad is told the next time. */
static void an_event_is_not_lost_to_a_bad_address(void)
{
	static const uint32_t kinds[] = { EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT };
	int ep = epoll_create1(0), end[2], other = eventfd(1, 0);
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct epoll_event *last = (struct epoll_event *)(pages + 4096) - 1;

	CHECK(ep >= 0 && pipe(end) == 0 && other >= 0 && pages != MAP_FAILED);
	CHECK_EQ(mprotect(pages + 4096, 4096, PROT_READ), 0);
	put(end[1]);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(add(ep, end[0], kinds[i]), 0);
		CHECK(epoll_wait(ep, (struct epoll_event *)(pages + 4096), 8, -1) == -1 && errno == EFAULT);
		CHECK_EQ(ready(ep, end[0]), EPOLLIN);
		CHECK_EQ(ready(ep, end[0]), i == 0 ? EPOLLIN : 0);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL), 0);
	}
	/* One of two has a place. */
	CHECK_EQ(add(ep, end[0], kinds[1]), 0);
	CHECK_EQ(add(ep, other, kinds[1]), 0);
	CHECK_EQ(epoll_wait(ep, last, 8, -1), 1);
	CHECK_EQ(ready(ep, (int)last->data.u64 == other ? end[0] : other), EPOLLIN);
	CHECK_EQ(epoll_wait(ep, got, 8, 0), 0);
	munmap(pages, 8192);
	close_all(ep, end[0], end[1]);
	close(other);
}

/* ---------------------------------------------------------------- time and signals */

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void a_time_out_takes_its_time(void)
{
	int ep = epoll_create1(0);
	struct timespec short_time = { 0, 20000000 }, bad = { 0, 1000000000 };
	long start = now_us();

	CHECK(ep >= 0);
	CHECK_EQ(epoll_wait(ep, got, 8, 20), 0);
	CHECK(now_us() - start >= 20000);
	start = now_us();
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, got, 8, &short_time, NULL, 0), 0);
	CHECK(now_us() - start >= 20000);
	CHECK(syscall(SYS_epoll_pwait2, ep, got, 8, &bad, NULL, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_epoll_pwait2, ep, got, 8, (void *)8, NULL, 0) == -1 && errno == EFAULT);
	close(ep);
}

static volatile sig_atomic_t handled;

static void handle(int number)
{
	handled++;
}

static void a_signal_ends_it(void)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	int ep = epoll_create1(0);

	handled = 0;
	CHECK(ep >= 0 && sigaction(SIGALRM, &action, NULL) == 0);
	ualarm(20000, 20000); /* again and again: the first may come before we wait */
	CHECK(epoll_wait(ep, got, 8, -1) == -1 && errno == EINTR);
	ualarm(0, 0);
	CHECK(handled > 0);
	close(ep);
}

static void a_blocked_signal_is_let_in(void)
{
	int ep = epoll_create1(0), fd = eventfd(1, 0);
	sigset_t none, block, now;

	handled = 0;
	CHECK(ep >= 0 && fd >= 0);
	signal(SIGUSR1, handle);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &block, NULL) == 0 && raise(SIGUSR1) == 0);
	CHECK(handled == 0);
	CHECK(epoll_pwait(ep, got, 8, -1, &none) == -1 && errno == EINTR);
	CHECK(handled == 1);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
	/* What is ready comes first; then the mask is as before. */
	CHECK_EQ(add(ep, fd, EPOLLIN), 0);
	CHECK_EQ(epoll_pwait(ep, got, 8, -1, &none), 1);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
	CHECK(syscall(SYS_epoll_pwait, ep, got, 8, 0, &none, 4) == -1 && errno == EINVAL);
	CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
	close(ep);
	close(fd);
}

/* /proc/sys/fs/epoll/max_user_watches: the user's items in all epolls that he has made; here
 * a file whose news is told by SIGIO counts as one, too. */
#define LIMIT "/proc/sys/fs/epoll/max_user_watches"

static bool set_limit(const char *to)
{
	int fd = open(LIMIT, O_WRONLY);
	bool done = fd >= 0 && write(fd, to, strlen(to)) == (ssize_t)strlen(to);
	int error = errno;

	close(fd);
	errno = error;
	return done;
}

static void read_limit(char *to, size_t size)
{
	int fd = open(LIMIT, O_RDONLY);
	ssize_t n = read(fd, to, size - 1);

	CHECK(n > 0);
	to[n] = 0;
	close(fd);
}

/* In a child: 0, or where it went wrong. */
static int with_three_items(void)
{
	int ep = epoll_create1(0), other = epoll_create1(0), fd[5];

	if (setuid(4711) != 0)
		return 1;
	int mine = epoll_create1(0), second = epoll_create1(0);

	for (int i = 0; i < 5; i++)
		fd[i] = eventfd(0, 0);
	if (add(mine, fd[0], EPOLLIN) || add(mine, fd[1], EPOLLIN) || add(second, fd[0], EPOLLIN))
		return 2;
	if (add(second, fd[1], EPOLLIN) != -1 || errno != ENOSPC)
		return 3;
	if (add(second, fd[0], EPOLLIN) != -1 || errno != EEXIST)
		return 4;
	/* Of an epoll that root has made the items are root's. */
	if (add(ep, fd[0], EPOLLIN) || add(other, fd[0], EPOLLIN))
		return 5;
	if (change(mine, EPOLL_CTL_MOD, fd[0], EPOLLOUT) || epoll_ctl(mine, EPOLL_CTL_DEL, fd[0], NULL))
		return 6;
	if (add(second, fd[1], EPOLLIN) || add(second, fd[2], EPOLLIN) != -1)
		return 7;
	close(fd[1]); /* two items */
	if (add(second, fd[2], EPOLLIN) || add(second, fd[3], EPOLLIN) || add(second, fd[4], EPOLLIN) != -1)
		return 8;
	close(second); /* all */
	if (add(mine, fd[2], EPOLLIN) || add(mine, fd[3], EPOLLIN) || fcntl(fd[4], F_SETFL, O_ASYNC))
		return 9;
	if (add(mine, fd[0], EPOLLIN) != -1 || fcntl(fd[0], F_SETFL, O_ASYNC) != -1 || errno != ENOSPC)
		return 10;
	close(fd[4]);
	return fcntl(fd[0], F_SETFL, O_ASYNC) ? 11 : 0;
}

static void a_user_has_so_many_items(void)
{
	static const char *const bad[] = { "-1\n", "x\n", "\n", "99999999999999999999\n" };
	char before[32], now[32];
	int status;

	read_limit(before, sizeof(before));
	CHECK(atol(before) > 100);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!set_limit(bad[i]) && errno == EINVAL);
	read_limit(now, sizeof(now));
	CHECK(strcmp(before, now) == 0);
	CHECK(set_limit("3\n"));
	read_limit(now, sizeof(now));
	pid_t child = fork();

	if (child == 0)
		_exit(with_three_items());
	waitpid(child, &status, 0);
	CHECK(set_limit(before));
	CHECK(strcmp(now, "3\n") == 0);
	CHECK_EQ(status, 0);
}

int main(void)
{
	RUN(a_level_is_told_while_it_lasts);
	RUN(an_edge_is_told_once);
	RUN(an_edge_is_of_what_is_wanted);
	RUN(room_is_told);
	RUN(one_shot_is_told_once_until_it_is_armed);
	RUN(ends_are_told_unasked);
	RUN(each_has_its_turn);
	RUN(an_item_is_a_file_and_a_descriptor);
	RUN(an_item_goes_with_its_file);
	RUN(a_child_keeps_an_item);
	RUN(a_fifo_is_watched);
	RUN(an_epoll_is_polled);
	RUN(an_epoll_has_a_name);
	RUN(an_epoll_is_watched);
	RUN(epolls_form_no_circle_and_no_tower);
	RUN(a_tower_tells_its_top);
	RUN(an_epoll_is_in_few_others);
	RUN(wrong_descriptors_are_refused);
	RUN(what_is_always_ready_is_refused);
	RUN(exclusive_is_only_for_new_items);
	RUN(an_event_is_not_lost_to_a_bad_address);
	RUN(a_time_out_takes_its_time);
	RUN(a_signal_ends_it);
	RUN(a_blocked_signal_is_let_in);
	RUN(a_user_has_so_many_items);
	return test_result();
}
