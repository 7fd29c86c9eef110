/* SPDX-License-Identifier: MIT */
/* epoll with several threads: who sleeps is woken, each event is told, and nothing is told of what has
 * gone.  All of it holds on Linux, too. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "asleep.h"
#include "test.h"

#define STOP 0xffffu
#define THREADS 3

static int change(int ep, int operation, int fd, uint32_t events, uint32_t number)
{
	struct epoll_event e = { .events = events, .data.u32 = number };

	return epoll_ctl(ep, operation, fd, &e);
}

static int add(int ep, int fd, uint32_t events, uint32_t number)
{
	return change(ep, EPOLL_CTL_ADD, fd, events, number);
}

static bool count_up(int fd)
{
	uint64_t one = 1;

	return write(fd, &one, sizeof(one)) == sizeof(one);
}

/* ---------------------------------------------------------------- sleepers */

struct sleeper {
	pthread_t thread;
	int ep;
	_Atomic int id;       /* of the thread, when it is there */
	_Atomic int received; /* what epoll_wait has said */
	struct epoll_event event;
	bool polls; /* by poll() */
};

static void *sleep_in_wait(void *argument)
{
	struct sleeper *s = argument;
	struct pollfd p = { .fd = s->ep, .events = POLLIN };

	s->id = (int)syscall(SYS_gettid);
	s->received = s->polls ? poll(&p, 1, -1) : epoll_wait(s->ep, &s->event, 1, -1);
	return NULL;
}

static void fall_asleep(struct sleeper *s, int ep, bool polls)
{
	*s = (struct sleeper){ .ep = ep, .polls = polls };
	CHECK_EQ(pthread_create(&s->thread, NULL, sleep_in_wait, s), 0);
	while (!s->id)
		sched_yield();
	wait_asleep(getpid(), s->id);
}

static void is_woken(struct sleeper *s, uint32_t number)
{
	CHECK_EQ(pthread_join(s->thread, NULL), 0);
	CHECK_EQ(s->received, 1);
	CHECK(s->polls || s->event.data.u32 == number);
}

static void by_what_comes(int ep, int fd)
{
	CHECK_EQ(add(ep, fd, EPOLLIN | EPOLLONESHOT, 1), 0);
	CHECK(count_up(fd));
}

static void by_a_file_that_is_added(int ep, int fd)
{
	CHECK(count_up(fd));
	CHECK_EQ(add(ep, fd, EPOLLIN | EPOLLET, 1), 0);
}

static void by_a_file_that_is_armed(int ep, int fd)
{
	CHECK_EQ(add(ep, fd, EPOLLPRI, 1), 0);
	CHECK(count_up(fd));
	CHECK_EQ(change(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 1), 0);
}

static void in_each_way(void (*happen)(int ep, int fd))
{
	for (int round = 0; round < 4; round++) {
		int ep = epoll_create1(0), outer = epoll_create1(0), fd = eventfd(0, 0);
		bool nested = round & 1, polls = round & 2;
		struct sleeper s;

		CHECK(ep >= 0 && outer >= 0 && fd >= 0);
		CHECK_EQ(add(outer, ep, EPOLLIN, 1), 0);
		fall_asleep(&s, nested ? outer : ep, polls);
		happen(ep, fd);
		is_woken(&s, 1);
		close(ep);
		close(outer);
		close(fd);
	}
}

static void a_sleeper_is_woken_by_what_comes(void)
{
	in_each_way(by_what_comes);
}

static void a_sleeper_is_woken_by_a_file_that_is_added(void)
{
	in_each_way(by_a_file_that_is_added);
}

static void a_sleeper_is_woken_by_a_file_that_is_armed(void)
{
	in_each_way(by_a_file_that_is_armed);
}

