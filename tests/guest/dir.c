/* SPDX-License-Identifier: MIT */
/* Names: directories, links, paths, permissions, listings that change underneath. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define HERE "/tmp/test.dir"

static void start(void)
{
	system("rm -rf " HERE);
	CHECK(mkdir(HERE, 0755) == 0);
	CHECK(chdir(HERE) == 0);
}

static void make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static int fails_with(int result, int error)
{
	return result == -1 && errno == error;
}

static void working_directory_has_a_name(void)
{
	char name[PATH_MAX];

	start();
	CHECK(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0 && chdir("a/b") == 0);
	CHECK(getcwd(name, sizeof(name)) && strcmp(name, HERE "/a/b") == 0);
	CHECK(chdir("..") == 0);
	CHECK(getcwd(name, sizeof(name)) && strcmp(name, HERE "/a") == 0);
	CHECK(rename(HERE "/a", HERE "/z") == 0);
	CHECK(getcwd(name, sizeof(name)) && strcmp(name, HERE "/z") == 0);
	CHECK(!getcwd(name, 3) && errno == ERANGE);
	CHECK(rmdir("b") == 0 && rmdir(HERE "/z") == 0);
	CHECK(!getcwd(name, sizeof(name)) && errno == ENOENT);
	CHECK(fails_with(open("new", O_CREAT | O_WRONLY, 0644), ENOENT));
}

static void symbolic_links_are_followed(void)
{
	char text[16];
	struct stat st;

	start();
	make("file");
	CHECK(symlink("file", "link") == 0 && symlink("loop2", "loop1") == 0 &&
	      symlink("loop1", "loop2") == 0);
	CHECK(stat("link", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(lstat("link", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 4);
	CHECK(readlink("link", text, sizeof(text)) == 4 && memcmp(text, "file", 4) == 0);
	CHECK(fails_with(stat("loop1", &st), ELOOP));
	CHECK(fails_with(open("link", O_RDONLY | O_NOFOLLOW), ELOOP));
	CHECK(fails_with(stat("link/", &st), ENOTDIR));
	CHECK(symlink("made", "dangling") == 0);
	make("dangling");
	CHECK(lstat("made", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(fails_with(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST));
}

static void paths_have_limits(void)
{
	char name[300], path[5000];

	start();
	memset(name, 'n', sizeof(name));
	name[255] = 0;
	make(name);
	name[255] = 'n';
	name[256] = 0;
	CHECK(fails_with(open(name, O_RDONLY), ENAMETOOLONG));
	memset(path, '/', sizeof(path));
	path[4095] = 0;
	CHECK(access(path, F_OK) == 0);
	path[4095] = '/';
	path[4096] = 0;
	CHECK(fails_with(access(path, F_OK), ENAMETOOLONG));
	CHECK(fails_with(access("", F_OK), ENOENT));
	make("file");
	CHECK(fails_with(access("file/x", F_OK), ENOTDIR));
}

static void hard_links_share_an_inode(void)
{
	struct stat a, b;

	start();
	make("one");
	CHECK(link("one", "two") == 0);
	CHECK(stat("one", &a) == 0 && stat("two", &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
	CHECK(unlink("one") == 0);
	CHECK(stat("two", &b) == 0 && b.st_nlink == 1);
	CHECK(fails_with(link(".", "dir"), EPERM));
	CHECK(fails_with(link("two", "two"), EEXIST));
}

static void rename_follows_posix(void)
{
	start();
	make("file");
	CHECK(mkdir("dir", 0755) == 0 && mkdir("dir/sub", 0755) == 0 && mkdir("empty", 0755) == 0);
	CHECK(fails_with(rename("dir", "dir/sub/x"), EINVAL));
	CHECK(fails_with(rename("dir", "file"), ENOTDIR));
	CHECK(fails_with(rename("file", "dir"), EISDIR));
	CHECK(fails_with(rename("empty", "dir"), ENOTEMPTY));
	CHECK(rename("dir", "empty") == 0);
	CHECK(access("empty/sub", F_OK) == 0 && fails_with(access("dir", F_OK), ENOENT));
	make("other");
	CHECK(rename("file", "other") == 0 && fails_with(access("file", F_OK), ENOENT));
	CHECK(fails_with((int)syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, "empty", 1),
			 EEXIST));
	CHECK(syscall(SYS_renameat2, AT_FDCWD, "other", AT_FDCWD, "empty", 2) == 0);
	CHECK(access("other/sub", F_OK) == 0);
}

static void directories_refuse_what_they_must(void)
{
	start();
	CHECK(mkdir("d", 0755) == 0);
	make("d/f");
	CHECK(fails_with(rmdir("d"), ENOTEMPTY));
	CHECK(fails_with(unlink("d"), EISDIR));
	CHECK(fails_with(rmdir("d/f"), ENOTDIR));
	CHECK(fails_with(mkdir("d", 0755), EEXIST));
	CHECK(fails_with(open("d", O_WRONLY), EISDIR));
	CHECK(fails_with(rmdir("d/."), EINVAL));
	CHECK(fails_with(rmdir("/proc"), EBUSY));
	CHECK(fails_with(mkdir("/proc/x", 0755), EPERM) || errno == ENOENT);
}

static void relative_calls_start_at_their_directory(void)
{
	struct stat st;
	int d;

	start();
	CHECK(mkdir("d", 0755) == 0);
	d = open("d", O_RDONLY | O_DIRECTORY);
	CHECK(d >= 0);
	CHECK(close(openat(d, "f", O_CREAT | O_WRONLY, 0600)) == 0);
	CHECK(fstatat(d, "f", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(mkdirat(d, "sub", 0700) == 0 && renameat(d, "f", d, "sub/g") == 0);
	CHECK(access("d/sub/g", F_OK) == 0);
	CHECK(unlinkat(d, "sub/g", 0) == 0 && unlinkat(d, "sub", AT_REMOVEDIR) == 0);
	CHECK(fstatat(d, "", &st, AT_EMPTY_PATH) == 0 && S_ISDIR(st.st_mode));
	CHECK(fails_with(fstatat(999, "x", &st, 0), EBADF));
	CHECK(fchdir(d) == 0 && access("../d", F_OK) == 0);
	close(d);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_nlink == b->st_nlink &&
	       a->st_mode == b->st_mode && a->st_size == b->st_size &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Each call of the C library fills the same structure, whichever of the libos's it is made of. */
