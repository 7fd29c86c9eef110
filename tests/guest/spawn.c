/* SPDX-License-Identifier: MIT */
/* posix_spawn(): what a child cannot do is told to its parent, without a descriptor; no handler runs in it.
 * Runs itself with words as arguments. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "test.h"

#define NO_CHILD (-5)
#define FIFO "/tmp/spawn-fifo"

static const char *self;

/* 0, or the error that it gives; then there is no child. */
static int start(pid_t *child, const char *path, const char *word, const posix_spawn_file_actions_t *actions,
		 const posix_spawnattr_t *attributes)
{
	char *argv[] = { "spawn", (char *)word, NULL };
	int error;

	*child = NO_CHILD;
	error = posix_spawn(child, path, actions, attributes, argv, environ);
	if (error) {
		CHECK_EQ(*child, NO_CHILD);
		CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	}
	return error;
}

static int status_of(pid_t child)
{
	int status = -1;

	CHECK_EQ(waitpid(child, &status, 0), child);
	return status;
}

static void a_program_that_does_not_start_is_told(void)
{
	pid_t child;

	CHECK_EQ(start(&child, "/nonexistent", "", NULL, NULL), ENOENT);
	CHECK_EQ(start(&child, "/tmp", "", NULL, NULL), EACCES);
	CHECK_EQ(start(&child, self, "exits", NULL, NULL), 0);
	CHECK_EQ(WEXITSTATUS(status_of(child)), 7);
}

static void an_action_that_fails_is_told(void)
{
	posix_spawn_file_actions_t actions;
	pid_t child;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, 99, 3);
	CHECK_EQ(start(&child, self, "exits", &actions, NULL), EBADF);
	posix_spawn_file_actions_destroy(&actions);

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 3, "/nonexistent", O_RDONLY, 0);
	CHECK_EQ(start(&child, self, "exits", &actions, NULL), ENOENT);
	posix_spawn_file_actions_destroy(&actions);
}

/* Every descriptor may be named: none is the library's for a while. */
static void actions_may_name_any_descriptor(void)
{
	posix_spawn_file_actions_t actions;
	pid_t child;

	posix_spawn_file_actions_init(&actions);
	for (int fd = 3; fd < 16; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDONLY, 0);
	for (int fd = 15; fd >= 4; fd--)
		posix_spawn_file_actions_addclose(&actions, fd);
	CHECK_EQ(start(&child, self, "three", &actions, NULL), 0);
	CHECK_EQ(WEXITSTATUS(status_of(child)), 0);
	posix_spawn_file_actions_destroy(&actions);
}

static void no_descriptor_is_needed(void)
{
	struct rlimit before, none = { 0, 0 };
	pid_t child;
	int error;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	error = start(&child, self, "exits", NULL, NULL);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
	CHECK_EQ(error, 0);
	CHECK_EQ(WEXITSTATUS(status_of(child)), 7);
}

static void nothing(int number)
{
	(void)number;
}

/* SIGUSR1 and the last signal have a handler, SIGUSR2 (which has had one) and SIGHUP are ignored; SIGHUP
 * is made default. */
static void actions_become_default(void)
{
	posix_spawnattr_t attributes;
	sigset_t set;
	pid_t child;

	CHECK(signal(SIGUSR1, nothing) == SIG_DFL && signal(SIGRTMAX, nothing) == SIG_DFL);
	CHECK(signal(SIGUSR2, nothing) == SIG_DFL && signal(SIGUSR2, SIG_IGN) == nothing);
	CHECK(signal(SIGHUP, SIG_IGN) == SIG_DFL);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	posix_spawnattr_setsigdefault(&attributes, &set);
	sigaddset(&set, SIGWINCH);
	posix_spawnattr_setsigmask(&attributes, &set);
	CHECK_EQ(start(&child, self, "signals", NULL, &attributes), 0);
	CHECK_EQ(WEXITSTATUS(status_of(child)), 0);
	/* Ours are as they were. */
	CHECK(signal(SIGUSR1, SIG_DFL) == nothing && signal(SIGRTMAX, SIG_DFL) == nothing);
	CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN && signal(SIGHUP, SIG_DFL) == SIG_IGN);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && !sigismember(&set, SIGWINCH));
	posix_spawnattr_destroy(&attributes);
}

static pid_t child_of(pid_t parent)
{
	DIR *all = opendir("/proc");
	pid_t found = 0, pid, its_parent;
	struct dirent *d;

	while ((d = readdir(all))) {
		char path[300];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%d (%*[^)]) %*c %d", &pid, &its_parent) == 2 && its_parent == parent)
			found = pid;
		fclose(f);
	}
	closedir(all);
	return found;
}

static void *end_the_child(void *parent)
{
	pid_t child;

	while (!(child = child_of(*(pid_t *)parent)))
		sched_yield();
	kill(child, SIGKILL);
	return NULL;
}

/* Its parent waits for it to start, and it waits for a writer that never comes. */
static void a_child_that_is_ended_before_it_starts(void)
{
	posix_spawn_file_actions_t actions;
	pid_t us = getpid(), child;
	pthread_t other;

	unlink(FIFO);
	CHECK_EQ(mkfifo(FIFO, 0600), 0);
	CHECK_EQ(pthread_create(&other, NULL, end_the_child, &us), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 3, FIFO, O_RDONLY, 0);
	CHECK_EQ(start(&child, self, "exits", &actions, NULL), 0);
	CHECK_EQ(status_of(child), SIGKILL);
	CHECK_EQ(pthread_join(other, NULL), 0);
	posix_spawn_file_actions_destroy(&actions);
	unlink(FIFO);
}

/* ---------------------------------------------------------------- as the child */

static int only_three_is_open(void)
{
	for (int fd = 3; fd < 64; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd == 3))
			return fd;
	return 0;
}

static int signals_are_as_asked(void)
{
	struct sigaction action;
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int number = 1; number < _NSIG; number++) {
		if (sigaction(number, NULL, &action) != 0)
			continue; /* the library's own */
		if (action.sa_handler != (number == SIGUSR2 ? SIG_IGN : SIG_DFL))
			return number;
		if (sigismember(&blocked, number) != (number == SIGHUP || number == SIGWINCH))
			return 100 + number;
	}
	return 0;
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && strcmp(argv[1], "exits") == 0)
		return 7;
	if (argc > 1 && strcmp(argv[1], "three") == 0)
		return only_three_is_open();
	if (argc > 1 && strcmp(argv[1], "signals") == 0)
		return signals_are_as_asked();
	RUN(a_program_that_does_not_start_is_told);
	RUN(an_action_that_fails_is_told);
	RUN(actions_may_name_any_descriptor);
	RUN(no_descriptor_is_needed);
	RUN(actions_become_default);
	RUN(a_child_that_is_ended_before_it_starts);
	return test_result();
}
