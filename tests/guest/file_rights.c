/* SPDX-License-Identifier: MIT */
/* What other users may do with files, and what they may not keep by it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
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

/* 0 if `tries` holds as the real and the effective user. */
static int as_users(uid_t real, uid_t effective, int (*tries)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(setgroups(0, NULL) < 0 || setresgid(effective, effective, effective) < 0 ||
		      setresuid(real, effective, 0) < 0 ? 99 : tries());
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define HIDDEN PATH ".d"

static int the_real_user_sees(void)
{
	if (access(HIDDEN "/file", R_OK) != 0 || faccessat(AT_FDCWD, HIDDEN "/file", F_OK, 0) != 0)
		return 1;
	return faccessat(AT_FDCWD, HIDDEN "/file", R_OK, AT_EACCESS) == 0 || errno != EACCES ? 2 : 0;
}

static int the_effective_user_sees(void)
{
	if (access(HIDDEN "/file", R_OK) == 0 || errno != EACCES)
		return 1;
	/* Neither what was walked lately, nor a link, is a way around. */
	if (faccessat(AT_FDCWD, HIDDEN "/file", R_OK, AT_EACCESS) != 0 || access(HIDDEN "/file", F_OK) == 0)
		return 2;
	if (access(PATH, F_OK) == 0 || errno != EACCES)
		return 3;
	return open(HIDDEN "/file", O_RDONLY) < 0 ? 4 : 0;
}

/* access() asks for the real user, who must find his way to the file as well. */
static void access_walks_as_the_real_user(void)
{
	int fd;

	CHECK_EQ(mkdir(HIDDEN, 0700), 0);
	fd = open(HIDDEN "/file", O_RDWR | O_CREAT, 0666);
	CHECK(fd >= 0 && close(fd) == 0 && symlink(HIDDEN "/file", PATH) == 0);
	CHECK_EQ(as_users(0, OTHER, the_real_user_sees), 0);
	CHECK_EQ(as_users(OTHER, 0, the_effective_user_sees), 0);
	CHECK(unlink(PATH) == 0 && unlink(HIDDEN "/file") == 0 && rmdir(HIDDEN) == 0);
}

static int looks_at_its_descriptors(void)
{
	char name[64], text[128];
	int ends[2], again;
	struct stat s;
	DIR *all;

	prctl(PR_SET_DUMPABLE, 1); /* Linux: else root owns the files of who has changed his user */
	if (pipe(ends) < 0 || stat("/proc/self/fd", &s) < 0 || s.st_uid != OTHER ||
	    (s.st_mode & 07777) != 0500)
		return 1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[1]);
	if (fstat(ends[0], &s) < 0 || s.st_uid != OTHER || s.st_nlink != 1)
		return 7;
	if (lstat(name, &s) < 0 || s.st_uid != OTHER || !S_ISLNK(s.st_mode) || (s.st_mode & 0777) != 0300)
		return 2;
	if (readlink(name, text, sizeof(text)) <= 0)
		return 3;
	again = open(name, O_WRONLY);
	if (again < 0 || write(again, "x", 1) != 1 || read(ends[0], text, 1) != 1)
		return 4;
	snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
	again = open(name, O_RDONLY);
	all = opendir("/proc/self/fd");
	if (again < 0 || !all || !readdir(all))
		return 5;
	if (stat("/proc/self/task", &s) < 0 || s.st_uid != OTHER || stat("/proc/self/maps", &s) < 0 ||
	    s.st_uid != OTHER)
		return 6;
	return closedir(all);
}

static int owns_its_memory_file(void)
{
	int fd = memfd_create("own", 0);
	struct stat s;

	return fd < 0 || fstat(fd, &s) < 0 || s.st_uid != OTHER || s.st_nlink != 0 || fchmod(fd, 0600) < 0;
}

static pid_t parent_of_test;

static int looks_at_those_of_others(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd", parent_of_test);
	return opendir(name) == NULL && errno == EACCES ? 0 : 1;
}

static void descriptors_are_shown_to_their_owner(void)
{
	parent_of_test = getpid();
	CHECK_EQ(as_users(OTHER, OTHER, looks_at_its_descriptors), 0);
	CHECK_EQ(as_users(OTHER, OTHER, looks_at_those_of_others), 0);
	CHECK_EQ(as_users(OTHER, OTHER, owns_its_memory_file), 0);
}

