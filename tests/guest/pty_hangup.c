/* SPDX-License-Identifier: MIT */
/*
 * The master of a session's terminal is closed: the session's leader hears of that, and the foreground when
 * he ends.
 *
 *	main --makes--> leader, who has the terminal --makes--> foreground, of his group or its own
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include "fails.h"
#include "pty_pair.h"
#include "test.h"

enum plan {
	IS_IN_BACKGROUND, /* the leader, who waits for the hangup and ends */
	IS_IN_FOREGROUND, /* with the other one */
	GETS_ANOTHER,     /* terminal, before he ends */
};

/* What each says to main, and may go on when its own is closed. */
static int from_leader[2], from_foreground[2], to_leader[2], to_foreground[2];
static sigset_t both; /* SIGHUP and SIGCONT */
static char other_name[sizeof(name)];

static void make_pipes(void)
{
	CHECK(pipe(from_leader) == 0 && pipe(from_foreground) == 0);
	CHECK(pipe(to_leader) == 0 && pipe(to_foreground) == 0);
	sigemptyset(&both);
	sigaddset(&both, SIGHUP);
	sigaddset(&both, SIGCONT);
}

static char pending(void)
{
	sigset_t set;

	sigpending(&set);
	return (char)('0' + sigismember(&set, SIGHUP) + 2 * sigismember(&set, SIGCONT));
}

static void say(int fd, char what)
{
	if (write(fd, &what, 1) != 1)
		_exit(9);
}

static char hear(int fd)
{
	char byte = '-';

	return read(fd, &byte, 1) == 1 ? byte : '-';
}

/* It says what it has been sent, whenever it is asked. */
static void be_in_foreground(void)
{
	char asked;

	for (;;) {
		asked = hear(to_foreground[0]);
		if (asked == '-')
			_exit(0);
		if (asked == 'w') { /* for both, and then some more */
			sigset_t left = both;
			int number;

			while (!sigisemptyset(&left) && sigwait(&left, &number) == 0)
				sigdelset(&left, number);
		}
		say(from_foreground[1], pending());
	}
}

static void lead(enum plan plan)
{
	int number, other;
	pid_t child;

	close(to_foreground[1]);
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
		_exit(1);
	signal(SIGTTOU, SIG_IGN);
	child = fork();
	if (child == 0) {
		if (plan != IS_IN_FOREGROUND)
			setpgid(0, 0);
		close(to_leader[1]);
		be_in_foreground();
	}
	if (plan != IS_IN_FOREGROUND &&
	    (setpgid(child, child) != 0 || tcsetpgrp(slave, child) != 0))
		_exit(2);
	say(from_leader[1], 'r');
	if (sigwait(&both, &number) != 0 || sigwait(&both, &other) != 0 || number == other)
		_exit(3);
	if (plan == GETS_ANOTHER && tcgetpgrp(open(other_name, O_RDWR)) != getpid())
		_exit(4);
	say(from_leader[1], 'h');
	hear(to_leader[0]);
	_exit(0);
}

static char ask(char how)
{
	say(to_foreground[1], how);
	return hear(from_foreground[0]);
}

static void close_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		close(from_leader[i]);
		close(from_foreground[i]);
	}
	close(to_leader[0]);
	close(to_foreground[0]);
	close(to_foreground[1]);
}

static void hang_up(enum plan plan)
{
	int status, other;
	pid_t leader;

	make_pipes();
	CHECK_EQ(sigprocmask(SIG_BLOCK, &both, NULL), 0);
	other = make_master();
	strcpy(other_name, name);
	make_both();
	leader = fork();
	if (leader == 0) {
		close(master);
		close(other);
		close(to_leader[1]);
		lead(plan);
	}
	CHECK_EQ(hear(from_leader[0]), 'r');
	close_both();
	CHECK_EQ(hear(from_leader[0]), 'h');
	CHECK_EQ(ask('?'), '0');
	close(to_leader[1]);
	CHECK(waitpid(leader, &status, 0) == leader && status == 0);
	CHECK_EQ(ask(plan == GETS_ANOTHER ? '?' : 'w'), '0');
	close(other);
	close_pipes();
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &both, NULL), 0);
}

static void the_foreground_hears_of_a_hangup_when_the_leader_ends(void)
{
	hang_up(IS_IN_BACKGROUND);
}

static void the_leader_alone_hears_of_it_in_the_foreground_as_well(void)
{
	hang_up(IS_IN_FOREGROUND);
}

static void a_leader_with_another_terminal_has_forgotten_the_first(void)
{
	hang_up(GETS_ANOTHER);
}

int main(void)
{
	RUN(the_foreground_hears_of_a_hangup_when_the_leader_ends);
	RUN(the_leader_alone_hears_of_it_in_the_foreground_as_well);
	RUN(a_leader_with_another_terminal_has_forgotten_the_first);
	return test_result();
}
