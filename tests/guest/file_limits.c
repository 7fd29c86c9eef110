/* SPDX-License-Identifier: MIT */
/* How far a file may grow: the space there is, and RLIMIT_FSIZE. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PATH "/tmp/file_limits"
#define PAGE 4096
#define LIMIT 10000

static int fresh(void)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && unlink(PATH) == 0);
	return fd;
}

static struct stat state_of(int fd)
{
	struct stat s;

	CHECK_EQ(fstat(fd, &s), 0);
	return s;
}

static off_t space_left(void)
{
	struct statvfs s;

	CHECK_EQ(statvfs("/tmp", &s), 0);
	return (off_t)(s.f_bavail * s.f_frsize);
}

/* Two pages with a hole between them. */
static int fresh_with_pages(void)
{
	int fd = fresh();

	CHECK_EQ(pwrite(fd, "a", 1, 0), 1);
	CHECK_EQ(pwrite(fd, "b", 1, 2 * PAGE), 1);
	CHECK_EQ(state_of(fd).st_blocks, 2 * PAGE / 512);
	return fd;
}

/* `size` bytes cannot be had, and nothing comes of the attempt. */
static void check_no_space(int fd, off_t size)
{
	struct stat before = state_of(fd), after;
	off_t left = space_left();
	char bytes[2];

	for (int keep = 0; keep < 2; keep++) {
		CHECK(fallocate(fd, keep ? FALLOC_FL_KEEP_SIZE : 0, 0, size) == -1 && errno == ENOSPC);
		after = state_of(fd);
		CHECK_EQ(after.st_size, before.st_size);
		CHECK_EQ(after.st_blocks, before.st_blocks);
		CHECK(space_left() > left - 64 * PAGE);
	}
	CHECK(pread(fd, bytes, 1, 0) == 1 && pread(fd, bytes + 1, 1, 2 * PAGE) == 1);
	CHECK(bytes[0] == 'a' && bytes[1] == 'b');
}

static void what_cannot_fit_is_not_begun(void)
{
	int fd = fresh_with_pages();

	check_no_space(fd, 1L << 42);
	close(fd);
}

/* All that is free fits, but for what the pages' index takes: that is found on the way. */
static void what_did_not_fit_is_taken_back(void)
{
	int fd = fresh_with_pages();

	check_no_space(fd, space_left());
	close(fd);
}

/* What lies behind its end no mapping shows. */
static void also_from_a_file_that_is_mapped(void)
{
	int fd = fresh_with_pages();
	char *shown = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct stat after;

	CHECK(shown != MAP_FAILED && shown[0] == 'a');
	CHECK(fallocate(fd, 0, 0, space_left()) == -1 && errno == ENOSPC);
	after = state_of(fd);
	CHECK(after.st_size == 2 * PAGE + 1 && after.st_blocks <= 3 * PAGE / 512);
	shown[PAGE] = 'c';
	CHECK(pread(fd, shown, 1, PAGE) == 1 && shown[0] == 'c');
	munmap(shown, 3 * PAGE);
	close(fd);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	signals++;
}

/* 0 if `tries` holds of a file of 2 * LIMIT bytes and an empty one in a process that may write LIMIT. */
static int with_limit(int (*tries)(int large, int empty))
{
	struct rlimit wanted = { LIMIT, LIMIT };
	int large = fresh(), empty = fresh(), status = -1;
	pid_t child;

	CHECK_EQ(ftruncate(large, 2 * LIMIT), 0);
	child = fork();
	if (child == 0) {
		signal(SIGXFSZ, count_signal);
		_exit(setrlimit(RLIMIT_FSIZE, &wanted) < 0 ? 99 : tries(large, empty));
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	close(large);
	close(empty);
	return status;
}

static bool is_too_large(long result)
{
	bool so = result == -1 && errno == EFBIG && signals == 1;

	signals = 0;
	return so;
}

static int reserves(int large, int empty)
{
	if (!is_too_large(fallocate(empty, 0, 0, LIMIT + 1)) || state_of(empty).st_blocks)
		return 1;
	if (!is_too_large(fallocate(empty, FALLOC_FL_KEEP_SIZE, 0, LIMIT + 1)))
		return 2;
	if (!is_too_large(fallocate(empty, FALLOC_FL_ZERO_RANGE, LIMIT, 1)))
		return 3;
	if (fallocate(empty, 0, 0, LIMIT) != 0 || fallocate(large, 0, LIMIT, LIMIT) != 0)
		return 4;
	if (fallocate(large, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * LIMIT, 1) != 0)
		return 5;
	return signals != 0;
}

static int cuts(int large, int empty)
{
	if (ftruncate(large, LIMIT + 5) != 0 || ftruncate(large, LIMIT + 5) != 0 || signals)
		return 1;
	return is_too_large(ftruncate(large, LIMIT + 6)) && is_too_large(ftruncate(empty, LIMIT + 1)) ? 0 : 2;
}

/* One call writes what it may, and is not reproached for the rest. */
static int writes_in_parts(int large, int empty)
{
	struct iovec parts[] = { { "a", 1 }, { "bcdefgh", 7 }, { "i", 1 } };

	if (pwritev(empty, parts, 3, LIMIT - 1) != 1 || signals)
		return 1;
	if (pwritev(empty, parts, 3, LIMIT - 3) != 3 || signals)
		return 2;
	return is_too_large(pwritev(empty, parts, 3, LIMIT)) ? 0 : 3;
}

static void space_is_not_reserved_beyond_the_limit(void)
{
	CHECK_EQ(with_limit(reserves), 0);
}

static void what_is_beyond_the_limit_may_be_cut(void)
{
	CHECK_EQ(with_limit(cuts), 0);
}

static void only_a_write_of_nothing_meets_the_limit(void)
{
	CHECK_EQ(with_limit(writes_in_parts), 0);
}

int main(void)
{
	RUN(what_cannot_fit_is_not_begun);
	RUN(what_did_not_fit_is_taken_back);
	RUN(also_from_a_file_that_is_mapped);
	RUN(space_is_not_reserved_beyond_the_limit);
	RUN(what_is_beyond_the_limit_may_be_cut);
	RUN(only_a_write_of_nothing_meets_the_limit);
	return test_result();
}
