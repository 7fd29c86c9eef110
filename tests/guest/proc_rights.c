/* SPDX-License-Identifier: MIT */
/* Who may look into a process through /proc, at its memory, its files and where it stands. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "test.h"

#define HIDDEN "/tmp/proc_rights.d"
#define OTHER 1000

static pid_t target;
static const char *const links[] = { "cwd", "root", "exe", "fd/0" };

static const char *path_of(const char *what)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", target, what);
	return path;
}

static void become_other(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(OTHER, OTHER, OTHER) < 0 ||
	    setresuid(OTHER, OTHER, OTHER) < 0)
		_exit(99);
}

/* The number of what the caller may look at in the target: links are read, maps is opened. */
static int count_seen(void)
{
	char text[PATH_MAX];
	int seen = 0, fd;

	for (unsigned i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (readlink(path_of(links[i]), text, sizeof(text)) > 0)
			seen++;
		else if (errno != EACCES)
			return -1;
	fd = open(path_of("maps"), O_RDONLY);
	if (fd < 0)
		return errno == EACCES ? seen : -1;
	seen += read(fd, text, sizeof(text)) > 0;
	close(fd);
	return seen;
}

#define ALL_SEEN 5

static int other_sees_all(void)
{
	become_other();
	return count_seen() != ALL_SEEN;
}

static int other_sees_nothing(void)
{
	become_other();
	return count_seen() != 0;
}

static int root_sees_all(void)
{
	return count_seen() != ALL_SEEN;
}

/* A process that has prepared itself, and waits to be killed. */
static void start_target(void (*prepare)(void))
{
	int ready[2];
	char c;

	CHECK_EQ(pipe(ready), 0);
	target = fork();
	if (target == 0) {
		prepare();
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK(target > 0);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
}

static void end_target(void)
{
	CHECK(kill(target, SIGKILL) == 0 && waitpid(target, NULL, 0) == target);
}

static void goes_into_hiding(void)
{
	if (chdir(HIDDEN "/in") < 0)
		_exit(1);
}

static int finds_no_way_in(void)
{
	const char *const inside[] = { "cwd/file", "cwd", "root", "exe", "root/tmp", "cwd/../in/file" };
	struct stat s;

	become_other();
	if (open(HIDDEN "/in/file", O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	for (unsigned i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		if (open(path_of(inside[i]), O_RDONLY) >= 0 || errno != EACCES ||
		    stat(path_of(inside[i]), &s) == 0 || errno != EACCES)
			return 2;
	if (opendir(path_of("fd")) || errno != EACCES || chdir(path_of("cwd")) == 0 || errno != EACCES)
		return 3;
	/* What ps shows is for all. */
	if (open(path_of("stat"), O_RDONLY) < 0 || open(path_of("status"), O_RDONLY) < 0 ||
	    open(path_of("cmdline"), O_RDONLY) < 0 || lstat(path_of("cwd"), &s) < 0)
		return 4;
	return 0;
}

static void a_process_is_no_way_into_a_directory(void)
{
	int fd;

	mkdir(HIDDEN, 0700);
	mkdir(HIDDEN "/in", 0755);
	fd = open(HIDDEN "/in/file", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0 && close(fd) == 0);
	start_target(goes_into_hiding);
	CHECK_EQ(in_child(finds_no_way_in), 0);
	CHECK_EQ(in_child(other_sees_nothing), 0);
	CHECK_EQ(in_child(root_sees_all), 0);
	end_target();
	CHECK(unlink(HIDDEN "/in/file") == 0 && rmdir(HIDDEN "/in") == 0 && rmdir(HIDDEN) == 0);
}

static void becomes_other_as_by_exec(void)
{
	become_other();
	prctl(PR_SET_DUMPABLE, 1); /* which exec does */
}

static void users_see_their_own(void)
{
	start_target(becomes_other_as_by_exec);
	CHECK_EQ(in_child(other_sees_all), 0);
	CHECK_EQ(in_child(root_sees_all), 0);
	end_target();
}

/* It may know what it read when it was root. */
static void who_has_just_become_another_is_hidden(void)
{
	struct stat s;

	start_target(become_other);
	CHECK_EQ(in_child(other_sees_nothing), 0);
	CHECK_EQ(in_child(root_sees_all), 0);
	CHECK(stat(path_of("maps"), &s) == 0 && s.st_uid == 0);
	CHECK(stat(path_of("fd"), &s) == 0 && s.st_uid == 0);
	CHECK(stat(path_of("."), &s) == 0 && s.st_uid == OTHER);
	end_target();
}

static void keeps_a_way_back(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(OTHER, OTHER, OTHER) < 0 || setresuid(OTHER, OTHER, 0) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
}

static void keeps_another_group(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(OTHER, OTHER, 0) < 0 || setresuid(OTHER, OTHER, OTHER) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
}

static void all_ids_count(void)
{
	start_target(keeps_a_way_back);
	CHECK_EQ(in_child(other_sees_nothing), 0);
	end_target();
	start_target(keeps_another_group);
	CHECK_EQ(in_child(other_sees_nothing), 0);
	end_target();
}

static int sees_itself(void)
{
	char text[PATH_MAX];
	DIR *all;
	int ends[2], again;

	become_other();
	target = getpid();
	if (count_seen() != ALL_SEEN || pipe(ends) < 0)
		return 1;
	all = opendir("/proc/self/fd");
	if (!all || !readdir(all))
		return 2;
	snprintf(text, sizeof(text), "/dev/fd/%d", ends[0]);
	again = open(text, O_RDONLY);
	return again < 0 ? 3 : 0;
}

static void a_process_sees_itself(void)
{
	CHECK_EQ(in_child(sees_itself), 0);
}

int main(void)
{
	RUN(a_process_is_no_way_into_a_directory);
	RUN(users_see_their_own);
	RUN(who_has_just_become_another_is_hidden);
	RUN(all_ids_count);
	RUN(a_process_sees_itself);
	return test_result();
}
