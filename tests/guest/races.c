/* SPDX-License-Identifier: MIT */
/*
 * Who is woken when two things happen at once: cases that a review of the sources found, each
 * forced rather than waited for.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define SECOND_MS 1000

static void sleep_ms(int ms)
{
	struct timespec t = { ms / SECOND_MS, ms % SECOND_MS * 1000000l };

	nanosleep(&t, NULL);
}

/* The wait status of a child that ends within a second, or -1. */
static int status_soon(pid_t pid)
{
	int status;

	for (int ms = 0; ms < SECOND_MS; ms += 10) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		sleep_ms(10);
	}
	return -1;
}

static int ends[2];
static char *bad; /* may not be written */

/* A child that reads one byte to `to`, and ends with 0 if that went well. */
static pid_t reader(char *to)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], to, 1) == 1 ? 0 : 1);
	}
	CHECK(pid > 0);
	sleep_ms(100); /* until it sleeps in the queue */
	return pid;
}

/* Two readers sleep; the wake goes to the first, which cannot take what has come. */
static void reader_with_bad_memory_hands_its_wake_on(void)
{
	static char good;

	bad = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(bad != MAP_FAILED);
	CHECK_EQ(pipe(ends), 0);
	pid_t first = reader(bad), second = reader(&good);

	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(status_soon(first), 1 << 8);
	int status = status_soon(second);

	kill(second, SIGKILL);
	close(ends[0]);
	close(ends[1]);
	CHECK_EQ(status, 0);
}

static void nothing(int number)
{
}

/* vfork's parent has put a signal with a handler off; the one that kills is not put off. */
static void parent_in_vfork_can_be_killed(void)
{
	int told[2];
	char byte;

	CHECK_EQ(pipe(told), 0);
	pid_t parent = fork();

	CHECK(parent >= 0);
	if (parent == 0) {
		signal(SIGUSR1, nothing);
		if (vfork() == 0) {
			pid_t self = getpid();

			write(told[1], &self, sizeof(self));
			for (;;)
				pause();
		}
		_exit(0);
	}
	pid_t child;

	CHECK_EQ(read(told[0], &child, sizeof(child)), sizeof(child));
	kill(parent, SIGUSR1);
	sleep_ms(50);
	kill(parent, SIGKILL);
	int status = status_soon(parent);

	kill(child, SIGKILL);
	close(told[1]);
	(void)read(told[0], &byte, 1);
	close(told[0]);
	CHECK_EQ(status, SIGKILL);
}

int main(void)
{
	RUN(reader_with_bad_memory_hands_its_wake_on);
	RUN(parent_in_vfork_can_be_killed);
	return test_result();
}
