/* SPDX-License-Identifier: MIT */
/* Descriptors that a task has used already are, when it uses them again, what they are by then: whoever has
 * closed them, named another file, or moved the table meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asleep.h"
#include "test.h"

#define FAR 200 /* the table has to grow for it */
#define FARTHER 500
#define BOTH_BITS (O_WRONLY | O_RDWR) /* O_ACCMODE of musl has O_PATH in it */

static int one, other; /* to read from: as many zeros as one likes, and some 2s */

static int full_of_2s(void)
{
	char many[4096];
	int end[2];

	memset(many, 2, sizeof(many));
	CHECK_EQ(pipe(end), 0);
	CHECK_EQ(write(end[1], many, sizeof(many)), sizeof(many));
	return end[0]; /* the other end stays open */
}

static int byte_of(int fd)
{
	char byte = 9;

	CHECK_EQ(read(fd, &byte, 1), 1);
	return byte;
}

/* Where `one` is from now on the other file, and where the table was is nothing any more. */
static void move_and_replace(int far)
{
	CHECK_EQ(dup2(other, far), far);
	CHECK_EQ(dup2(other, one), one);
}

static void start(void)
{
	one = open("/dev/zero", O_RDONLY);
	other = full_of_2s();
	CHECK_EQ(byte_of(one), 0);
	CHECK_EQ(byte_of(one), 0);
}

