/* SPDX-License-Identifier: MIT */
/* Pipes and fifos: order, atomicity, ends of file, signals, blocking, sizes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asleep.h"
#include "test.h"

static void bytes_come_out_in_order(void)
{
	int fds[2];
	char got[6] = "";

	CHECK(pipe(fds) == 0);
	CHECK_EQ(write(fds[1], "abc", 3), 3);
	CHECK_EQ(write(fds[1], "de", 2), 2);
	CHECK_EQ(read(fds[0], got, 4), 4);
	CHECK_EQ(read(fds[0], got + 4, 10), 1);
	CHECK(strcmp(got, "abcde") == 0);
	close(fds[0]);
	close(fds[1]);
}

static void last_writer_gone_is_end_of_file(void)
{
	int fds[2];
	char c;

	CHECK(pipe(fds) == 0);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	close(fds[1]);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 0);
	close(fds[0]);
}

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int number)
{
	sigpipes++;
}

static void no_reader_is_epipe_and_sigpipe(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	close(fds[0]);
	sigpipes = 0;
	signal(SIGPIPE, count_sigpipe);
	CHECK_EQ(write(fds[1], "x", 1), -1);
	CHECK_EQ(errno, EPIPE);
	CHECK_EQ(sigpipes, 1);
	signal(SIGPIPE, SIG_DFL);
	close(fds[1]);
}

static void sigpipe_ends_a_program(void)
{
	int fds[2], status;
	pid_t child;

	CHECK(pipe(fds) == 0);
	close(fds[0]);
	child = fork();
	if (child == 0) {
		write(fds[1], "x", 1);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	close(fds[1]);
}

static void nonblocking_says_eagain(void)
{
	static char data[70000];
	int fds[2];
	char c;

	CHECK(pipe2(fds, O_NONBLOCK) == 0);
	CHECK_EQ(read(fds[0], &c, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(write(fds[1], data, sizeof(data)), 65536);
	CHECK_EQ(write(fds[1], data, 1), -1);
	CHECK_EQ(errno, EAGAIN);
	/* A small write waits for room for all of it. */
	CHECK_EQ(read(fds[0], data, 100), 100);
	CHECK_EQ(write(fds[1], data, 4096), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(write(fds[1], data, 100), 100);
	close(fds[0]);
	close(fds[1]);
}

