/* SPDX-License-Identifier: MIT */
/*
 * Terminals: settings, sessions and foreground groups.  Nobody types here: what keys do is tested
 * on the host (tests/unit/line_discipline_test.c) and by the console session.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "test.h"

#define MUCH 8100 /* of 8,192 bytes that a terminal holds */

static int console, line;
static bool hung_up;
static volatile sig_atomic_t size_changes;

static void settings_are_kept(void)
{
	struct termios t, raw;

	CHECK(isatty(console));
	CHECK(tcgetattr(console, &t) == 0);
	raw = t;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 1;
	CHECK(tcsetattr(console, TCSANOW, &raw) == 0);
	CHECK(tcgetattr(console, &raw) == 0);
	CHECK((raw.c_lflag & ICANON) == 0 && raw.c_cc[VTIME] == 1);
	char byte;
	CHECK_EQ(read(console, &byte, 1), 0); /* nobody types: VTIME ends the read */
	CHECK(tcsetattr(console, TCSADRAIN, &t) == 0);
}

/* Linux's struct termios2, by which newer C libraries ask even whether a file is a terminal. */
struct with_speeds {
	unsigned flags[4];
	unsigned char line, keys[19];
	unsigned input_speed, output_speed;
};
#define GET_WITH_SPEEDS _IOR('T', 0x2a, struct with_speeds)
#define SET_WITH_SPEEDS _IOW('T', 0x2b, struct with_speeds) /* the next two wait first, as TCSETSW does */

static void speeds_are_told_as_numbers(void)
{
	struct with_speeds s, other;

	CHECK(ioctl(console, GET_WITH_SPEEDS, &s) == 0);
	CHECK_EQ(s.output_speed, 38400);
	CHECK(s.keys[VINTR] == 3 && (s.flags[3] & ICANON) != 0);
	other = s;
	other.flags[2] = (s.flags[2] & ~0x100fu) | B115200;
	other.keys[VINTR] = 5;
	CHECK(ioctl(console, SET_WITH_SPEEDS, &other) == 0);
	CHECK(ioctl(console, GET_WITH_SPEEDS, &other) == 0);
	CHECK(other.output_speed == 115200 && other.keys[VINTR] == 5);
	CHECK(ioctl(console, SET_WITH_SPEEDS + 2, &s) == 0);
	CHECK(ioctl(console, GET_WITH_SPEEDS, &other) == 0);
	CHECK(other.output_speed == 38400 && other.keys[VINTR] == 3);
}

static void the_window_has_a_size_that_can_be_set(void)
{
	struct winsize w, old;

	CHECK(ioctl(console, TIOCGWINSZ, &old) == 0);
	CHECK(old.ws_row > 0 && old.ws_col > 0);
	w = old;
	w.ws_row = 50;
	CHECK(ioctl(console, TIOCSWINSZ, &w) == 0);
	CHECK(ioctl(console, TIOCGWINSZ, &w) == 0 && w.ws_row == 50);
	CHECK(ioctl(console, TIOCSWINSZ, &old) == 0);
}

static void a_terminal_can_be_written_but_not_read_now(void)
{
	struct pollfd p = { .fd = console, .events = POLLIN | POLLOUT };
	char byte;
	int fd = open("/dev/console", O_RDWR | O_NONBLOCK | O_NOCTTY);

	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	errno = 0;
	CHECK(read(fd, &byte, 1) == -1 && errno == EAGAIN);
	close(fd);
	int waiting;
	CHECK(ioctl(console, FIONREAD, &waiting) == 0 && waiting == 0);
}

static void output_is_held_and_thrown_away(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY), waiting = -1;

	CHECK(tcflow(fd, TCOOFF) == 0);
	CHECK_EQ(write(fd, "never seen\n", 11), 11);
	CHECK(ioctl(fd, TIOCOUTQ, &waiting) == 0 && waiting >= 11);
	CHECK(tcflush(fd, TCOFLUSH) == 0);
	CHECK(ioctl(fd, TIOCOUTQ, &waiting) == 0 && waiting == 0);
	CHECK(tcflow(fd, TCOON) == 0);
	CHECK(tcdrain(fd) == 0);
	CHECK(tcflush(fd, TCIFLUSH) == 0 && tcflush(fd, TCIOFLUSH) == 0);
	CHECK(tcflow(fd, TCIOFF) == 0 && tcflow(fd, TCION) == 0);
	CHECK(tcflush(fd, 9) == -1 && errno == EINVAL);
	CHECK(tcflow(fd, 9) == -1 && errno == EINVAL);
	close(fd);
}