static void every_way_to_ask_tells_the_same(void)
{
	struct stat first, st, before;
	int fd, d;

	start();
	CHECK(mkdir("d", 0755) == 0);
	fd = open("d/f", O_CREAT | O_WRONLY, 0640);
	CHECK(write(fd, "1234567", 7) == 7 && symlink("f", "d/link") == 0);
	d = open("d", O_RDONLY | O_DIRECTORY);
	CHECK(stat("d/f", &first) == 0 && first.st_size == 7 && first.st_mode == (S_IFREG | 0640));
	CHECK(first.st_blksize == 4096 && first.st_nlink == 1 && first.st_mtim.tv_sec > 0);
	CHECK(stat("d/link", &st) == 0 && is_same(&first, &st));
	CHECK(fstat(fd, &st) == 0 && is_same(&first, &st));
	CHECK(fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && is_same(&first, &st));
	CHECK(fstatat(d, "f", &st, 0) == 0 && is_same(&first, &st));
	CHECK(fstatat(d, "link", &st, 0) == 0 && is_same(&first, &st));
	CHECK(fstatat(AT_FDCWD, "d/f", &st, AT_SYMLINK_NOFOLLOW) == 0 && is_same(&first, &st));
	CHECK(lstat("d/link", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 1);
	CHECK(fstatat(d, "link", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
	close(fd);
	fd = open("d/f", O_PATH);
	CHECK(fstat(fd, &st) == 0 && is_same(&first, &st));
	CHECK(close(fd) == 0 && fails_with(fstat(fd, &st), EBADF));
	memset(&st, 0x5a, sizeof(st));
	before = st;
	CHECK(fails_with(stat("d/none", &st), ENOENT) && fails_with(fstat(-1, &st), EBADF));
	CHECK(fails_with(fstatat(d, "f", &st, 0x40000000), EINVAL));
	CHECK(memcmp(&st, &before, sizeof(st)) == 0);
	close(d);
}

static void modes_obey_umask_and_owners(void)
{
	struct stat st;
	int status;

	start();
	umask(027);
	make("f");
	CHECK(mkdir("d", 0777) == 0);
	CHECK(stat("f", &st) == 0 && (st.st_mode & 0777) == 0640);
	CHECK(stat("d", &st) == 0 && (st.st_mode & 0777) == 0750);
	umask(022);
	CHECK(chmod("f", 0600) == 0 && mkdir("open", 0777) == 0 && chmod("open", 01777) == 0);
	make("open/mine");
	if (fork() == 0) {
		if (setgid(1000) != 0 || setuid(1000) != 0)
			_exit(1);
		if (!fails_with(open("f", O_RDONLY), EACCES) ||
		    !fails_with(access("d/x", F_OK), EACCES))
			_exit(2);
		if (!fails_with(unlink("open/mine"), EPERM) || !fails_with(chmod("f", 0666), EPERM))
			_exit(3);
		if (close(open("open/theirs", O_CREAT | O_WRONLY, 0600)) || unlink("open/theirs"))
			_exit(4);
		_exit(0);
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	/* A new owner has not said what others may do in his name, whoever made him the owner. */
	CHECK(chmod("f", 06755) == 0 && chown("f", 1, 2) == 0);
	CHECK(stat("f", &st) == 0 && (st.st_mode & 07777) == 0755 && st.st_uid == 1 && st.st_gid == 2);
	CHECK(chmod("d", 02755) == 0 && chown("d", 1, 2) == 0);
	CHECK(stat("d", &st) == 0 && (st.st_mode & 07777) == 02755);
	/* What is made in such a directory belongs to its group; a directory goes on like that. */
	make("d/f");
	CHECK(mkdir("d/d", 0755) == 0);
	CHECK(stat("d/f", &st) == 0 && st.st_gid == 2 && (st.st_mode & 07777) == 0644);
	CHECK(stat("d/d", &st) == 0 && st.st_gid == 2 && (st.st_mode & 07777) == 02755);
}

static void access_asks_for_the_real_user(void)
{
	int status;

	start();
	make("f");
	CHECK(chmod("f", 0600) == 0);
	if (fork() == 0) {
		if (setresuid(1000, 0, 0) != 0)
			_exit(1);
		if (!fails_with(access("f", R_OK), EACCES))
			_exit(2);
		if (faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS) != 0)
			_exit(3);
		_exit(0);
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

static void times_are_kept(void)
{
	struct timespec set[2] = { { 100, 5 }, { 200, 6 } };
	struct stat before, after;

	start();
	make("f");
	CHECK(utimensat(AT_FDCWD, "f", set, 0) == 0);
	CHECK(stat("f", &before) == 0);
	CHECK(before.st_atim.tv_sec == 100 && before.st_atim.tv_nsec == 5);
	CHECK(before.st_mtim.tv_sec == 200 && before.st_mtim.tv_nsec == 6);
	CHECK(before.st_ctim.tv_sec > 200);
	CHECK(truncate("f", 10) == 0);
	CHECK(stat("f", &after) == 0 && after.st_mtim.tv_sec > 200);
}

static void listing_survives_removal(void)
{
	char path[64];
	struct dirent *e;
	int seen = 0;
	DIR *d;

	start();
	for (int n = 0; n < 500; n++) {
		snprintf(path, sizeof(path), "f%d", n);
		make(path);
	}
	d = opendir(".");
	CHECK(d != NULL);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		CHECK(e->d_type == DT_REG);
		CHECK(unlink(e->d_name) == 0);
		seen++;
	}
	closedir(d);
	CHECK_EQ(seen, 500);
	CHECK(chdir("/") == 0 && rmdir(HERE) == 0);
}

#define MANY 300

static void make_many(void)
{
	char path[64];

	start();
	for (int n = 0; n < MANY; n++) {
		snprintf(path, sizeof(path), "f%d", n);
		make(path);
	}
}

static void clear_all(void)
{
	struct dirent *e;
	DIR *d = opendir(".");

	CHECK(d != NULL);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			CHECK(unlink(e->d_name) == 0);
	closedir(d);
	CHECK(chdir("/") == 0 && rmdir(HERE) == 0);
}

/* Who gives each file that he finds another name does not find it again for ever. */
static void a_listing_ends_though_its_names_change(void)
{
	char path[64];
	struct dirent *e;
	int seen = 0;
	DIR *d;

	make_many();
	d = opendir(".");
	CHECK(d != NULL);
	while ((e = readdir(d)) && seen <= 10 * MANY) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "g%d", seen++);
		CHECK(rename(e->d_name, path) == 0);
		snprintf(path, sizeof(path), "h%d", seen);
		make(path);
	}
	CHECK(seen >= MANY && seen <= 10 * MANY);
	/* Who begins again finds all. */
	rewinddir(d);
	for (seen = 0; (e = readdir(d));)
		seen += e->d_name[0] != '.';
	CHECK(seen >= 2 * MANY);
	closedir(d);
	clear_all();
}

/* In pieces of a few names, with others going and coming between them: what stays is listed once. */
static void what_stays_is_listed_once(void)
{
	char path[64], buffer[160];
	int seen[MANY] = { 0 }, fd, calls = 0;
	long n;

	make_many();
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < n; at += *(unsigned short *)(buffer + at + 16))
			if (buffer[at + 19] == 'f')
				seen[atoi(buffer + at + 20)]++;
		/* Every third goes, from both ends and where the listing is. */
		for (int i = 0; i < 3; i++) {
			int which = i == 0 ? calls : i == 1 ? MANY - calls : 3 * calls;

			snprintf(path, sizeof(path), "f%d", which / 3 * 3);
			unlink(path);
		}
		snprintf(path, sizeof(path), "new%d", calls++);
		make(path);
		CHECK(calls < 2 * MANY);
	}
	CHECK_EQ(n, 0);
	close(fd);
	for (int i = 0; i < MANY; i++)
		CHECK(i % 3 ? seen[i] == 1 : seen[i] <= 1);
	clear_all();
}

