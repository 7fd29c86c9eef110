/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals of several users: who gets to which, and that there are some left. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "fails.h"
#include "pty_pair.h"
#include "test.h"

#define SOMEBODY 1000
#define MANY 300 /* more than there are */
#define LINK "/tmp/pty_users"

static int become_somebody(void)
{
	return setgroups(0, NULL) == 0 && setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0 ? 0 : -1;
}

/* A number is given again at once: what is left of the name's earlier owner is not a way to the new one. */
static void what_is_left_of_a_name_opens_nobody_elses_terminal(void)
{
	char old_name[sizeof(name)], path[64];
	int kept;

	master = make_master();
	kept = open(name, O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kept);
	slave = open(path, O_RDWR | O_NOCTTY);
	CHECK(kept >= 0 && slave >= 0);
	close_both();
	FAILS(open(path, O_RDWR | O_NOCTTY), EIO);
	strcpy(old_name, name);
	make_both();
	CHECK(strcmp(old_name, name) == 0);
	FAILS(open(path, O_RDWR | O_NOCTTY), EIO);
	close_both();
	close(kept);
}

static void no_name_elsewhere_leads_to_a_slave(void)
{
	struct stat s;

	make_both();
	unlink(LINK);
	FAILS(link(name, LINK), EXDEV);
	CHECK_EQ(stat(name, &s), 0);
	if (mknod(LINK, S_IFCHR | 0666, s.st_rdev) == 0) {
		int fd = open(LINK, O_RDWR | O_NOCTTY);

		CHECK(fd < 0 && (errno == EIO || errno == EACCES));
	}
	unlink(LINK);
	close_both();
}

/* /dev/tty would let in whom the name does not. */
static int may_only_write(void)
{
	if (setsid() < 0)
		return 1;
	slave = open(name, O_WRONLY);
	if (slave < 0 || open("/dev/tty", O_RDWR) >= 0 || errno != ENXIO)
		return 2;
	if (become_somebody() != 0)
		return 3;
	if (ioctl(slave, TIOCSCTTY, 0) == 0 || errno != EPERM)
		return 4;
	return open("/dev/tty", O_WRONLY) < 0 && errno == ENXIO ? 0 : 5;
}

static int may_read(void)
{
	if (setsid() < 0 || open(name, O_RDONLY) < 0)
		return 1;
	return open("/dev/tty", O_RDWR) >= 0 ? 0 : 2;
}

static int root_may_all(void)
{
	if (setsid() < 0)
		return 1;
	slave = open(name, O_WRONLY);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
		return 2;
	return open("/dev/tty", O_RDWR) >= 0 ? 0 : 3;
}

static int in_child(int (*test)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(test());
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void who_may_only_write_gets_no_controlling_terminal(void)
{
	make_both();
	CHECK_EQ(chmod(name, 0622), 0);
	CHECK_EQ(in_child(may_only_write), 0);
	CHECK_EQ(in_child(may_read), 0);
	CHECK_EQ(in_child(root_may_all), 0);
	close_both();
}

static int takes_all(int said, int asked)
{
	char byte = 0;

	if (become_somebody() != 0)
		return 1;
	while (open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0)
		;
	return write(said, &byte, 1) == 1 && read(asked, &byte, 1) == 0 ? 0 : 2;
}

static void some_are_left_to_root(void)
{
	struct rlimit files = { MANY, MANY }, before;
	int said[2], asked[2], status;
	pid_t child;
	char byte;

	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0 && before.rlim_max >= MANY);
	CHECK(pipe(said) == 0 && pipe(asked) == 0);
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_NOFILE, &files);
		close(asked[1]);
		_exit(takes_all(said[1], asked[0]));
	}
	close(said[1]);
	CHECK_EQ(read(said[0], &byte, 1), 1);
	make_both();
	close_both();
	close(asked[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	close(said[0]);
	close(asked[0]);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("ok users_need_root # skip not root\n");
		return 0;
	}
	RUN(what_is_left_of_a_name_opens_nobody_elses_terminal);
	RUN(no_name_elsewhere_leads_to_a_slave);
	RUN(who_may_only_write_gets_no_controlling_terminal);
	RUN(some_are_left_to_root);
	return test_result();
}
