/* SPDX-License-Identifier: MIT */
/* What names and open files hold of the memory: no more than is charged, and no longer than they must. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "test.h"

#define HERE "/tmp/file_memory.d"
/* Caches of the system that are not given back at once, and what other CPUs hold for a moment. */
#define SLACK (512l << 10)

static bool is_exo(void)
{
	return access("/proc/exo", F_OK) == 0;
}

static long free_memory(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (long)(info.freeram * info.mem_unit);
}

#define FIFOS 1500

static void fifo_name(int n, char name[64])
{
	snprintf(name, 64, HERE "/%d", n);
}

static void open_all_once(void)
{
	char name[64], byte;

	for (int n = 0; n < FIFOS; n++) {
		int fd;

		fifo_name(n, name);
		fd = open(name, O_RDWR | O_NONBLOCK);
		CHECK(fd >= 0 && read(fd, &byte, 1) == -1 && errno == EAGAIN);
		CHECK(fcntl(fd, F_SETPIPE_SZ, 1 << 20) == 1 << 20);
		CHECK(write(fd, "left", 4) == 4 && close(fd) == 0);
	}
}

/* A fifo that nobody has open is a name and an inode, which are charged; and it begins anew. */
static void fifos_that_were_open_hold_nothing(void)
{
	char name[64];
	long before;

	CHECK(mkdir(HERE, 0700) == 0);
	for (int n = 0; n < FIFOS; n++) {
		fifo_name(n, name);
		CHECK(mkfifo(name, 0600) == 0);
	}
	before = free_memory();
	open_all_once();
	if (is_exo())
		CHECK(before - free_memory() < SLACK);
	open_all_once();
	for (int n = 0; n < FIFOS; n++) {
		fifo_name(n, name);
		CHECK(unlink(name) == 0);
	}
	CHECK(rmdir(HERE) == 0);
}

#define ROUNDS 3000

/* One byte in, one byte out, by whatever end: the way in which it is opened. */
static void *comes_and_goes(void *way)
{
	for (int n = 0; n < ROUNDS; n++) {
		int fd = open(HERE, (int)(long)way | O_NONBLOCK);
		char byte;

		if (fd < 0) {
			if (errno != ENXIO)
				return "open";
			continue;
		}
		if ((long)way != O_RDONLY && write(fd, "x", 1) != 1 && errno != EPIPE)
			return "write";
		if ((long)way != O_WRONLY && read(fd, &byte, 1) < 0 && errno != EAGAIN)
			return "read";
		close(fd);
	}
	return NULL;
}

static void a_fifo_is_opened_while_it_is_closed(void)
{
	const long ways[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY };
	pthread_t threads[4];

	CHECK(mkfifo(HERE, 0600) == 0);
	for (int n = 0; n < 4; n++)
		CHECK(pthread_create(&threads[n], NULL, comes_and_goes, (void *)ways[n]) == 0);
	for (int n = 0; n < 4; n++) {
		void *wrong;

		CHECK(pthread_join(threads[n], &wrong) == 0 && wrong == NULL);
	}
	CHECK(unlink(HERE) == 0);
}

static void *reads_all(void *argument)
{
	long sum = 0;

	for (int n = 0; n < ROUNDS / 10; n++) {
		int fd = open(HERE, O_RDONLY);
		char byte;

		if (fd < 0 || read(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 0)
			return (void *)-1;
		sum++;
		close(fd);
		if (write(*(int *)argument, "x", 1) != 1)
			return (void *)-1;
	}
	return (void *)sum;
}

/* Each waits for the other to open it; the writer is gone when the reader comes to read. */
static void ends_of_a_fifo_wait_for_each_other(void)
{
	pthread_t reader;
	void *rounds;
	int turn[2];
	char byte;

	CHECK(mkfifo(HERE, 0600) == 0 && pipe(turn) == 0);
	CHECK(pthread_create(&reader, NULL, reads_all, &turn[1]) == 0);
	for (int n = 0; n < ROUNDS / 10; n++) {
		int fd = open(HERE, O_WRONLY);

		CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
		CHECK(read(turn[0], &byte, 1) == 1);
	}
	CHECK(pthread_join(reader, &rounds) == 0);
	CHECK_EQ((long)rounds, ROUNDS / 10);
	CHECK(close(turn[0]) == 0 && close(turn[1]) == 0 && unlink(HERE) == 0);
}

/* The locks of a file are bounded here; at the bound they can be changed in place and given up. */
static void locks_of_a_file_are_bounded(void)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = open(HERE, O_RDWR | O_CREAT, 0600);
	long most = is_exo() ? 100000 : 5000, n;

	CHECK(fd >= 0);
	for (n = 0; n < most; n++) {
		l.l_start = 2 * n;
		if (fcntl(fd, F_SETLK, &l) < 0)
			break;
	}
	if (is_exo())
		CHECK(n < most && n >= 1000 && errno == ENOLCK);
	l.l_type = F_WRLCK;
	for (l.l_start = 0; l.l_start < 2 * n; l.l_start += 2)
		CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
	if (is_exo()) {
		/* Two of one, and one more: neither has room before something has gone. */
		l.l_start = 2 * n;
		CHECK(fcntl(fd, F_SETLK, &l) == -1 && errno == ENOLCK);
		l.l_type = F_UNLCK;
		l.l_start = 0;
		CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
		l.l_type = F_WRLCK;
		l.l_start = 2 * n;
		l.l_len = 3;
		CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
		l.l_type = F_UNLCK;
		l.l_start++;
		l.l_len = 1;
		CHECK(fcntl(fd, F_SETLK, &l) == -1 && errno == ENOLCK);
	}
	/* All are merged into one. */
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
	CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
	l.l_type = F_UNLCK;
	l.l_start = 7;
	l.l_len = 1;
	CHECK_EQ(fcntl(fd, F_SETLK, &l), 0);
	CHECK(close(fd) == 0 && unlink(HERE) == 0);
}

