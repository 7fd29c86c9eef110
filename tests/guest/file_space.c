/* SPDX-License-Identifier: MIT */
/* What a file takes of memory, and who has locked which part of it: fallocate, O_TMPFILE, record locks. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define PATH "/tmp/file_space"
#define PAGE 4096

static int fresh(void)
{
	int fd;

	unlink(PATH);
	fd = open(PATH, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	return fd;
}

static off_t size_of(int fd)
{
	struct stat s;

	CHECK(fstat(fd, &s) == 0);
	return s.st_size;
}

static bool all_are(int fd, off_t from, size_t n, char wanted)
{
	char bytes[PAGE];

	for (size_t done = 0; done < n; done += sizeof(bytes)) {
		size_t piece = n - done < sizeof(bytes) ? n - done : sizeof(bytes);

		if (pread(fd, bytes, piece, from + (off_t)done) != (ssize_t)piece)
			return false;
		for (size_t i = 0; i < piece; i++)
			if (bytes[i] != wanted)
				return false;
	}
	return true;
}

static void fill(int fd, off_t size)
{
	char bytes[PAGE];

	memset(bytes, 'x', sizeof(bytes));
	for (off_t at = 0; at < size; at += PAGE)
		CHECK_EQ(pwrite(fd, bytes, PAGE, at), PAGE);
}

static void space_is_reserved(void)
{
	int fd = fresh();

	CHECK(posix_fallocate(fd, 0, 3 * PAGE + 5) == 0);
	CHECK_EQ(size_of(fd), 3 * PAGE + 5);
	CHECK(all_are(fd, 0, 3 * PAGE + 5, 0));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10 * PAGE) == 0);
	CHECK_EQ(size_of(fd), 3 * PAGE + 5);
	CHECK(fallocate(fd, 0, PAGE, PAGE) == 0); /* inside: the size stays */
	CHECK_EQ(size_of(fd), 3 * PAGE + 5);
	close(fd);
}

static void holes_are_punched(void)
{
	int fd = fresh(), mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	fill(fd, 6 * PAGE);
	CHECK(fallocate(fd, mode, PAGE + 100, 3 * PAGE) == 0);
	CHECK(all_are(fd, 0, PAGE + 100, 'x'));
	CHECK(all_are(fd, PAGE + 100, 3 * PAGE, 0));
	CHECK(all_are(fd, 4 * PAGE + 100, 2 * PAGE - 100, 'x'));
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 2 * PAGE);
	CHECK_EQ(lseek(fd, 2 * PAGE, SEEK_DATA), 4 * PAGE);
	CHECK_EQ(lseek(fd, 5 * PAGE, SEEK_HOLE), 6 * PAGE);
	CHECK(lseek(fd, 6 * PAGE, SEEK_DATA) == -1 && errno == ENXIO);
	CHECK(fallocate(fd, mode, 2 * PAGE, 100) == 0); /* in a hole: nothing happens */
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 2 * PAGE);
	CHECK(fallocate(fd, mode, 100 * PAGE, PAGE) == 0); /* behind the end */
	CHECK_EQ(size_of(fd), 6 * PAGE);
	CHECK(fallocate(fd, mode, 5 * PAGE, 5 * PAGE) == 0);
	CHECK(lseek(fd, 5 * PAGE, SEEK_DATA) == -1 && errno == ENXIO);
	close(fd);
}

static void ranges_are_zeroed(void)
{
	int fd = fresh();

	fill(fd, 2 * PAGE);
	CHECK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 10, 3 * PAGE) == 0);
	CHECK_EQ(size_of(fd), 3 * PAGE + 10);
	CHECK(all_are(fd, 0, 10, 'x'));
	CHECK(all_are(fd, 10, 3 * PAGE, 0));
	close(fd);
}