static void *rename_round(void *stop)
{
	while (!*(volatile int *)stop) {
		rename("x", "y");
		rename("y", "x");
	}
	return NULL;
}

/* A name that moves is always one of the two; a lookup never meets a tree that is half changed. */
static void lookup_during_rename_finds_one(void)
{
	pthread_t thread;
	struct stat st;
	int stop = 0, found = 0;

	start();
	CHECK(mkdir("x", 0755) == 0 && mkdir("x/in", 0755) == 0);
	CHECK(pthread_create(&thread, NULL, rename_round, &stop) == 0);
	for (int n = 0; n < 3000; n++)
		found += stat("x/in", &st) == 0 || stat("y/in", &st) == 0;
	stop = 1;
	pthread_join(thread, NULL);
	/* Between the two looks it may move the other way, but not often. */
	CHECK(found > 1000);
	CHECK(stat("x/in", &st) == 0 || stat("y/in", &st) == 0);
}

static void files_made_by_many_are_all_there(void)
{
	enum { PROCESSES = 4, FILES = 100 };
	char path[32];
	int status;

	start();
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			for (int n = 0; n < FILES; n++) {
				snprintf(path, sizeof(path), "p%d.%d", p, n);
				if (close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)) != 0)
					_exit(1);
			}
			_exit(0);
		}
	while (wait(&status) > 0)
		CHECK_EQ(status, 0);
	for (int p = 0; p < PROCESSES; p++)
		for (int n = 0; n < FILES; n++) {
			snprintf(path, sizeof(path), "p%d.%d", p, n);
			CHECK(unlink(path) == 0);
		}
	CHECK(chdir("/") == 0 && rmdir(HERE) == 0);
}

