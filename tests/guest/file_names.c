/* SPDX-License-Identifier: MIT */
/* Which files have names, and which get some: links to what has none, and names that are too long. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "test.h"

#define PATH "/tmp/file_names"
#define DEEP PATH ".d"
#define LEVELS 25
#define LEVEL_LENGTH 200 /* of a name: all together more than PATH_MAX */

/* linkat() of what the descriptor names: 0, or errno. */
static int link_error(int fd)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, name, AT_FDCWD, PATH, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

static nlink_t links_of(int fd)
{
	struct stat s;

	CHECK_EQ(fstat(fd, &s), 0);
	return s.st_nlink;
}

static void what_was_deleted_stays_deleted(void)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600), memory;

	CHECK(fd >= 0 && unlink(PATH) == 0);
	CHECK_EQ(link_error(fd), ENOENT);
	CHECK(access(PATH, F_OK) == -1 && links_of(fd) == 0);
	memory = memfd_create("nameless", 0);
	CHECK(memory >= 0 && link_error(memory) != 0);
	close(memory);
	close(fd);
}

static void a_deleted_directory_stays_deleted(void)
{
	int fd;

	CHECK_EQ(mkdir(PATH, 0700), 0);
	fd = open(PATH, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && rmdir(PATH) == 0);
	CHECK_EQ(link_error(fd), EPERM);
	close(fd);
}

static void a_file_without_a_name_gets_one(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & O_TMPFILE) == O_TMPFILE);
	CHECK_EQ(link_error(fd), 0);
	CHECK_EQ(links_of(fd), 1);
	CHECK_EQ(link_error(fd), EEXIST);
	/* It has had its name. */
	CHECK_EQ(unlink(PATH), 0);
	CHECK_EQ(link_error(fd), ENOENT);
	close(fd);
}

static void unless_nobody_shall_ever_see_it(void)
{
	int fd = open("/tmp", O_TMPFILE | O_EXCL | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(link_error(fd), ENOENT);
	close(fd);
}

/* Down to a directory whose path is longer than any that a call takes. */
static void go_deep(void)
{
	char name[LEVEL_LENGTH + 1];

	memset(name, 'd', LEVEL_LENGTH);
	name[LEVEL_LENGTH] = 0;
	CHECK(mkdir(DEEP, 0700) == 0 && chdir(DEEP) == 0);
	for (int i = 0; i < LEVELS; i++)
		CHECK(mkdir(name, 0700) == 0 && chdir(name) == 0);
}

static void come_up(void)
{
	char name[LEVEL_LENGTH + 1];

	memset(name, 'd', LEVEL_LENGTH);
	name[LEVEL_LENGTH] = 0;
	for (int i = 0; i < LEVELS; i++)
		CHECK(chdir("..") == 0 && rmdir(name) == 0);
	CHECK(chdir("/") == 0 && rmdir(DEEP) == 0);
}

static void a_path_may_be_too_long_to_be_told(void)
{
	static char text[2 * PATH_MAX];
	struct stat here, there;
	char name[64];
	int fd;

	go_deep();
	CHECK(syscall(SYS_getcwd, text, sizeof(text)) == -1 && errno == ENAMETOOLONG);
	CHECK(readlink("/proc/self/cwd", text, sizeof(text)) == -1 && errno == ENAMETOOLONG);
	CHECK(stat("/proc/self/cwd", &there) == 0 && stat(".", &here) == 0 && here.st_ino == there.st_ino);
	fd = open(".", O_RDONLY);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK(readlink(name, text, sizeof(text)) == -1 && errno == ENAMETOOLONG);
	CHECK(close(fd) == 0);
	come_up();
	CHECK(syscall(SYS_getcwd, text, sizeof(text)) == 2);
}

static void an_empty_path_names_no_link(void)
{
	char text[16];
	int fd;

	CHECK(readlink("", text, sizeof(text)) == -1 && errno == ENOENT);
	CHECK(readlink("/", text, sizeof(text)) == -1 && errno == EINVAL);
	CHECK_EQ(symlink("target", PATH), 0);
	fd = open(PATH, O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0 && readlinkat(fd, "", text, sizeof(text)) == 6 && memcmp(text, "target", 6) == 0);
	CHECK(close(fd) == 0 && unlink(PATH) == 0);
}

static void nothing_is_created_in_proc(void)
{
	CHECK(open("/proc/self/fd/77", O_RDONLY | O_CREAT, 0600) == -1 && errno == ENOENT);
	CHECK(open("/proc/nothing", O_WRONLY | O_CREAT, 0600) == -1 && errno == ENOENT);
}

int main(void)
{
	RUN(what_was_deleted_stays_deleted);
	RUN(a_deleted_directory_stays_deleted);
	RUN(a_file_without_a_name_gets_one);
	RUN(unless_nobody_shall_ever_see_it);
	RUN(a_path_may_be_too_long_to_be_told);
	RUN(an_empty_path_names_no_link);
	RUN(nothing_is_created_in_proc);
	return test_result();
}