static int in_child(int (*test)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(test());
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Somebody else's session has the console: the test was started from a shell on it. */
#define IN_USE 77

static void count_change(int number)
{
	size_changes++;
}

/* The foreground group hears of a new size, once; the same size again is none. */
static bool changes_of_size_are_told(int terminal)
{
	struct winsize w, old;
	bool told;

	signal(SIGWINCH, count_change);
	size_changes = 0;
	if (ioctl(terminal, TIOCGWINSZ, &old) != 0)
		return false;
	w = old;
	w.ws_col += 7;
	ioctl(terminal, TIOCSWINSZ, &w);
	ioctl(terminal, TIOCSWINSZ, &w);
	told = size_changes == 1;
	ioctl(terminal, TIOCSWINSZ, &old);
	return told && size_changes == 2;
}

/* A child leaves our session, and makes us another child in its own one: errno of that one's /dev/tty. */
static int terminal_of_a_sibling(void)
{
	int ends[2], error = -1;
	pid_t child;

	if (pipe(ends) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		setsid();
		if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0) {
			error = open("/dev/tty", O_RDWR) < 0 ? errno : 0;
			write(ends[1], &error, sizeof(error));
		}
		_exit(0);
	}
	close(ends[1]);
	if (read(ends[0], &error, sizeof(error)) < 0)
		error = -1;
	close(ends[0]);
	while (wait(NULL) > 0)
		;
	return error;
}

static int let_output_go_on(int terminal)
{
	return tcflow(terminal, TCOON);
}

static int send_a_break(int terminal)
{
	return tcsendbreak(terminal, 0);
}

static int send_a_long_break(int terminal)
{
	return ioctl(terminal, TCSBRKP, 1);
}

/* Does it stop a group in the background, and go through where SIGTTOU is ignored? */
static bool is_for_the_foreground(int terminal, int (*change)(int terminal))
{
	int status;
	bool stops;
	pid_t child = fork();

	if (child == 0) {
		setpgid(0, 0);
		change(terminal);
		signal(SIGTTOU, SIG_IGN);
		_exit(change(terminal) != 0);
	}
	stops = waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) &&
		WSTOPSIG(status) == SIGTTOU;
	if (!stops)
		return false;
	/* It tries again when it goes on, and stops again until it is in the foreground. */
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(terminal, child) != 0)
		return false;
	kill(child, SIGCONT);
	stops = waitpid(child, &status, 0) == child && status == 0;
	tcsetpgrp(terminal, getpgrp());
	signal(SIGTTOU, SIG_DFL);
	return stops;
}

static int lead_a_session(void)
{
	int status, fd = open("/dev/console", O_RDWR | O_NOCTTY);
	char byte;

	if (setsid() != getpid() || open("/dev/tty", O_RDWR) != -1 || errno != ENXIO)
		return 1;
	if (ioctl(fd, TIOCSCTTY, 0) != 0)
		return errno == EPERM ? IN_USE : 2;
	int own = open("/dev/tty", O_RDWR);
	if (own < 0 || tcgetpgrp(own) != getpgrp() || tcgetsid(own) != getsid(0))
		return 3;
	if (!changes_of_size_are_told(own))
		return 10;
	if (terminal_of_a_sibling() != ENXIO)
		return 12;
	/* A background group is stopped when it reads. */
	pid_t child = fork();
	if (child == 0) {
		setpgid(0, 0);
		if (read(own, &byte, 1) == -1)
			_exit(7);
		_exit(8);
	}
	if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTTIN)
		return 4;
	if (!is_for_the_foreground(own, tcdrain) || !is_for_the_foreground(own, let_output_go_on) ||
	    !is_for_the_foreground(own, send_a_break) ||
	    !is_for_the_foreground(own, send_a_long_break))
		return 13;
	/* In the foreground it may; ^C would end it, and so does this. */
	if (tcsetpgrp(own, child) != 0 || tcgetpgrp(own) != child)
		return 5;
	kill(child, SIGCONT);
	usleep(20000);
	if (waitpid(child, &status, WNOHANG) != 0)
		return 6;
	kill(-child, SIGINT);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGINT)
		return 7;
	/* We are in the background now: writing settings stops us unless we ignore that. */
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(own, getpgrp()) != 0)
		return 8;
	errno = 0;
	if (tcsetpgrp(own, 1) != -1 || errno != EPERM)
		return 9;
	errno = 0;
	if (tcsetpgrp(own, 999999) != -1 || errno != ESRCH)
		return 11;
	errno = 0;
	if (tcsetpgrp(own, 0) != -1 || errno != ESRCH)
		return 14;
	return 0;
}

/* What is pending in the foreground when its leader has ended: 0 for SIGHUP and no SIGCONT. */
static char what_a_leaders_end_sends(void)
{
	sigset_t set, pending;
	int number;

	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (tcsetpgrp(open("/dev/tty", O_RDWR), getpid()) != 0)
		return 2;
	sigdelset(&set, SIGCONT);
	if (sigwait(&set, &number) != 0 || number != SIGHUP)
		return 3;
	sigpending(&pending);
	return (char)sigismember(&pending, SIGCONT);
}