/* By a user who is in GROUP beside his own: 0 if what it gives him holds. */
static int is_in_a_second_group(void)
{
	gid_t second = GROUP;
	struct stat s;

	if (setgroups(1, &second) < 0 || setresgid(OTHER, OTHER, OTHER) < 0 ||
	    setresuid(OTHER, OTHER, 0) < 0)
		return 1;
	if (open(PATH, O_RDONLY) < 0 || open(PATH, O_WRONLY) >= 0 || errno != EACCES)
		return 2;
	if (access(PATH, R_OK) != 0 || access(PATH, W_OK) == 0)
		return 3;
	/* What is his he may give to it, and mark as to be run by its members. */
	if (chown(PATH ".own", (uid_t)-1, GROUP) < 0 || chmod(PATH ".own", 02750) < 0 ||
	    stat(PATH ".own", &s) < 0 || s.st_gid != GROUP || (s.st_mode & 07777) != 02750)
		return 4;
	return chown(PATH ".own", (uid_t)-1, GROUP + 1) == 0 || errno != EPERM ? 5 : 0;
}

static void a_second_group_gives_its_rights(void)
{
	int status, fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int own = open(PATH ".own", O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t child;

	CHECK(fchown(fd, 0, GROUP) == 0 && fchmod(fd, 0640) == 0 && fchown(own, OTHER, OTHER) == 0);
	child = fork();
	if (child == 0)
		_exit(is_in_a_second_group());
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
	CHECK(close(fd) == 0 && close(own) == 0 && unlink(PATH) == 0 && unlink(PATH ".own") == 0);
}

static int names_itself(int fd)
{
	return fchown(fd, (uid_t)-1, (gid_t)-1);
}

static int may_not_name_itself(int fd)
{
	return names_itself(fd) == 0 || errno != EPERM ? -1 : 0;
}

/* Who changes neither owner nor group takes no bits from files that are not his. */
static void only_the_owner_takes_bits_away(void)
{
	const unsigned kept[] = { 06755, 04755, 02755, 02644, 04644 };

	CHECK_EQ(mode_after(0755, OTHER, names_itself), 0755);
	CHECK_EQ(mode_after(01755, OTHER, names_itself), 01755);
	/* To its group it is no program's bit, but a mark. */
	CHECK_EQ(mode_after(02644, GROUP, names_itself), 02644);
	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		CHECK_EQ(mode_after(kept[i], OTHER, may_not_name_itself), kept[i]);
	CHECK_EQ(mode_after(02755, GROUP, may_not_name_itself), 02755);
	unlink(PATH);
}

/* In a set-group-ID directory of GROUP. */
static int makes_no_program_of_the_group(void)
{
	struct stat s;
	int fd = open(HIDDEN "/program", O_RDWR | O_CREAT | O_EXCL, 02770);

	if (fd < 0 || fstat(fd, &s) < 0 || s.st_gid != GROUP || (s.st_mode & 07777) != 0770)
		return 1;
	fd = open(HIDDEN "/mark", O_RDWR | O_CREAT | O_EXCL, 02660);
	if (fd < 0 || fstat(fd, &s) < 0 || s.st_gid != GROUP || (s.st_mode & 07777) != 02660)
		return 2;
	if (mknod(HIDDEN "/node", S_IFREG | 02770, 0) < 0 || stat(HIDDEN "/node", &s) < 0 ||
	    (s.st_mode & 07777) != 0770)
		return 3;
	fd = open(HIDDEN, O_RDWR | O_TMPFILE, 02770);
	if (fd < 0 || fstat(fd, &s) < 0 || s.st_gid != GROUP || (s.st_mode & 07777) != 0770)
		return 4;
	if (mkdir(HIDDEN "/directory", 0770) < 0 || stat(HIDDEN "/directory", &s) < 0 || s.st_gid != GROUP ||
	    (s.st_mode & 07777) != 02770)
		return 5;
	return 0;
}

static int makes_a_program_of_its_group(void)
{
	gid_t group = GROUP;
	struct stat s;
	int fd;

	if (setgroups(1, &group) < 0 || setresgid(OTHER, OTHER, OTHER) < 0 ||
	    setresuid(OTHER, OTHER, OTHER) < 0)
		return 1;
	fd = open(HIDDEN "/own", O_RDWR | O_CREAT | O_EXCL, 02770);
	return fd < 0 || fstat(fd, &s) < 0 || s.st_gid != GROUP || (s.st_mode & 07777) != 02770;
}

/* CVE-2018-13405: what is made there belongs to the directory's group. */
static void a_program_of_a_group_is_made_by_its_members(void)
{
	const char *const made[] = { HIDDEN "/program", HIDDEN "/mark", HIDDEN "/node", HIDDEN "/own" };
	mode_t mask = umask(0);

	CHECK_EQ(mkdir(HIDDEN, 0700), 0);
	CHECK(chown(HIDDEN, 0, GROUP) == 0 && chmod(HIDDEN, 02777) == 0);
	CHECK_EQ(as_users(OTHER, OTHER, makes_no_program_of_the_group), 0);
	CHECK_EQ(in_child(makes_a_program_of_its_group), 0);
	umask(mask);
	for (unsigned i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		CHECK_EQ(unlink(made[i]), 0);
	CHECK(rmdir(HIDDEN "/directory") == 0 && rmdir(HIDDEN) == 0);
}

static int reads_seen_only(void)
{
	int fd = open(PATH, O_RDONLY);

	if (open(PATH, O_RDONLY | O_NOATIME) >= 0 || errno != EPERM)
		return 1;
	if (fd < 0 || fcntl(fd, F_SETFL, O_NOATIME) == 0 || errno != EPERM)
		return 2;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    (fcntl(fd, F_GETFL) & (O_NOATIME | O_NONBLOCK)) != O_NONBLOCK)
		return 3;
	fd = open(PATH ".own", O_RDWR | O_NOATIME);
	return fd < 0 || fcntl(fd, F_SETFL, 0) < 0 || fcntl(fd, F_SETFL, O_NOATIME) < 0 ? 4 : 0;
}

static void only_the_owner_reads_unseen(void)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0644);
	int own = open(PATH ".own", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && own >= 0 && fchown(own, OTHER, OTHER) == 0);
	CHECK_EQ(as_users(OTHER, OTHER, reads_seen_only), 0);
	CHECK(fcntl(fd, F_SETFL, O_NOATIME) == 0 && open(PATH ".own", O_RDONLY | O_NOATIME) >= 0);
	CHECK(close(fd) == 0 && close(own) == 0 && unlink(PATH) == 0 && unlink(PATH ".own") == 0);
}

