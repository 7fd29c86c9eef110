/* SPDX-License-Identifier: MIT */
/*
 * Waits with a time limit go on when what interrupted them had no handler: signal(7), "Interruption of system
 * calls and library functions by stop signals" does not name poll and select.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "asleep.h"
#include "test.h"

#define WAIT_MS 300

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int by_poll(void)
{
	return poll(NULL, 0, WAIT_MS);
}

static int by_ppoll(void)
{
	struct timespec t = { 0, WAIT_MS * 1000000 };

	return ppoll(NULL, 0, &t, NULL);
}

static int by_select(void)
{
	struct timeval t = { 0, WAIT_MS * 1000 };

	return select(0, NULL, NULL, NULL, &t);
}

static int by_pselect(void)
{
	struct timespec t = { 0, WAIT_MS * 1000000 };

	return pselect(0, NULL, NULL, NULL, &t, NULL);
}

/* 0: it has waited as long as it was to. */
static int waits(int (*how)(void))
{
	long begin = now_ms(), took;

	if (how() != 0)
		return 1;
	took = now_ms() - begin;
	return took < WAIT_MS ? 2 : 0;
}

static void stops_do_not_end(int (*how)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(waits(how));
	for (int i = 0; i < 3; i++) {
		wait_asleep(child, child);
		CHECK_EQ(kill(child, SIGSTOP), 0);
		CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
		CHECK_EQ(kill(child, SIGCONT), 0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

static void a_stop_ends_no_poll(void)
{
	stops_do_not_end(by_poll);
}

static void a_stop_ends_no_ppoll(void)
{
	stops_do_not_end(by_ppoll);
}

static void a_stop_ends_no_select(void)
{
	stops_do_not_end(by_select);
}

static void a_stop_ends_no_pselect(void)
{
	stops_do_not_end(by_pselect);
}

/* The mask lets in a signal that is ignored. */
static void an_ignored_signal_ends_no_wait(void)
{
	struct timespec t = { 0, 20000000 };
	sigset_t set, none, now;

	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(ppoll(NULL, 0, &t, &none), 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(pselect(0, NULL, NULL, NULL, &t, &none), 0);
	CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	signal(SIGUSR1, SIG_DFL);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

static void handled(int number)
{
}

/* But a handler does, and then the program is told what was left. */
static void a_handler_ends_them(void)
{
	struct sigaction action = { .sa_handler = handled, .sa_flags = SA_RESTART };
	struct timespec t = { 100, 0 };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	ualarm(20000, 0);
	CHECK(poll(NULL, 0, 100000) == -1 && errno == EINTR);
	ualarm(20000, 0);
	CHECK(syscall(SYS_ppoll, NULL, 0, &t, NULL, 8) == -1 && errno == EINTR);
	CHECK(t.tv_sec > 50 && t.tv_sec < 100);
	ualarm(20000, 0);
	t = (struct timespec){ 100, 0 };
	CHECK(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &t, NULL) == -1 && errno == EINTR);
	CHECK(t.tv_sec > 50 && t.tv_sec < 100);
}

int main(void)
{
	RUN(a_stop_ends_no_poll);
	RUN(a_stop_ends_no_ppoll);
	RUN(a_stop_ends_no_select);
	RUN(a_stop_ends_no_pselect);
	RUN(an_ignored_signal_ends_no_wait);
	RUN(a_handler_ends_them);
	return test_result();
}
