/* SPDX-License-Identifier: MIT */
/* /proc as a tree: what its directories list can be opened, names itself, and says what it should. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static bool lists(const char *directory, const char *name)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	bool found = false;

	if (!d)
		return false;
	while ((entry = readdir(d)))
		found |= strcmp(entry->d_name, name) == 0;
	closedir(d);
	return found;
}

/* Every name in it is that of something with the type and the number that the listing tells. */
static int count_entries(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	int count = 0;

	CHECK(d != NULL);
	while ((entry = readdir(d))) {
		struct stat s;

		CHECK(fstatat(dirfd(d), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0);
		CHECK_EQ(DTTOIF(entry->d_type), s.st_mode & S_IFMT);
		CHECK_EQ(entry->d_ino, s.st_ino);
		count++;
	}
	closedir(d);
	return count;
}

static void a_process_lists_its_files(void)
{
	static const char *const names[] = { ".", "..", "cmdline", "cwd", "exe", "fd", "limits", "maps",
					     "stat", "statm", "status", "task" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(lists("/proc/self", names[i]));
	CHECK(count_entries("/proc/self") >= 12);
	CHECK(!lists("/proc/self", "nonsense"));
}

static void a_thread_lists_its_files(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%d", getpid());
	CHECK(lists("/proc/self/task", path));
	CHECK(lists("/proc", path));
	snprintf(path, sizeof(path), "/proc/self/task/%d", getpid());
	CHECK(lists(path, "stat") && lists(path, "status") && lists(path, ".."));
	CHECK(count_entries(path) >= 4);
	CHECK(count_entries("/proc/self/task") == 3);
	CHECK(count_entries("/proc/self/fd") >= 5);
}

static void a_place_in_it_has_a_name(void)
{
	char old[256], wanted[64], name[256];

	CHECK(getcwd(old, sizeof(old)) != NULL);
	snprintf(wanted, sizeof(wanted), "/proc/%d/task/%d", getpid(), getpid());
	CHECK(chdir(wanted) == 0);
	CHECK(getcwd(name, sizeof(name)) != NULL && strcmp(name, wanted) == 0);
	CHECK(chdir("../../fd") == 0);
	snprintf(wanted, sizeof(wanted), "/proc/%d/fd", getpid());
	CHECK(getcwd(name, sizeof(name)) != NULL && strcmp(name, wanted) == 0);
	CHECK(chdir(old) == 0);
}

static void read_whole(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, to, size - 1);
	CHECK(n > 0);
	to[n] = '\0';
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL);
	close(fd);
}

static void limits_are_those_in_force(void)
{
	struct rlimit old, limit;
	char text[4096];
	const char *line;
	unsigned long soft, hard;

	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	limit = old;
	limit.rlim_cur = 77;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	read_whole("/proc/self/limits", text, sizeof(text));
	line = strstr(text, "Max open files");
	CHECK(line != NULL);
	CHECK_EQ(sscanf(line + strlen("Max open files"), "%lu %lu", &soft, &hard), 2);
	CHECK(soft == 77 && hard == old.rlim_max);
	CHECK(strstr(text, "unlimited") != NULL);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
}

static void memory_is_counted_in_pages(void)
{
	char text[256];
	unsigned long total, resident, after;
	size_t size = 64 * 4096;
	char *memory;

	read_whole("/proc/self/statm", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%lu %lu", &total, &resident), 2);
	CHECK(total >= resident && resident > 0);
	memory = malloc(size);
	CHECK(memory != NULL);
	memset(memory, 1, size);
	read_whole("/proc/self/statm", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%*u %lu", &after), 1);
	CHECK(after >= resident + 60);
	free(memory);
}

static char state_of(pid_t pid)
{
	char path[64], text[512];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_whole(path, text, sizeof(text));
	end = strrchr(text, ')');
	CHECK(end != NULL);
	return end[2];
}

static bool status_says(pid_t pid, const char *state)
{
	char path[64], text[2048];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	read_whole(path, text, sizeof(text));
	return strstr(text, state) != NULL;
}

static void a_state_is_told_as_it_is(void)
{
	int status;
	siginfo_t info;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	/* Until it is in there to stay: on its way it may wait for a lock. */
	for (int looks = 0; state_of(child) != 'S' || !status_says(child, "sleeping"); looks++) {
		CHECK(looks < 1000000);
		sched_yield();
	}
	CHECK(kill(child, SIGSTOP) == 0);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	CHECK(state_of(child) == 'T' && status_says(child, "stopped"));
	CHECK(kill(child, SIGKILL) == 0);
	CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	CHECK(state_of(child) == 'Z' && status_says(child, "zombie"));
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(state_of(getpid()) == 'R');
}

static void descriptors_say_what_they_are(void)
{
	char path[64], name[256];
	int fds[2], file = open("/tmp/proc_listing", O_RDWR | O_CREAT, 0600);
	ssize_t n;

	CHECK(pipe(fds) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	n = readlink(path, name, sizeof(name) - 1);
	CHECK(n > 6 && memcmp(name, "pipe:[", 6) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	n = readlink(path, name, sizeof(name) - 1);
	CHECK(n == 17 && memcmp(name, "/tmp/proc_listing", 17) == 0);
	n = readlink(path, name, 4);
	CHECK(n == 4 && memcmp(name, "/tmp", 4) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", 999);
	CHECK(readlink(path, name, sizeof(name)) == -1 && errno == ENOENT);
	n = readlink("/proc/self/root", name, sizeof(name));
	CHECK(n == 1 && name[0] == '/');
	close(fds[0]);
	close(fds[1]);
	close(file);
	unlink("/tmp/proc_listing");
}

int main(void)
{
	RUN(a_process_lists_its_files);
	RUN(a_thread_lists_its_files);
	RUN(a_place_in_it_has_a_name);
	RUN(limits_are_those_in_force);
	RUN(memory_is_counted_in_pages);
	RUN(a_state_is_told_as_it_is);
	RUN(descriptors_say_what_they_are);
	return test_result();
}