/* Each in a process of its own, whose table has not grown yet. */
static void in_a_child(void (*function)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		function();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void moves_it_itself(void)
{
	char byte;

	start();
	move_and_replace(FAR);
	CHECK_EQ(byte_of(one), 2);
	CHECK_EQ(close(one), 0);
	CHECK(read(one, &byte, 1) == -1 && errno == EBADF);
}

static void a_table_that_has_moved_is_found(void)
{
	in_a_child(moves_it_itself);
}

static void *moves_it(void *unused)
{
	(void)unused;
	CHECK_EQ(byte_of(one), 0);
	move_and_replace(FAR);
	CHECK_EQ(byte_of(one), 2);
	return NULL;
}

static void has_a_thread(void)
{
	pthread_t thread;

	start();
	CHECK_EQ(pthread_create(&thread, NULL, moves_it, NULL), 0);
	while (byte_of(one) == 0)
		sched_yield();
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(byte_of(one), 2);
	/* Alone again, and the table moves again. */
	CHECK_EQ(byte_of(one), 2);
	CHECK_EQ(dup2(other, FARTHER), FARTHER);
	CHECK_EQ(byte_of(one), 2);
}

static void what_a_thread_does_to_descriptors_is_seen(void)
{
	in_a_child(has_a_thread);
}

static int moves_it_too(void *unused)
{
	moves_it(unused);
	return 0;
}

static void has_another_process(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;
	pid_t child;

	start();
	child = clone(moves_it_too, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	CHECK(child > 0);
	while (byte_of(one) == 0)
		sched_yield();
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK_EQ(byte_of(one), 2);
}

static void what_another_process_does_to_them_is_seen(void)
{
	in_a_child(has_another_process);
}

static void what_may_not_be_is_refused_each_time(void)
{
	int end[2], event = eventfd(1, EFD_NONBLOCK), path = open("/dev/zero", O_PATH);
	int directory = open("/", O_RDONLY);
	char byte = 0;

	CHECK_EQ(pipe(end), 0);
	for (int i = 0; i < 3; i++) {
		CHECK(read(end[1], &byte, 1) == -1 && errno == EBADF);
		CHECK(write(end[0], &byte, 1) == -1 && errno == EBADF);
		CHECK(read(path, &byte, 1) == -1 && errno == EBADF);
		CHECK(write(path, &byte, 1) == -1 && errno == EBADF);
		CHECK(read(directory, &byte, 1) == -1 && errno == EISDIR);
		CHECK(read(event, &byte, 1) == -1 && errno == EINVAL);
		CHECK(read(-1, &byte, 1) == -1 && errno == EBADF);
		CHECK(read(1 << 30, &byte, 1) == -1 && errno == EBADF);
	}
	close(end[0]);
	close(end[1]);
	close(event);
	close(path);
	close(directory);
}

/* A file that is read by descriptors that come and go: what the last one was for is no matter. */
static void a_descriptor_means_its_file_of_now(void)
{
	char byte = 9;

	for (int i = 0; i < 3; i++) {
		int zero = open("/dev/zero", O_RDWR), null;

		CHECK_EQ(read(zero, &byte, 1), 1);
		CHECK_EQ(byte, 0);
		CHECK_EQ(write(zero, &byte, 1), 1);
		close(zero);
		null = open("/dev/null", O_RDONLY);
		CHECK_EQ(null, zero);
		CHECK_EQ(read(null, &byte, 1), 0);
		CHECK(write(null, &byte, 1) == -1 && errno == EBADF);
		close(null);
		CHECK(read(null, &byte, 1) == -1 && errno == EBADF);
	}
}

/* With both bits of the access mode a file is there to be controlled only. */
static void a_file_may_be_open_for_nothing(void)
{
	int fd = open("/tmp/descriptors", O_RDWR | O_CREAT, 0600), neither;
	char byte = 0;

	CHECK(fd >= 0 && write(fd, "ab", 2) == 2);
	neither = open("/tmp/descriptors", BOTH_BITS);
	CHECK(neither >= 0 && (fcntl(neither, F_GETFL) & BOTH_BITS) == BOTH_BITS);
	CHECK_EQ(fcntl(neither, F_GETOWN), 0);
	for (int i = 0; i < 3; i++) {
		CHECK(read(neither, &byte, 1) == -1 && errno == EBADF);
		CHECK(write(neither, &byte, 1) == -1 && errno == EBADF);
		CHECK(pread(neither, &byte, 1, 0) == -1 && errno == EBADF);
	}
	CHECK(ftruncate(neither, 0) == -1 && errno == EINVAL);
	CHECK(lseek(neither, 0, SEEK_END) == 2 && fchmod(neither, 0400) == 0);
	CHECK(open("/tmp", BOTH_BITS) == -1 && errno == EISDIR);
	close(neither);
	close(fd);
	CHECK_EQ(unlink("/tmp/descriptors"), 0);
}

static void flags_that_make_no_sense_are_refused(void)
{
	CHECK_EQ(symlink("/tmp", "/tmp/descriptors"), 0);
	CHECK(open("/tmp/descriptors", O_RDONLY | O_NOFOLLOW | O_DIRECTORY) == -1 && errno == ENOTDIR);
	CHECK(open("/tmp/descriptors", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
	CHECK_EQ(unlink("/tmp/descriptors"), 0);
	CHECK(open("/tmp", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600) == -1 && errno == EINVAL);
}

#define KEPT "/tmp/descriptors"
#define NEW "/tmp/descriptors_new"

static void opens_without_room(void)
{
	struct rlimit limit;
	struct stat st;
	int fd = open(KEPT, O_RDWR | O_CREAT, 0600), fifo;

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	CHECK_EQ(mkfifo(NEW "_fifo", 0600), 0);
	fifo = open(NEW "_fifo", O_RDONLY | O_NONBLOCK);
	CHECK(fifo >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = (rlim_t)fifo + 1;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK(open(KEPT, O_WRONLY | O_TRUNC) == -1 && errno == EMFILE);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 5);
	CHECK(open(NEW, O_WRONLY | O_CREAT, 0600) == -1 && errno == EMFILE);
	CHECK(access(NEW, F_OK) == -1 && errno == ENOENT);
	CHECK(open("/tmp", O_WRONLY | O_TMPFILE, 0600) == -1 && errno == EMFILE);
	CHECK(syscall(SYS_memfd_create, "none", 0) == -1 && errno == EMFILE);
	/* Nor does it wait: with nobody to write it would do so for ever. */
	CHECK(dup2(fd, fifo) == fifo);
	alarm(20);
	CHECK(open(NEW "_fifo", O_RDONLY) == -1 && errno == EMFILE);
	alarm(0);
	/* What cannot be opened takes none away. */
	close(fifo);
	CHECK(open("/tmp/nothing", O_RDWR | O_TRUNC) == -1 && errno == ENOENT);
	CHECK(open("/tmp", O_RDWR | O_CREAT, 0600) == -1 && errno == EISDIR);
	CHECK(open(NEW "_fifo", O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO);
	CHECK_EQ(open(KEPT, O_WRONLY | O_TRUNC), fifo);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
}

static void without_a_free_one_open_does_nothing(void)
{
	in_a_child(opens_without_room);
	CHECK(unlink(KEPT) == 0 && unlink(NEW "_fifo") == 0);
}

static void interrupt(int number)
{
	(void)number;
}

static _Atomic int waiter;

/* errno of an opening that nobody answers. */
static void *open_in_vain(void *error)
{
	struct sigaction action = { .sa_handler = interrupt };

	sigaction(SIGUSR1, &action, NULL);
	waiter = gettid();
	*(int *)error = open(NEW "_fifo", O_RDONLY) == -1 ? errno : 0;
	waiter = 0;
	return NULL;
}

/* While an opening waits its descriptor is nobody's: neither another's, nor a file's, nor a child's. */
static void opens_meanwhile(void)
{
	pthread_t thread;
	int next, other_fd, status, error = 0;
	char name[32];
	pid_t child;

	CHECK_EQ(mkfifo(NEW "_fifo", 0600), 0);
	next = dup(1);
	close(next);
	CHECK_EQ(pthread_create(&thread, NULL, open_in_vain, &error), 0);
	while (!waiter)
		sched_yield();
	wait_asleep(getpid(), waiter);
	other_fd = open("/dev/null", O_RDWR);
	CHECK_EQ(other_fd, next + 1);
	CHECK(close(next) == -1 && errno == EBADF);
	CHECK(fcntl(next, F_GETFD) == -1 && errno == EBADF);
	/* The library would try again for as long as that is so. */
	CHECK(syscall(SYS_dup2, other_fd, next) == -1 && errno == EBUSY);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", next);
	CHECK(access(name, F_OK) == -1 && errno == ENOENT);
	child = fork();
	if (child == 0)
		_exit(dup(1) != next);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	while (waiter) {
		pthread_kill(thread, SIGUSR1);
		usleep(1000);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(error, EINTR);
	CHECK_EQ(dup(1), next);
}

static void an_opening_that_waits_has_its_descriptor(void)
{
	in_a_child(opens_meanwhile);
	CHECK_EQ(unlink(NEW "_fifo"), 0);
}

/* What has no name is looked at as what has one, and opened by nobody. */
static void a_file_without_a_name_is_looked_at(void)
{
	int fd = eventfd(0, 0);
	struct stat s, by_name;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK(fd >= 0 && fstat(fd, &s) == 0 && stat(name, &by_name) == 0);
	CHECK(s.st_mode == 0600 && by_name.st_mode == 0600 && s.st_ino == by_name.st_ino &&
	      s.st_dev == by_name.st_dev && by_name.st_nlink == 1);
	CHECK(access(name, R_OK | W_OK) == 0);
	CHECK(open(name, O_RDWR) == -1 && errno == ENXIO);
	CHECK(truncate(name, 0) == -1 && errno == EINVAL);
	CHECK(chdir(name) == -1 && errno == ENOTDIR);
	close(fd);
	CHECK(stat(name, &by_name) == -1 && errno == ENOENT);
}

static void a_position_is_asked_for_properly(void)
{
	int fd = open("/dev/null", O_RDWR);

	CHECK(fd >= 0 && lseek(fd, 100, SEEK_SET) == 0 && lseek(fd, -7, SEEK_END) == 0);
	CHECK(lseek(fd, 0, 5) == -1 && errno == EINVAL);
	CHECK(lseek(fd, 0, -1) == -1 && errno == EINVAL);
	close(fd);
}

int main(void)
{
	RUN(a_table_that_has_moved_is_found);
	RUN(what_a_thread_does_to_descriptors_is_seen);
	RUN(what_another_process_does_to_them_is_seen);
	RUN(what_may_not_be_is_refused_each_time);
	RUN(a_descriptor_means_its_file_of_now);
	RUN(a_file_may_be_open_for_nothing);
	RUN(flags_that_make_no_sense_are_refused);
	RUN(without_a_free_one_open_does_nothing);
	RUN(an_opening_that_waits_has_its_descriptor);
	RUN(a_file_without_a_name_is_looked_at);
	RUN(a_position_is_asked_for_properly);
	return test_result();
}
