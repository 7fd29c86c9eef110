/* SPDX-License-Identifier: MIT */
/* copy_file_range and sendfile: positions of their own, ends, and what is refused. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include "test.h"

#define SIZE 10000

static char pattern[SIZE], seen[SIZE];

static int with_pattern(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	for (int i = 0; i < SIZE; i++)
		pattern[i] = (char)(i * 7 + i / 251);
	CHECK_EQ(write(fd, pattern, SIZE), SIZE);
	unlink(path);
	return fd;
}

static int empty(int flags)
{
	int fd = open("/tmp/copy_range_to", O_RDWR | O_CREAT | O_TRUNC | flags, 0600);

	CHECK(fd >= 0);
	unlink("/tmp/copy_range_to");
	return fd;
}

static void positions_are_kept_or_ones_own(void)
{
	int from = with_pattern("/tmp/copy_range_from"), to = empty(0);
	off64_t in = 100, out = 5000;

	CHECK_EQ(copy_file_range(from, &in, to, &out, 3000, 0), 3000);
	CHECK(in == 3100 && out == 8000);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), SIZE);
	CHECK_EQ(lseek(to, 0, SEEK_CUR), 0);
	CHECK_EQ(pread(to, seen, SIZE, 0), 8000);
	CHECK(seen[0] == 0 && seen[4999] == 0 && memcmp(seen + 5000, pattern + 100, 3000) == 0);
	CHECK_EQ(lseek(from, 40, SEEK_SET), 40);
	CHECK_EQ(copy_file_range(from, NULL, to, NULL, 60, 0), 60);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), 100);
	CHECK_EQ(lseek(to, 0, SEEK_CUR), 60);
	in = SIZE - 5;
	CHECK_EQ(copy_file_range(from, &in, to, NULL, 100, 0), 5);
	CHECK_EQ(copy_file_range(from, &in, to, NULL, 100, 0), 0);
	close(from);
	close(to);
}

static void what_makes_no_sense_is_refused(void)
{
	int from = with_pattern("/tmp/copy_range_from"), to = empty(0), end = empty(O_APPEND), fds[2];
	off64_t in = 100, out = 150;

	CHECK(copy_file_range(from, &in, from, &out, 100, 0) == -1 && errno == EINVAL);
	out = 200;
	CHECK_EQ(copy_file_range(from, &in, from, &out, 100, 0), 100);
	CHECK_EQ(pread(from, seen, 300, 0), 300);
	CHECK(memcmp(seen + 200, pattern + 100, 100) == 0 && memcmp(seen, pattern, 200) == 0);
	in = 0;
	CHECK(copy_file_range(from, &in, end, NULL, 10, 0) == -1 && errno == EBADF);
	CHECK(copy_file_range(from, &in, to, NULL, 10, 1) == -1 && errno == EINVAL);
	CHECK(pipe(fds) == 0);
	CHECK(copy_file_range(fds[0], NULL, to, NULL, 10, 0) == -1 && errno == EINVAL);
	CHECK(copy_file_range(from, &in, fds[1], NULL, 10, 0) == -1 && errno == EINVAL);
	CHECK(copy_file_range(from, &in, 999, NULL, 10, 0) == -1 && errno == EBADF);
	close(fds[0]);
	close(fds[1]);
	close(from);
	close(to);
	close(end);
}

static void sendfile_feeds_a_pipe(void)
{
	int from = with_pattern("/tmp/copy_range_from"), fds[2];
	off_t at = 9000;

	CHECK(pipe(fds) == 0);
	CHECK_EQ(sendfile(fds[1], from, &at, 5000), 1000);
	CHECK_EQ(at, SIZE);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), SIZE);
	CHECK_EQ(read(fds[0], seen, SIZE), 1000);
	CHECK(memcmp(seen, pattern + 9000, 1000) == 0);
	CHECK_EQ(lseek(from, 10, SEEK_SET), 10);
	CHECK_EQ(sendfile(fds[1], from, NULL, 20), 20);
	CHECK_EQ(lseek(from, 0, SEEK_CUR), 30);
	at = -1;
	CHECK(sendfile(fds[1], from, &at, 1) == -1 && errno == EINVAL);
	CHECK(sendfile(from, fds[0], NULL, 1) == -1 && errno == EINVAL);
	close(fds[0]);
	close(fds[1]);
	close(from);
}

/* Nothing is left to be copied at a file's end, so it cannot overlap. */
static void a_file_copies_nothing_of_its_end(void)
{
	int fd = with_pattern("/tmp/copy_range_from"), end = empty(O_APPEND);
	off_t at = 0;
	off64_t in = SIZE - 10, out = SIZE;

	CHECK_EQ(copy_file_range(fd, NULL, fd, NULL, 100, 0), 0);
	CHECK_EQ(copy_file_range(fd, &in, fd, &out, 100, 0), 10);
	in = SIZE;
	out = SIZE - 5;
	CHECK(copy_file_range(fd, &in, fd, &out, 100, 0) == -1 && errno == EINVAL);
	CHECK(sendfile(end, fd, &at, 10) == -1 && errno == EINVAL);
	CHECK_EQ(lseek(end, 0, SEEK_END), 0);
	close(fd);
	close(end);
}

int main(void)
{
	RUN(positions_are_kept_or_ones_own);
	RUN(what_makes_no_sense_is_refused);
	RUN(sendfile_feeds_a_pipe);
	RUN(a_file_copies_nothing_of_its_end);
	return test_result();
}