static int end_before_the_foreground(void)
{
	int result[2];
	char byte = 4;

	if (pipe(result) != 0)
		return 5;
	if (fork() == 0) {
		if (setsid() != getpid() || ioctl(console, TIOCSCTTY, 0) != 0)
			_exit(IN_USE);
		if (fork() == 0) {
			byte = what_a_leaders_end_sends();
			write(result[1], &byte, 1);
			_exit(0);
		}
		close(result[1]);
		/* Until the child is in the foreground, or has failed. */
		while (tcgetpgrp(console) == getpid() && waitpid(-1, NULL, WNOHANG) == 0)
			sched_yield();
		_exit(0);
	}
	close(result[1]);
	return read(result[0], &byte, 1) == 1 ? byte : IN_USE;
}

static void a_leaders_end_continues_nobody(void)
{
	int result = in_child(end_before_the_foreground);

	if (result != IN_USE)
		CHECK_EQ(result, 0);
}

static void *tell_id(void *id)
{
	*(pid_t *)id = gettid();
	return NULL;
}

#define NEAR 100

/* Ids go round: the last that was given is a little less than this one. */
static bool ids_come_near(pid_t id)
{
	pthread_t thread;
	pid_t last = 0;

	for (int i = 0; i < 1000000; i++) {
		if (pthread_create(&thread, NULL, tell_id, &last) != 0)
			return false;
		pthread_join(thread, NULL);
		if (last < id && last + NEAR >= id)
			return true;
	}
	return false;
}

/* A child with this id, or the next that is given; it goes on in there with 0.  Others end at once. */
static pid_t fork_with_id(pid_t id)
{
	pid_t child;

	do {
		child = fork();
		if (child == 0 && getpid() >= id)
			return 0;
		if (child == 0)
			_exit(0);
		if (child < id)
			waitpid(child, NULL, 0);
	} while (child > 0 && child < id);
	return child;
}

static int lead_and_listen(int to, int from)
{
	char byte = 0;

	size_changes = 0;
	signal(SIGWINCH, count_change);
	setsid();
	if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
		return 1;
	return size_changes != 0;
}

/* The foreground group has ended; another process may have its number, but not as long as it is that. */
static int outlive_the_foreground(void)
{
	int ends[2], back[2], status;
	struct winsize w;
	pid_t first, child;
	char byte;

	signal(SIGTTOU, SIG_IGN);
	if (setsid() != getpid() || ioctl(console, TIOCSCTTY, 0) != 0)
		return IN_USE;
	first = fork();
	if (first == 0) {
		setpgid(0, 0);
		_exit(tcsetpgrp(console, getpid()) != 0);
	}
	if (waitpid(first, &status, 0) != first || status != 0 || tcgetpgrp(console) != first)
		return 2;
	if (!ids_come_near(first) || pipe(ends) != 0 || pipe(back) != 0 ||
	    ioctl(console, TIOCGWINSZ, &w) != 0)
		return 3;
	child = fork_with_id(first);
	if (child == 0)
		_exit(lead_and_listen(ends[1], back[0]));
	if (read(ends[0], &byte, 1) != 1)
		return 4;
	w.ws_col ^= 1;
	ioctl(console, TIOCSWINSZ, &w);
	w.ws_col ^= 1;
	ioctl(console, TIOCSWINSZ, &w);
	if (write(back[1], &byte, 1) != 1 || waitpid(child, &status, 0) != child || status != 0)
		return 5;
	if (child == first)
		return 6;
	if (tcsetpgrp(console, getpgrp()) != 0 || !ids_come_near(first))
		return 7;
	child = fork_with_id(first);
	if (child == 0)
		_exit(0);
	return waitpid(child, &status, 0) == child && child == first ? 0 : 8;
}

static void a_foreground_group_that_has_ended_is_nobody_else(void)
{
	int result = in_child(outlive_the_foreground);

	if (result != IN_USE)
		CHECK_EQ(result, 0);
}

static void sessions_and_groups_share_a_terminal(void)
{
	int result = in_child(lead_a_session);

	if (result == IN_USE) {
		printf("# the console is in use\n");
		return;
	}
	hung_up = true;
	CHECK_EQ(result, 0);
	/* When its leader ended the session lost the terminal: another can have it. */
	CHECK_EQ(in_child(lead_a_session), 0);
}