#define READERS 200
#define LONG_ARGUMENT 100000

/* The program with a long argument: does it hold much when it has read one byte of each of many files? */
static int holds_much_of_proc(void)
{
	long before = free_memory();
	char byte;

	for (int n = 0; n < READERS; n++) {
		int fd = open("/proc/self/cmdline", O_RDONLY);

		if (fd < 0 || read(fd, &byte, 1) != 1)
			return 2;
	}
	return is_exo() && before - free_memory() > 8l << 20;
}

/* Who opens many files of /proc and reads on in none has not the memory. */
static void texts_of_proc_are_not_kept_for_ever(void)
{
	char *argument = calloc(1, LONG_ARGUMENT + 1);
	int status;
	pid_t child;

	memset(argument, 'a', LONG_ARGUMENT);
	child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "file_memory", argument, NULL);
		_exit(99);
	}
	free(argument);
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

#define MANY_PIPES 1000

/* As many pipes as descriptors allow, each written full: the bytes that they hold together. */
static long fill_pipes(int fds[MANY_PIPES][2], int *small)
{
	static char page[4096];
	long sum = 0, n;

	*small = 0;
	for (int i = 0; i < MANY_PIPES; i++) {
		CHECK(pipe2(fds[i], O_NONBLOCK) == 0);
		*small += fcntl(fds[i][0], F_GETPIPE_SZ) == 8192;
		while ((n = write(fds[i][1], page, sizeof(page))) > 0)
			sum += n;
		CHECK(n == -1 && errno == EAGAIN);
	}
	return sum;
}

static void close_pipes(int fds[MANY_PIPES][2])
{
	for (int i = 0; i < MANY_PIPES; i++)
		CHECK(close(fds[i][0]) == 0 && close(fds[i][1]) == 0);
}

static long all_memory(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (long)(info.totalram * info.mem_unit);
}

/* The pipes of a user have a part of memory; those that are made then are small, and work. */
static int fills_pipes(void)
{
	static int fds[MANY_PIPES][2];
	long bound = is_exo() ? all_memory() / 8 : 64l << 20;
	int small, ends[2];
	struct rlimit limit = { 2 * MANY_PIPES + 50, 2 * MANY_PIPES + 50 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || setgroups(0, NULL) < 0 || setgid(1234) < 0 ||
	    setuid(1234) < 0)
		return 1;
	for (int round = 0; round < 3; round++) {
		long sum = fill_pipes(fds, &small);

		CHECK(sum <= bound + MANY_PIPES * 8192l);
		/* What is not refused: to become smaller. */
		if (small > 0) {
			CHECK(pipe(ends) == 0 && fcntl(ends[0], F_GETPIPE_SZ) == 8192);
			CHECK(fcntl(ends[0], F_SETPIPE_SZ, 65536) == -1 && errno == EPERM);
			CHECK(fcntl(ends[0], F_SETPIPE_SZ, 4096) == 4096);
			CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
		}
		if (is_exo())
			CHECK(small > 0 || bound > MANY_PIPES * 65536l);
		close_pipes(fds);
		/* What is closed is counted no more. */
		CHECK(pipe(ends) == 0 && fcntl(ends[0], F_GETPIPE_SZ) == 65536);
		CHECK(fcntl(ends[0], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
		CHECK(fcntl(ends[0], F_SETPIPE_SZ, 2 << 20) == -1 && errno == EPERM);
		CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
	}
	return 0;
}

static void pipes_of_a_user_are_bounded(void)
{
	CHECK_EQ(in_child(fills_pipes), 0);
}

int main(int count, char **arguments)
{
	if (count > 1)
		return holds_much_of_proc();
	signal(SIGPIPE, SIG_IGN);
	RUN(fifos_that_were_open_hold_nothing);
	RUN(a_fifo_is_opened_while_it_is_closed);
	RUN(ends_of_a_fifo_wait_for_each_other);
	RUN(pipes_of_a_user_are_bounded);
	RUN(locks_of_a_file_are_bounded);
	RUN(texts_of_proc_are_not_kept_for_ever);
	return test_result();
}
