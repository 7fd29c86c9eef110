/* SPDX-License-Identifier: MIT */
/* What other users may do with files, and what they may not keep by it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PATH "/tmp/file_rights"
#define OTHER 1000
#define GROUP 500

/* The mode that is left of `mode` (root's file, of GROUP) when a user has done `changes` to it. */
static unsigned mode_after(unsigned mode, gid_t group, int (*changes)(int fd))
{
	struct stat s;
	pid_t child;
	int status, fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
	CHECK(fchown(fd, 0, GROUP) == 0 && fchmod(fd, mode) == 0);
	child = fork();
	if (child == 0)
		_exit(setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
		      setresuid(OTHER, OTHER, OTHER) < 0 || changes(fd) < 0);
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(fstat(fd, &s), 0);
	close(fd);
	return s.st_mode & 07777;
}

static int writes(int fd)
{
	return pwrite(fd, "x", 1, 0) == 1 ? 0 : -1;
}

static int cuts(int fd)
{
	return ftruncate(fd, 5);
}

static int reserves(int fd)
{
	return fallocate(fd, 0, 0, 20000);
}

static int punches(int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
}

/* Nobody makes a program of his own of one that runs as somebody else. */
static void changed_contents_lose_their_rights(void)
{
	int (*const changes[])(int) = { writes, cuts, reserves, punches };

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		CHECK_EQ(mode_after(06777, OTHER, changes[i]), 0777);
		CHECK_EQ(mode_after(06777, GROUP, changes[i]), 0777);
		/* Without the right to execute it is a mark that the group's members may set. */
		CHECK_EQ(mode_after(02666, OTHER, changes[i]), 0666);
		CHECK_EQ(mode_after(02666, GROUP, changes[i]), 02666);
	}
	unlink(PATH);
}

int main(void)
{
	RUN(changed_contents_lose_their_rights);
	return test_result();
}