static void wrong_ranges_are_refused(void)
{
	int fd = fresh(), pipes[2];

	CHECK(fallocate(fd, 0, -1, 1) == -1 && errno == EINVAL);
	CHECK(fallocate(fd, 0, 0, 0) == -1 && errno == EINVAL);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1) == -1 && errno == EOPNOTSUPP);
	CHECK(fallocate(fd, 0x40000000, 0, PAGE) == -1 && errno == EOPNOTSUPP);
	CHECK(fallocate(fd, 0, INT64_MAX - 1, 10) == -1 && errno == EFBIG);
	CHECK(pipe(pipes) == 0);
	CHECK(fallocate(pipes[1], 0, 0, 1) == -1 && (errno == ENODEV || errno == ESPIPE));
	CHECK(fallocate(pipes[0], 0, 0, 1) == -1 && errno == EBADF);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

static void a_file_may_have_no_name(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	char path[64];
	struct stat s;

	CHECK(fd >= 0);
	CHECK(fstat(fd, &s) == 0 && s.st_nlink == 0 && S_ISREG(s.st_mode));
	CHECK_EQ(write(fd, "hello", 5), 5);
	/* Until it is given one. */
	unlink(PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(linkat(AT_FDCWD, path, AT_FDCWD, PATH, AT_SYMLINK_FOLLOW) == 0);
	CHECK(stat(PATH, &s) == 0 && s.st_size == 5 && s.st_nlink == 1);
	CHECK(unlink(PATH) == 0);
	close(fd);
	CHECK(open("/tmp", O_TMPFILE | O_RDONLY, 0600) == -1 && errno == EINVAL);
	CHECK(open("/tmp", O_TMPFILE | O_CREAT | O_RDWR, 0600) == -1 && errno == EINVAL);
	CHECK(open("/tmp/nothing", O_TMPFILE | O_CREAT | O_RDWR, 0600) == -1 && errno == EINVAL);
	CHECK(open("/proc", O_TMPFILE | O_RDWR, 0600) == -1 && errno == EOPNOTSUPP);
	fd = fresh();
	CHECK(open(PATH, O_TMPFILE | O_RDWR, 0600) == -1 && errno == ENOTDIR);
	close(fd);
}

/* As another process sees it: who has what of bytes [start, start + length). */
static short locked_as(int fd, off_t start, off_t length)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start,
				   .l_len = length };

		_exit(fcntl(fd, F_GETLK, &l) == 0 ? l.l_type : 99);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return (short)WEXITSTATUS(status);
}

static int set_lock(int fd, short type, short whence, off_t start, off_t length)
{
	struct flock l = { .l_type = type, .l_whence = whence, .l_start = start, .l_len = length };

	return fcntl(fd, F_SETLK, &l);
}

static void a_record_lock_is_split_shrunk_and_merged(void)
{
	int fd = fresh();

	CHECK(set_lock(fd, F_WRLCK, SEEK_SET, 0, 100) == 0);
	CHECK(set_lock(fd, F_UNLCK, SEEK_SET, 40, 20) == 0); /* the middle */
	CHECK_EQ(locked_as(fd, 0, 40), F_WRLCK);
	CHECK_EQ(locked_as(fd, 40, 20), F_UNLCK);
	CHECK_EQ(locked_as(fd, 60, 40), F_WRLCK);
	CHECK(set_lock(fd, F_RDLCK, SEEK_SET, 30, 10) == 0); /* the end of the first becomes weaker */
	CHECK_EQ(locked_as(fd, 29, 1), F_WRLCK);
	CHECK_EQ(locked_as(fd, 30, 10), F_RDLCK);
	CHECK(set_lock(fd, F_UNLCK, SEEK_SET, 50, 20) == 0); /* the beginning of the last */
	CHECK_EQ(locked_as(fd, 40, 30), F_UNLCK);
	CHECK_EQ(locked_as(fd, 70, 1), F_WRLCK);
	CHECK(set_lock(fd, F_WRLCK, SEEK_SET, 20, 60) == 0); /* over all of them */
	CHECK_EQ(locked_as(fd, 30, 10), F_WRLCK);
	CHECK(set_lock(fd, F_UNLCK, SEEK_SET, 0, 0) == 0);
	CHECK_EQ(locked_as(fd, 0, 0), F_UNLCK);
	close(fd);
}