static void sizes_are_told_and_changed(void)
{
	static char data[8192], got[8192];
	int fds[2], n;

	CHECK(pipe2(fds, O_NONBLOCK) == 0);
	CHECK_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	/* The data goes round the ring's end when the size changes. */
	CHECK_EQ(fcntl(fds[1], F_SETPIPE_SZ, 8192), 8192);
	CHECK_EQ(write(fds[1], data, 5000), 5000);
	CHECK_EQ(read(fds[0], got, 4900), 4900);
	CHECK_EQ(write(fds[1], data, 8000), 8000);
	CHECK_EQ(fcntl(fds[1], F_SETPIPE_SZ, 4096), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(fcntl(fds[1], F_SETPIPE_SZ, 20000), 32768);
	CHECK(ioctl(fds[0], FIONREAD, &n) == 0);
	CHECK_EQ(n, 8100);
	CHECK_EQ(read(fds[0], got, 100), 100);
	CHECK(memcmp(got, data + 4900, 100) == 0);
	CHECK_EQ(read(fds[0], got, 8192), 8000);
	CHECK(memcmp(got, data, 8000) == 0);
	close(fds[0]);
	close(fds[1]);
}

static void a_second_buffer_is_not_waited_for(void)
{
	char first[2], second[4] = "";
	struct iovec vector[] = { { first, 2 }, { second, 4 } };
	int fds[2];

	CHECK(pipe(fds) == 0);
	CHECK_EQ(write(fds[1], "ab", 2), 2);
	CHECK_EQ(readv(fds[0], vector, 2), 2);
	CHECK_EQ(write(fds[1], "abcde", 5), 5);
	CHECK_EQ(readv(fds[0], vector, 2), 5);
	CHECK(memcmp(second, "cde", 4) == 0);
	close(fds[0]);
	close(fds[1]);
}

static void several_small_buffers_are_one_write(void)
{
	static char data[65536];
	struct iovec vector[] = { { data, 2 }, { NULL, 0 }, { data, 4 } };
	int fds[2];

	CHECK(pipe2(fds, O_NONBLOCK) == 0);
	CHECK_EQ(write(fds[1], data, sizeof(data) - 3), sizeof(data) - 3);
	CHECK_EQ(writev(fds[1], vector, 3), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(read(fds[0], data, 3), 3);
	CHECK_EQ(writev(fds[1], vector, 3), 6);
	CHECK_EQ(read(fds[0], data, sizeof(data)), sizeof(data));
	vector[2].iov_base = (void *)1;
	CHECK_EQ(writev(fds[1], vector, 3), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(read(fds[0], data, 1), -1);
	close(fds[0]);
	close(fds[1]);
}

/* Each of several writers writes records of its own byte; no record may be cut by another. */
static void small_writes_are_not_mixed(void)
{
	enum { WRITERS = 4, RECORDS = 200, SIZE = 1500 };
	static char record[SIZE];
	int fds[2], status, seen = 0;
	size_t have = 0;
	long n;

	CHECK(pipe(fds) == 0);
	for (int w = 0; w < WRITERS; w++)
		if (fork() == 0) {
			memset(record, 'a' + w, SIZE);
			for (int r = 0; r < RECORDS; r++)
				if (write(fds[1], record, SIZE) != SIZE)
					_exit(1);
			_exit(0);
		}
	close(fds[1]);
	while ((n = read(fds[0], record + have, SIZE - have)) > 0) {
		have += (size_t)n;
		if (have < SIZE)
			continue;
		for (int i = 1; i < SIZE; i++)
			CHECK_EQ(record[i], record[0]);
		have = 0;
		seen++;
	}
	CHECK_EQ(seen, WRITERS * RECORDS);
	while (wait(&status) > 0)
		CHECK_EQ(status, 0);
	close(fds[0]);
}

static void large_transfer_arrives_whole(void)
{
	enum { TOTAL = 3 << 20, PIECE = 100000 };
	static unsigned char buffer[PIECE];
	uint32_t sum = 0, expected = 0;
	int fds[2], status;
	size_t got = 0;
	long n;

	CHECK(pipe(fds) == 0);
	if (fork() == 0) {
		for (size_t at = 0; at < TOTAL; at += (size_t)n) {
			size_t piece = TOTAL - at < PIECE ? TOTAL - at : PIECE;

			for (size_t i = 0; i < piece; i++)
				buffer[i] = (unsigned char)((at + i) * 31 >> 3);
			n = write(fds[1], buffer, piece);
			if (n <= 0)
				_exit(1);
		}
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
		for (long i = 0; i < n; i++, got++) {
			sum = sum * 33 + buffer[i];
			expected = expected * 33 + (unsigned char)(got * 31 >> 3);
		}
	CHECK_EQ(got, TOTAL);
	CHECK_EQ(sum, expected);
	CHECK(wait(&status) > 0 && status == 0);
	close(fds[0]);
}

/* The buffer's pages are not there yet: the pipe has to let go of its lock to get them. */
static void untouched_buffers_are_filled(void)
{
	enum { SIZE = 40960 };
	char *from = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2];

	CHECK(from != MAP_FAILED && to != MAP_FAILED && pipe(fds) == 0);
	CHECK_EQ(write(fds[1], from, SIZE), SIZE);
	CHECK_EQ(read(fds[0], to, SIZE), SIZE);
	for (int i = 0; i < SIZE; i++)
		CHECK_EQ(to[i], 0);
	CHECK(munmap(from, SIZE) == 0);
	CHECK_EQ(write(fds[1], from, 10), -1);
	CHECK_EQ(errno, EFAULT);
	munmap(to, SIZE);
	close(fds[0]);
	close(fds[1]);
}

static void killed_writer_leaves_whole_records(void)
{
	enum { SIZE = 4096 };
	static char record[SIZE];
	int fds[2], n;
	pid_t child;

	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0)
		for (;;)
			write(fds[1], record, SIZE);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(read(fds[0], record, SIZE), SIZE);
	usleep(20000);
	CHECK(kill(child, SIGKILL) == 0);
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(ioctl(fds[0], FIONREAD, &n) == 0);
	CHECK_EQ(n % SIZE, 0);
	close(fds[1]);
	while (n > 0) {
		CHECK_EQ(read(fds[0], record, SIZE), SIZE);
		n -= SIZE;
	}
	CHECK_EQ(read(fds[0], record, SIZE), 0);
	close(fds[0]);
}

static void fifo_opens_meet(void)
{
	const char *path = "/tmp/test.fifo";
	char c = 0;
	int fd, status;

	unlink(path);
	CHECK(mkfifo(path, 0600) == 0);
	CHECK_EQ(open(path, O_WRONLY | O_NONBLOCK), -1);
	CHECK_EQ(errno, ENXIO);
	if (fork() == 0) {
		fd = open(path, O_WRONLY);
		_exit(fd < 0 || write(fd, "f", 1) != 1);
	}
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'f');
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK(wait(&status) > 0 && status == 0);
	close(fd);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(fd, &c, 1), 1);
	close(fd);
	CHECK(unlink(path) == 0);
}

static void a_fifo_begins_anew(void)
{
	static const int sizes[] = { 4096, 1 << 20 };
	static char data[65536], got[65536];
	const char *path = "/tmp/test.fifo";

	CHECK(mkfifo(path, 0600) == 0);
	memset(data, 'd', sizeof(data));
	for (unsigned i = 0; i < 2; i++) {
		int fd = open(path, O_RDWR | O_NONBLOCK);

		CHECK_EQ(fcntl(fd, F_SETPIPE_SZ, sizes[i]), sizes[i]);
		CHECK_EQ(write(fd, data, 4096), 4096);
		close(fd);
		fd = open(path, O_RDWR | O_NONBLOCK);
		CHECK_EQ(fcntl(fd, F_GETPIPE_SZ), 65536);
		CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
		CHECK_EQ(write(fd, data, 1), -1);
		CHECK_EQ(read(fd, got, sizeof(got)), sizeof(got));
		CHECK(memcmp(got, data, sizeof(data)) == 0);
		close(fd);
	}
	CHECK(unlink(path) == 0);
}

