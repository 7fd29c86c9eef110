/* SPDX-License-Identifier: MIT */
/* Waiting until a file can be read, in every way that there is; and a thread that sleeps so.  Wants
 * _GNU_SOURCE. */
#ifndef TESTS_GUEST_READY_WAYS_H
#define TESTS_GUEST_READY_WAYS_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "asleep.h"
#include "test.h"

enum ready_way { BY_READ, BY_POLL, BY_SELECT, BY_EPOLL, BY_EDGE, BY_NESTED, READY_WAYS };

static inline int epoll_of(int fd, uint32_t events)
{
	struct epoll_event e = { .events = events };
	int ep = epoll_create1(0);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0 ? ep : -1;
}

/* What there is to be waited for in this way: the file itself, or an epoll, which is to be closed. */
static inline int ready_begin(enum ready_way way, int fd)
{
	if (way == BY_EPOLL || way == BY_EDGE)
		return epoll_of(fd, EPOLLIN | (way == BY_EDGE ? EPOLLET : 0));
	return way == BY_NESTED ? epoll_of(epoll_of(fd, EPOLLIN), EPOLLIN) : fd;
}

/* true: it is ready; with BY_READ, who reads will see.  For at most so many ms, or without an end if
 * negative. */
static inline bool is_ready(enum ready_way way, int waited, int timeout_ms)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct pollfd p = { .fd = waited, .events = POLLIN };
	struct epoll_event e;
	fd_set set;

	switch (way) {
	case BY_READ:
		return true;
	case BY_POLL:
		return poll(&p, 1, timeout_ms) == 1 && p.revents == POLLIN;
	case BY_SELECT:
		FD_ZERO(&set);
		FD_SET(waited, &set);
		return select(waited + 1, &set, NULL, NULL, timeout_ms < 0 ? NULL : &limit) == 1;
	default:
		return epoll_wait(waited, &e, 1, timeout_ms) == 1 && e.events == EPOLLIN;
	}
}

/* A thread that waits so for a file, and reads it once. */
struct ready_sleeper {
	pthread_t thread;
	enum ready_way way;
	int fd, waited;
	_Atomic int id; /* of the thread, when it is there */
	bool woken;
	long done; /* what read() said */
	int error;
	char data[128];
};

static inline void *ready_sleep(void *argument)
{
	struct ready_sleeper *s = argument;

	s->id = (int)syscall(SYS_gettid);
	s->woken = is_ready(s->way, s->waited, -1);
	s->done = read(s->fd, s->data, sizeof(s->data));
	s->error = errno;
	return NULL;
}

static inline void ready_fall_asleep(struct ready_sleeper *s, enum ready_way way, int fd)
{
	*s = (struct ready_sleeper){ .way = way, .fd = fd, .waited = ready_begin(way, fd) };
	CHECK(s->waited >= 0);
	CHECK_EQ(pthread_create(&s->thread, NULL, ready_sleep, s), 0);
	while (!s->id)
		sched_yield();
	wait_asleep(getpid(), s->id);
}

/* It has been woken, and read so many bytes. */
static inline void ready_is_woken(struct ready_sleeper *s, long bytes)
{
	CHECK_EQ(pthread_join(s->thread, NULL), 0);
	CHECK(s->woken);
	CHECK_EQ(s->done, bytes);
	if (s->waited != s->fd)
		close(s->waited);
}

/* Where /proc says that the descriptor leads. */
static inline bool fd_is_named(int fd, const char *name)
{
	char path[32], there[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, there, sizeof(there) - 1) > 0 && strcmp(there, name) == 0;
}

#endif