static void record_locks_begin_anywhere(void)
{
	int fd = fresh();

	fill(fd, PAGE);
	CHECK_EQ(lseek(fd, 1000, SEEK_SET), 1000);
	CHECK(set_lock(fd, F_WRLCK, SEEK_CUR, -100, 10) == 0);
	CHECK_EQ(locked_as(fd, 900, 10), F_WRLCK);
	CHECK_EQ(locked_as(fd, 890, 10), F_UNLCK);
	CHECK(set_lock(fd, F_WRLCK, SEEK_END, -10, 0) == 0);
	CHECK_EQ(locked_as(fd, PAGE + 1000000, 1), F_WRLCK);
	CHECK(set_lock(fd, F_WRLCK, SEEK_SET, 500, -100) == 0); /* what lies before */
	CHECK_EQ(locked_as(fd, 400, 100), F_WRLCK);
	CHECK_EQ(locked_as(fd, 500, 1), F_UNLCK);
	CHECK(set_lock(fd, F_WRLCK, SEEK_SET, 5, -10) == -1 && errno == EINVAL);
	CHECK(set_lock(fd, F_WRLCK, 7, 0, 1) == -1 && errno == EINVAL);
	CHECK(set_lock(fd, 9, SEEK_SET, 0, 1) == -1 && errno == EINVAL);
	CHECK(set_lock(fd, F_WRLCK, SEEK_CUR, INT64_MAX, 1) == -1 && errno == EOVERFLOW);
	close(fd);
	fd = open(PATH, O_RDONLY);
	CHECK(set_lock(fd, F_WRLCK, SEEK_SET, 0, 1) == -1 && errno == EBADF);
	close(fd);
}

/* F_SETLKW in another thread, and which one that is. */
struct waiter {
	_Atomic pid_t id;
	int fd, error;
};

static void *wait_for_lock(void *argument)
{
	struct waiter *w = argument;

	w->id = (pid_t)syscall(SYS_gettid);
	w->error = fcntl(w->fd, F_SETLKW, &(struct flock){ .l_type = F_WRLCK }) == 0 ? 0 : errno;
	return NULL;
}

/* Until it sleeps: so it has called, and waits. */
static bool falls_asleep(const struct waiter *w)
{
	char path[64], state = 0;

	while (w->id == 0)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", w->id);
	while (state != 'S') {
		FILE *f = fopen(path, "r");

		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			return false;
		fclose(f);
	}
	return true;
}

/* Waits for the lock in one thread, and closes the descriptor in another. */
static int close_under_a_waiter(int tell)
{
	struct waiter w = { .fd = open(PATH, O_RDWR) };
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_for_lock, &w) != 0 || !falls_asleep(&w))
		return 1;
	close(w.fd);
	write(tell, "", 1); /* now it can have the lock */
	pthread_join(thread, NULL);
	return w.error == EBADF ? 0 : 2;
}

/* A lock that is granted when its descriptor has been closed is nobody's. */
static void no_lock_outlives_its_descriptor(void)
{
	int fd = fresh(), ends[2], status;
	pid_t child;
	char byte;

	CHECK(pipe(ends) == 0);
	CHECK(set_lock(fd, F_WRLCK, SEEK_SET, 0, 0) == 0);
	child = fork();
	if (child == 0)
		_exit(close_under_a_waiter(ends[1]));
	close(ends[1]);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	CHECK(set_lock(fd, F_UNLCK, SEEK_SET, 0, 0) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(set_lock(fd, F_WRLCK, SEEK_SET, 0, 0) == 0);
	CHECK_EQ(status, 0);
	close(fd);
}

/* flock(2): to convert a lock is to give it up first, and then to ask for the other, which may fail. */
static void a_lock_that_could_not_become_stronger_is_lost(void)
{
	int a = fresh(), b = open(PATH, O_RDWR), c = open(PATH, O_RDWR);

	CHECK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH) == 0);
	CHECK(flock(a, LOCK_EX | LOCK_NB) == -1 && errno == EAGAIN);
	CHECK_EQ(flock(b, LOCK_EX | LOCK_NB), 0);
	CHECK(flock(a, LOCK_SH | LOCK_NB) == -1 && errno == EAGAIN);
	/* Weaker it becomes at once, and what is held already is held. */
	CHECK_EQ(flock(b, LOCK_SH | LOCK_NB), 0);
	CHECK_EQ(flock(c, LOCK_SH | LOCK_NB), 0);
	CHECK_EQ(flock(b, LOCK_SH | LOCK_NB), 0);
	CHECK(flock(a, LOCK_EX | LOCK_NB) == -1 && errno == EAGAIN);
	close(a);
	close(b);
	close(c);
}