static void interrupt(int number)
{
}

/* In a child: waits for a reader, until a signal comes. */
static void open_in_vain(const char *path, int writer, int ready)
{
	struct sigaction action = { .sa_handler = interrupt };

	sigaction(SIGUSR1, &action, NULL);
	close(writer);
	write(ready, "r", 1);
	_exit(open(path, O_WRONLY) == -1 && errno == EINTR ? 0 : 1);
}

/* Also if the last to go is one that waited for the other end in vain. */
static void a_fifo_begins_anew_after_an_interrupted_open(void)
{
	const char *path = "/tmp/test.fifo";
	int reader, writer, ready[2], status;
	pid_t child;
	char c;

	CHECK(mkfifo(path, 0600) == 0 && pipe(ready) == 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	writer = open(path, O_WRONLY);
	CHECK(reader >= 0 && writer >= 0);
	CHECK_EQ(fcntl(writer, F_SETPIPE_SZ, 4096), 4096);
	CHECK_EQ(write(writer, "stale", 5), 5);
	close(reader);
	child = fork();
	if (child == 0)
		open_in_vain(path, writer, ready[1]);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	wait_asleep(child, child);
	close(writer);
	/* Again and again: the first may come before it waits after all. */
	while (waitpid(child, &status, WNOHANG) == 0) {
		CHECK(kill(child, SIGUSR1) == 0);
		usleep(1000);
	}
	CHECK_EQ(status, 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(reader, F_GETPIPE_SZ), 65536);
	CHECK_EQ(read(reader, &c, 1), 0);
	close(reader);
	close(ready[0]);
	close(ready[1]);
	CHECK(unlink(path) == 0);
}

static void pipe_is_reopened_by_its_descriptor(void)
{
	char path[64], c;
	int fds[2], fd;

	CHECK(pipe(fds) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "r", 1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 'r');
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

static void *write_late(void *fd)
{
	usleep(20000);
	write(*(int *)fd, "l", 1);
	return NULL;
}

static void blocked_reader_is_woken(void)
{
	pthread_t thread;
	int fds[2];
	char c;

	CHECK(pipe(fds) == 0);
	CHECK(pthread_create(&thread, NULL, write_late, &fds[1]) == 0);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	pthread_join(thread, NULL);
	close(fds[0]);
	close(fds[1]);
}

static short ready_of(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };

	CHECK(poll(&item, 1, 0) >= 0);
	return item.revents;
}

/* Each who has opened a fifo sees the end of those writers that were there while he had it open. */
static void a_fifo_ends_for_who_saw_a_writer(void)
{
	const char *path = "/tmp/test.fifo";
	int first, writer, second;
	char c;

	CHECK(mkfifo(path, 0600) == 0);
	first = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(first >= 0 && ready_of(first) == 0);
	writer = open(path, O_WRONLY);
	CHECK(writer >= 0 && ready_of(first) == 0 && write(writer, "x", 1) == 1);
	close(writer);
	CHECK_EQ(ready_of(first), POLLIN | POLLHUP);
	second = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(second >= 0 && ready_of(second) == POLLIN);
	CHECK(read(first, &c, 1) == 1 && ready_of(first) == POLLHUP && ready_of(second) == 0);
	writer = open(path, O_WRONLY);
	CHECK(writer >= 0 && ready_of(first) == 0 && ready_of(second) == 0);
	close(writer);
	CHECK(ready_of(first) == POLLHUP && ready_of(second) == POLLHUP);
	CHECK(open(path, 3) == -1 && errno == EINVAL); /* for neither */
	close(first);
	close(second);
	CHECK(unlink(path) == 0);
}

int main(void)
{
	RUN(bytes_come_out_in_order);
	RUN(last_writer_gone_is_end_of_file);
	RUN(no_reader_is_epipe_and_sigpipe);
	RUN(sigpipe_ends_a_program);
	RUN(nonblocking_says_eagain);
	RUN(sizes_are_told_and_changed);
	RUN(a_second_buffer_is_not_waited_for);
	RUN(several_small_buffers_are_one_write);
	RUN(small_writes_are_not_mixed);
	RUN(large_transfer_arrives_whole);
	RUN(untouched_buffers_are_filled);
	RUN(killed_writer_leaves_whole_records);
	RUN(fifo_opens_meet);
	RUN(a_fifo_begins_anew);
	RUN(a_fifo_begins_anew_after_an_interrupted_open);
	RUN(pipe_is_reopened_by_its_descriptor);
	RUN(blocked_reader_is_woken);
	RUN(a_fifo_ends_for_who_saw_a_writer);
	return test_result();
}