static int opens_what_is_for_all(void)
{
	const char *const all[] = { "null", "zero", "full", "random", "urandom", "ptmx" };
	const char *const roots[] = { "console", "tty1", "ttyS0", "host/0", "host/1", "host/2", "host/ctl",
				      "host/trace", "domain", "exo/trace", "irq/0", "mem" };
	char path[32];
	struct stat s;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(path, sizeof(path), "/dev/%s", all[i]);
		if (open(path, O_RDWR) < 0)
			return (int)i + 1;
	}
	if (stat("/dev/tty", &s) < 0 || (s.st_mode & 0777) != 0666)
		return 50;
	for (unsigned i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		snprintf(path, sizeof(path), "/dev/%s", roots[i]);
		for (int way = O_RDONLY; way <= O_RDWR; way++)
			if (open(path, way | O_NONBLOCK | O_NOCTTY) >= 0 ||
			    (errno != EACCES && errno != ENOENT))
				return (int)i + 100;
	}
	return 0;
}

/* Terminals and what stands for the machine are root's: who types a password there is read by nobody else. */
static void devices_are_roots(void)
{
	CHECK_EQ(as_users(OTHER, OTHER, opens_what_is_for_all), 0);
}

int main(void)
{
	RUN(access_walks_as_the_real_user);
	RUN(descriptors_are_shown_to_their_owner);
	RUN(changed_contents_lose_their_rights);
	RUN(a_second_group_gives_its_rights);
	RUN(only_the_owner_takes_bits_away);
	RUN(a_program_of_a_group_is_made_by_its_members);
	RUN(only_the_owner_reads_unseen);
	RUN(devices_are_roots);
	return test_result();
}