/* Of several that create one name exclusively, one succeeds. */
static void exclusive_creation_has_one_winner(void)
{
	int status, winners = 0;

	start();
	for (int p = 0; p < 6; p++)
		if (fork() == 0)
			_exit(open("one", O_CREAT | O_EXCL | O_WRONLY, 0644) >= 0);
	while (wait(&status) > 0)
		winners += WEXITSTATUS(status);
	CHECK_EQ(winners, 1);
}

static void a_removed_directory_lists_nothing(void)
{
	char records[512];
	int fd;

	start();
	CHECK(mkdir("gone", 0755) == 0);
	fd = open("gone", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && syscall(SYS_getdents64, fd, records, sizeof(records)) > 0);
	CHECK(rmdir("gone") == 0);
	CHECK(fails_with((int)syscall(SYS_getdents64, fd, records, sizeof(records)), ENOENT));
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(fails_with((int)syscall(SYS_getdents64, fd, records, sizeof(records)), ENOENT));
	close(fd);
}

int main(void)
{
	RUN(working_directory_has_a_name);
	RUN(symbolic_links_are_followed);
	RUN(paths_have_limits);
	RUN(hard_links_share_an_inode);
	RUN(rename_follows_posix);
	RUN(directories_refuse_what_they_must);
	RUN(relative_calls_start_at_their_directory);
	RUN(every_way_to_ask_tells_the_same);
	RUN(modes_obey_umask_and_owners);
	RUN(access_asks_for_the_real_user);
	RUN(times_are_kept);
	RUN(listing_survives_removal);
	RUN(a_listing_ends_though_its_names_change);
	RUN(what_stays_is_listed_once);
	RUN(lookup_during_rename_finds_one);
	RUN(files_made_by_many_are_all_there);
	RUN(exclusive_creation_has_one_winner);
	RUN(a_removed_directory_lists_nothing);
	system("rm -rf " HERE);
	return test_result();
}