/* Two events, two sleepers. */
static void each_event_wakes_one(void)
{
	int ep = epoll_create1(0), fd[2] = { eventfd(0, 0), eventfd(0, 0) };
	struct sleeper s[2];

	CHECK(ep >= 0 && fd[0] >= 0 && fd[1] >= 0);
	for (uint32_t i = 0; i < 2; i++)
		CHECK_EQ(add(ep, fd[i], EPOLLIN | EPOLLET, i), 0);
	for (int i = 0; i < 2; i++)
		fall_asleep(&s[i], ep, false);
	CHECK(count_up(fd[0]) && count_up(fd[1]));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(s[i].thread, NULL), 0);
	CHECK(s[0].event.data.u32 != s[1].event.data.u32);
	close(ep);
	close(fd[0]);
	close(fd[1]);
}

static void exclusive_wakes_one(void)
{
	int fd = eventfd(0, 0), ep[2];
	struct sleeper s[2];

	CHECK(fd >= 0);
	for (int i = 0; i < 2; i++) {
		CHECK((ep[i] = epoll_create1(0)) >= 0);
		CHECK_EQ(add(ep[i], fd, EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
		fall_asleep(&s[i], ep[i], false);
	}
	CHECK(count_up(fd));
	while (!s[0].received && !s[1].received)
		sched_yield();
	/* The other one sleeps on. */
	int woken = s[0].received ? 0 : 1;

	wait_asleep(getpid(), s[!woken].id);
	CHECK_EQ(s[!woken].received, 0);
	is_woken(&s[woken], 1);
	/* And is not left out again. */
	CHECK(count_up(fd));
	is_woken(&s[!woken], 1);
	close(fd);
	close(ep[0]);
	close(ep[1]);
}

/* ---------------------------------------------------------------- who takes what */

enum { FILES = 4, EVENTS = 3000 };

static int crew_ep, crew_fd[FILES];
static uint32_t crew_events;
static _Atomic bool crew_busy[FILES];
static _Atomic uint64_t crew_sum, crew_wrong;

/* Until it is told to stop: whatever its files have counted. */
static void *take_counts(void *argument)
{
	struct epoll_event e;
	uint64_t value;

	while (epoll_wait(crew_ep, &e, 1, -1) == 1 && e.data.u32 != STOP) {
		uint32_t n = e.data.u32;

		if (atomic_exchange(&crew_busy[n], true) && crew_events & EPOLLONESHOT)
			crew_wrong++;
		if (read(crew_fd[n], &value, sizeof(value)) == sizeof(value))
			crew_sum += value;
		crew_busy[n] = false;
		if (crew_events & EPOLLONESHOT &&
		    change(crew_ep, EPOLL_CTL_MOD, crew_fd[n], crew_events, n) != 0)
			crew_wrong++;
	}
	return NULL;
}

/* All that is counted arrives, though some of it while its file's item is on its way. */
static void a_crew_takes_all(uint32_t events)
{
	pthread_t thread[THREADS];
	int stop = eventfd(0, 0);

	crew_events = events;
	crew_sum = crew_wrong = 0;
	CHECK((crew_ep = epoll_create1(0)) >= 0 && stop >= 0);
	CHECK_EQ(add(crew_ep, stop, EPOLLIN, STOP), 0);
	for (uint32_t n = 0; n < FILES; n++) {
		CHECK((crew_fd[n] = eventfd(0, EFD_NONBLOCK)) >= 0);
		CHECK_EQ(add(crew_ep, crew_fd[n], events, n), 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, take_counts, NULL), 0);
	for (uint64_t i = 0; i < EVENTS; i++) {
		CHECK(count_up(crew_fd[i % FILES]));
		/* Now and then until it is quiet: then the next one must wake somebody. */
		while (i % 64 == 63 && crew_sum <= i)
			sched_yield();
	}
	while (crew_sum < EVENTS)
		sched_yield();
	CHECK(count_up(stop));
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_EQ(crew_sum, EVENTS);
	CHECK_EQ(crew_wrong, 0);
	for (int n = 0; n < FILES; n++)
		close(crew_fd[n]);
	close(crew_ep);
	close(stop);
}

static void levels_are_told_to_all(void)
{
	a_crew_takes_all(EPOLLIN);
}

static void no_edge_is_lost(void)
{
	a_crew_takes_all(EPOLLIN | EPOLLET);
}

static void one_shot_is_for_one(void)
{
	a_crew_takes_all(EPOLLIN | EPOLLONESHOT);
}

/* ---------------------------------------------------------------- coming and going */

enum { ROUNDS = 1500 };

static int fair_ep[2]; /* the second watches the first */
static _Atomic bool fair_over;
static _Atomic unsigned fair_wrong;

static void *watch_the_fair(void *argument)
{
	struct epoll_event e[4];
	struct pollfd p = { .fd = fair_ep[0], .events = POLLIN };

	while (!fair_over)
		for (int i = 0; i < 2; i++)
			if (epoll_wait(fair_ep[i], e, 4, 0) < 0 || poll(&p, 1, 0) < 0)
				fair_wrong++;
	return NULL;
}

/* And waits a little if nothing is ready: whom it asks before it sleeps it may be the last to have, and
 * closes. */
static void *wait_at_the_fair(void *argument)
{
	struct pollfd p = { .fd = fair_ep[1], .events = POLLIN };

	while (!fair_over)
		if (poll(&p, 1, 1) < 0)
			fair_wrong++;
	return NULL;
}

/* A pipe comes, is written to and goes, in a way that its round says; its last reference may be who asks
 * it. */
static void one_visit(int round)
{
	uint32_t events = EPOLLIN | (round & 1 ? EPOLLET : 0) | (round & 2 ? EPOLLONESHOT : 0);
	int end[2], ep = epoll_create1(0);

	if (ep < 0 || pipe(end) != 0 || add(fair_ep[0], end[0], events, 1) || add(ep, end[0], events, 1) ||
	    add(fair_ep[1], ep, events & ~EPOLLONESHOT, 2) || write(end[1], "v", 1) != 1)
		fair_wrong++;
	if (round & 4 && change(fair_ep[0], EPOLL_CTL_MOD, end[0], events, 1))
		fair_wrong++;
	if (round & 8 && epoll_ctl(fair_ep[0], EPOLL_CTL_DEL, end[0], NULL))
		fair_wrong++;
	if (round & 16)
		close(ep);
	close(end[0]);
	close(end[1]);
	if (!(round & 16))
		close(ep);
}

static void *visit(void *argument)
{
	for (int round = 0; round < ROUNDS; round++)
		one_visit(round + *(int *)argument);
	return NULL;
}

static void files_come_and_go_while_others_look(void)
{
	pthread_t watcher, waiter, visitor[2];
	int first[2] = { 0, 5 };
	struct epoll_event e;

	fair_over = false;
	fair_wrong = 0;
	for (int i = 0; i < 2; i++)
		CHECK((fair_ep[i] = epoll_create1(0)) >= 0);
	CHECK_EQ(add(fair_ep[1], fair_ep[0], EPOLLIN, 3), 0);
	CHECK_EQ(pthread_create(&watcher, NULL, watch_the_fair, NULL), 0);
	CHECK_EQ(pthread_create(&waiter, NULL, wait_at_the_fair, NULL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&visitor[i], NULL, visit, &first[i]), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(visitor[i], NULL), 0);
	fair_over = true;
	CHECK_EQ(pthread_join(watcher, NULL), 0);
	CHECK_EQ(pthread_join(waiter, NULL), 0);
	CHECK_EQ(fair_wrong, 0);
	/* Nothing is left, and nothing is told of it. */
	CHECK_EQ(epoll_wait(fair_ep[0], &e, 1, 0), 0);
	CHECK_EQ(epoll_wait(fair_ep[1], &e, 1, 0), 0);
	close(fair_ep[0]);
	close(fair_ep[1]);
}

int main(void)
{
	RUN(a_sleeper_is_woken_by_what_comes);
	RUN(a_sleeper_is_woken_by_a_file_that_is_added);
	RUN(a_sleeper_is_woken_by_a_file_that_is_armed);
	RUN(each_event_wakes_one);
	RUN(exclusive_wakes_one);
	RUN(levels_are_told_to_all);
	RUN(no_edge_is_lost);
	RUN(one_shot_is_for_one);
	RUN(files_come_and_go_while_others_look);
	return test_result();
}
