/* SPDX-License-Identifier: MIT */
/*
 * Small messages, which go through a pipe the short way as long as nobody waits for it (fs/pipe.c): whoever
 * begins to wait is woken.  Each case first sends some while nobody does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "asleep.h"
#include "test.h"

#define PAGE 4096

static void pipe_in_use(int fds[2])
{
	char c = 'c';

	CHECK_EQ(pipe(fds), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(write(fds[1], &c, 1), 1);
		CHECK_EQ(read(fds[0], &c, 1), 1);
	}
}

static void close_pipe(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void ends_well(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void a_sleeping_reader_is_woken(void)
{
	int fds[2];
	char c = 'c';

	pipe_in_use(fds);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(read(fds[0], &c, 1) != 1);
		wait_asleep(child, child);
		CHECK_EQ(write(fds[1], &c, 1), 1);
		ends_well(child);
	}
	close_pipe(fds);
}

static void a_sleeping_writer_is_woken(void)
{
	int fds[2];
	char message[64] = "message";

	pipe_in_use(fds);
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();

		if (child == 0) {
			for (int k = 0; k < 2000; k++)
				if (write(fds[1], message, sizeof(message)) != sizeof(message))
					_exit(1);
			_exit(0);
		}
		wait_asleep(child, child);
		for (int k = 0; k < 2000; k++)
			CHECK_EQ(read(fds[0], message, sizeof(message)), sizeof(message));
		ends_well(child);
	}
	close_pipe(fds);
}

static void who_polls_is_woken(void)
{
	int fds[2];
	char c = 'c';

	pipe_in_use(fds);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			struct pollfd wanted = { .fd = fds[0], .events = POLLIN };

			_exit(poll(&wanted, 1, -1) != 1 || wanted.revents != POLLIN ||
			      read(fds[0], &c, 1) != 1);
		}
		wait_asleep(child, child);
		CHECK_EQ(write(fds[1], &c, 1), 1);
		ends_well(child);
	}
	close_pipe(fds);
}

static void the_last_reader_is_missed(void)
{
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	pipe_in_use(fds);
	close(fds[0]);
	CHECK_EQ(write(fds[1], "c", 1), -1);
	CHECK_EQ(errno, EPIPE);
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);
}

/* At the ends of pages with nothing behind them, and not a byte in front of what was asked for. */
static void every_size_arrives(void)
{
	char *from = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2];

	CHECK(from != MAP_FAILED && to != MAP_FAILED);
	CHECK_EQ(munmap(from + PAGE, PAGE), 0);
	CHECK_EQ(munmap(to + PAGE, PAGE), 0);
	for (int i = 0; i < PAGE; i++)
		from[i] = (char)(i * 7);
	pipe_in_use(fds);
	for (int n = 1; n <= 300; n++) {
		char *sent = from + PAGE - n, *got = to + PAGE - n;

		memset(to, 'x', PAGE);
		CHECK_EQ(write(fds[1], sent, n), n);
		CHECK_EQ(read(fds[0], got, n), n);
		CHECK(memcmp(sent, got, n) == 0);
		CHECK_EQ(got[-1], 'x');
		CHECK_EQ(write(fds[1], from, n), n);
		CHECK_EQ(read(fds[0], to + 1, n), n);
		CHECK(memcmp(from, to + 1, n) == 0);
		CHECK(to[0] == 'x' && (to + 1 + n == got || to[1 + n] == 'x'));
		CHECK_EQ(write(fds[1], sent + 1, n), -1);
		CHECK_EQ(errno, EFAULT);
	}
	close_pipe(fds);
	munmap(from, PAGE);
	munmap(to, PAGE);
}

static void nothing_is_nothing(void)
{
	int fds[2];
	char c;

	pipe_in_use(fds);
	CHECK_EQ(write(fds[1], "", 0), 0);
	CHECK_EQ(read(fds[0], &c, 0), 0);
	CHECK_EQ(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(read(fds[0], &c, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	close_pipe(fds);
}

int main(void)
{
	RUN(a_sleeping_reader_is_woken);
	RUN(a_sleeping_writer_is_woken);
	RUN(who_polls_is_woken);
	RUN(the_last_reader_is_missed);
	RUN(every_size_arrives);
	RUN(nothing_is_nothing);
	return test_result();
}