/* Each in a description of its own; the alarm ends who waits for ever. */
static int asks_for_more(int have, int all_have)
{
	int fd = open(PATH, O_RDWR);
	char byte;

	alarm(20);
	if (fd < 0 || flock(fd, LOCK_SH) != 0 || write(have, "", 1) != 1)
		return 1;
	if (read(all_have, &byte, 1) != 0)
		return 2;
	return flock(fd, LOCK_EX) == 0 ? 0 : 3;
}

static void who_all_want_more_do_not_wait_for_each_other(void)
{
	int have[2], all_have[2], status;
	char bytes[3];

	close(fresh());
	CHECK(pipe(have) == 0 && pipe(all_have) == 0);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		if (fork() == 0) {
			close(all_have[1]);
			_exit(asks_for_more(have[1], all_have[0]));
		}
	for (unsigned i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(read(have[0], &bytes[i], 1), 1);
	close(all_have[1]);
	for (unsigned i = 0; i < sizeof(bytes); i++) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
	close(have[0]);
	close(have[1]);
	close(all_have[0]);
}

static void *wait_for_all_of_it(void *argument)
{
	struct waiter *w = argument;

	w->id = (pid_t)syscall(SYS_gettid);
	w->error = flock(w->fd, LOCK_EX) == 0 ? 0 : errno;
	return NULL;
}

/* Who waits has been lent a lock meanwhile, by another thread with the same description; so only the one
 * that is given up is in its way. */
static void who_waits_is_told_of_what_is_given_up(void)
{
	struct timespec latest;
	int a = fresh();
	struct waiter w = { .fd = open(PATH, O_RDWR) };
	pthread_t thread;

	CHECK_EQ(flock(a, LOCK_SH), 0);
	CHECK(pthread_create(&thread, NULL, wait_for_all_of_it, &w) == 0 && falls_asleep(&w));
	CHECK_EQ(flock(w.fd, LOCK_SH), 0);
	CHECK(flock(a, LOCK_EX | LOCK_NB) == -1 && errno == EAGAIN);
	clock_gettime(CLOCK_REALTIME, &latest);
	latest.tv_sec += 20;
	CHECK_EQ(pthread_timedjoin_np(thread, NULL, &latest), 0);
	CHECK_EQ(w.error, 0);
	CHECK(flock(a, LOCK_SH | LOCK_NB) == -1 && errno == EAGAIN);
	close(w.fd);
	close(a);
}

static void a_descriptor_can_be_asked_and_told(void)
{
	int fd = fresh(), n = 1;

	fill(fd, PAGE);
	CHECK_EQ(lseek(fd, 96, SEEK_SET), 96);
	CHECK(ioctl(fd, FIONREAD, &n) == 0 && n == PAGE - 96);
	CHECK_EQ(lseek(fd, 2 * PAGE, SEEK_SET), 2 * PAGE);
	CHECK(ioctl(fd, FIONREAD, &n) == 0 && n <= 0);
	n = 1;
	CHECK(ioctl(fd, FIONBIO, &n) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK));
	n = 0;
	CHECK(ioctl(fd, FIONBIO, &n) == 0 && !(fcntl(fd, F_GETFL) & O_NONBLOCK));
	CHECK(ioctl(fd, FIOCLEX) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(ioctl(fd, FIONCLEX) == 0 && fcntl(fd, F_GETFD) == 0);
	close(fd);
}

static void a_directory_is_read_from_where_one_was(void)
{
	DIR *d = opendir("/");
	struct dirent *first, *again;
	char name[256];
	long start;

	CHECK(d != NULL);
	start = telldir(d);
	first = readdir(d);
	CHECK(first != NULL);
	snprintf(name, sizeof(name), "%s", first->d_name);
	while (readdir(d))
		;
	seekdir(d, start);
	again = readdir(d);
	CHECK(again && strcmp(again->d_name, name) == 0);
	CHECK(lseek(dirfd(d), -1, SEEK_SET) == -1 && errno == EINVAL);
	CHECK(lseek(dirfd(d), 0, 17) == -1 && errno == EINVAL);
	CHECK(lseek(dirfd(d), 2, SEEK_SET) == 2 && lseek(dirfd(d), 1, SEEK_CUR) == 3);
	CHECK(lseek(dirfd(d), LONG_MAX, SEEK_CUR) == -1 && errno == EINVAL);
	closedir(d);
}

static void locks_are_asked_for_and_taken_by_who_may(void)
{
	struct flock nothing = { .l_type = F_UNLCK };
	int fd = fresh(), named = open(PATH, O_PATH);

	CHECK(fcntl(fd, F_GETLK, &nothing) == -1 && errno == EINVAL);
	CHECK_EQ(fcntl(fd, F_SETLK, &nothing), 0);
	CHECK(named >= 0 && flock(named, LOCK_SH | LOCK_NB) == -1 && errno == EBADF);
	CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(named);
	close(fd);
}

/* A fifo has no position, whatever has gone through it: SEEK_CUR counts from its beginning. */
static void what_has_no_position_is_at_its_beginning(void)
{
	int ends[2], fifo;

	unlink(PATH);
	CHECK(mkfifo(PATH, 0600) == 0);
	fifo = open(PATH, O_RDWR);
	CHECK(fifo >= 0 && pipe(ends) == 0);
	CHECK(write(fifo, "12345", 5) == 5 && write(ends[1], "12345", 5) == 5);
	CHECK(set_lock(fifo, F_WRLCK, SEEK_CUR, -1, 5) == -1 && errno == EINVAL);
	CHECK(set_lock(fifo, F_WRLCK, SEEK_CUR, 3, -4) == -1 && errno == EINVAL);
	CHECK(set_lock(fifo, F_WRLCK, SEEK_CUR, 3, -3) == 0);
	CHECK_EQ(locked_as(fifo, 0, 3), F_WRLCK);
	CHECK(set_lock(fifo, F_WRLCK, SEEK_CUR, 10, 1) == 0);
	CHECK_EQ(locked_as(fifo, 10, 1), F_WRLCK);
	CHECK(set_lock(ends[1], F_WRLCK, SEEK_CUR, -1, 1) == -1 && errno == EINVAL);
	CHECK(set_lock(ends[1], F_WRLCK, SEEK_CUR, 7, 1) == 0);
	CHECK_EQ(locked_as(ends[1], 7, 1), F_WRLCK);
	CHECK_EQ(locked_as(ends[1], 6, 1), F_UNLCK);
	/* The last byte that there can be. */
	CHECK(set_lock(fifo, F_WRLCK, SEEK_CUR, INT64_MAX, 1) == 0);
	CHECK_EQ(locked_as(fifo, INT64_MAX, 0), F_WRLCK);
	CHECK(set_lock(fifo, F_WRLCK, SEEK_CUR, INT64_MAX, 2) == -1 && errno == EOVERFLOW);
	close(fifo);
	close(ends[0]);
	close(ends[1]);
	unlink(PATH);
}

int main(void)
{
	RUN(space_is_reserved);
	RUN(holes_are_punched);
	RUN(ranges_are_zeroed);
	RUN(wrong_ranges_are_refused);
	RUN(a_file_may_have_no_name);
	RUN(a_record_lock_is_split_shrunk_and_merged);
	RUN(record_locks_begin_anywhere);
	RUN(what_has_no_position_is_at_its_beginning);
	RUN(no_lock_outlives_its_descriptor);
	RUN(a_lock_that_could_not_become_stronger_is_lost);
	RUN(who_all_want_more_do_not_wait_for_each_other);
	RUN(who_waits_is_told_of_what_is_given_up);
	RUN(a_descriptor_can_be_asked_and_told);
	RUN(a_directory_is_read_from_where_one_was);
	RUN(locks_are_asked_for_and_taken_by_who_may);
	return test_result();
}