static void files_open_at_a_hangup_are_dead(void)
{
	char byte;

	/* The sessions above have ended since both were opened; /dev/console survives that. */
	CHECK(isatty(console));
	if (!hung_up)
		return;
	errno = 0;
	CHECK_EQ(read(line, &byte, 1), 0);
	CHECK(write(line, "x", 1) == -1 && errno == EIO);
	int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	CHECK(isatty(fd));
	close(fd);
}

/* For tests/script/interactive.py, which types more than there is room for: settings that throw away what
 * came are followed by what comes then. */
static int throw_away_much(void)
{
	struct termios plain;
	int there = 0;
	char byte;

	tcgetattr(0, &plain);
	plain.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(0, TCSANOW, &plain);
	printf("type now\n");
	fflush(stdout);
	while (there < MUCH && ioctl(0, FIONREAD, &there) == 0)
		usleep(1000);
	tcsetattr(0, TCSAFLUSH, &plain);
	printf("thrown away\n");
	fflush(stdout);
	while (read(0, &byte, 1) == 1)
		if (byte == '!')
			return 0;
	return 1;
}

#define LONG_LINE 600 /* is read in several pieces */
#define LONG_LINES 13 /* so many fit */
#define ROUNDS 20
#define PAGE 4096

struct readers {
	_Atomic int round, ready, done, pieces, lines;
};

/* Reads what has come in each round, into pages that are not there yet, so that a read takes its time. */
static int read_long_lines(struct readers *r, int cpu)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *text = pages + PAGE - LONG_LINE / 2;
	cpu_set_t set;
	long n;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* if there are so many */
	for (int round = 1; round <= ROUNDS; round++) {
		while (r->round < round)
			usleep(100);
		r->ready++;
		while (r->ready < 2 * round)
			;
		while (r->lines + r->pieces < round * LONG_LINES) {
			n = read(0, text, 2 * LONG_LINE);
			if (n == LONG_LINE + 1 && text[n - 1] == '\n')
				r->lines++;
			else if (n >= 0)
				r->pieces++;
			madvise(pages, 2 * PAGE, MADV_DONTNEED);
		}
		r->done++;
	}
	return 0;
}

/* For tests/script/interactive.py, too: each long line comes to one of two readers, as a whole. */
static int share_long_lines(void)
{
	struct readers *r =
		mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct termios plain;
	int there;

	tcgetattr(0, &plain);
	plain.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(0, TCSANOW, &plain);
	fcntl(0, F_SETFL, O_RDWR | O_NONBLOCK);
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			_exit(read_long_lines(r, i));
	for (int round = 1; round <= ROUNDS; round++) {
		printf("type now\n");
		fflush(stdout);
		do {
			usleep(1000);
		} while (ioctl(0, FIONREAD, &there) == 0 && there < LONG_LINES * (LONG_LINE + 1));
		r->round = round;
		while (r->done < 2 * round)
			usleep(1000);
	}
	fcntl(0, F_SETFL, O_RDWR);
	return r->pieces != 0;
}

/* Takes what has come when nothing has followed it for a moment. */
static int read_once(struct readers *r)
{
	char text[8];
	long n;

	r->ready++;
	n = read(0, text, sizeof(text));
	if (n > 0)
		r->lines++;
	else
		r->pieces++;
	r->done++;
	return 0;
}

/* For tests/script/interactive.py, too: of two readers, one finds that the other has read what had come, and
 * waits for more. */
static int share_a_byte(void)
{
	struct readers *r =
		mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct termios plain;

	tcgetattr(0, &plain);
	plain.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	plain.c_cc[VMIN] = 2;
	plain.c_cc[VTIME] = 2;
	tcsetattr(0, TCSANOW, &plain);
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			_exit(read_once(r));
	for (int round = 1; round <= 2; round++) {
		while (r->ready < 2 || r->done < round - 1)
			usleep(1000);
		printf("type now\n");
		fflush(stdout);
	}
	while (r->done < 2)
		usleep(1000);
	return r->pieces != 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "byte") == 0)
		return share_a_byte();
	if (argc > 1)
		return strcmp(argv[1], "much") == 0 ? throw_away_much() : share_long_lines();
	console = open("/dev/console", O_RDWR | O_NOCTTY);
	line = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
	if (console < 0 || line < 0) {
		printf("ok no_console # skipped\n");
		return 0;
	}
	RUN(settings_are_kept);
	RUN(speeds_are_told_as_numbers);
	RUN(the_window_has_a_size_that_can_be_set);
	RUN(a_terminal_can_be_written_but_not_read_now);
	RUN(output_is_held_and_thrown_away);
	RUN(sessions_and_groups_share_a_terminal);
	RUN(a_leaders_end_continues_nobody);
	RUN(a_foreground_group_that_has_ended_is_nobody_else);
	RUN(files_open_at_a_hangup_are_dead);
	return test_result();
}
