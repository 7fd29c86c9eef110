/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals: pty(7), from both sides. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "fails.h"
#include "pty_pair.h"
#include "test.h"

#define SET_LOCK _IOW('T', 0x31, int)
#define MUCH 100000

static short ready(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK(poll(&item, 1, 0) >= 0);
	return item.revents;
}

/* As on Linux what is written may be on its way for a while. */
static short ready_to_read(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };

	CHECK(poll(&item, 1, -1) == 1);
	return ready(fd);
}

static void says(int from, const char *text, int to, const char *expected)
{
	char buffer[64] = "";

	CHECK_EQ(write(from, text, strlen(text)), strlen(text));
	for (size_t n = 0; n < strlen(expected);) {
		ssize_t more = read(to, buffer + n, sizeof(buffer) - 1 - n);

		CHECK(more > 0);
		n += (size_t)more;
	}
	CHECK(strcmp(buffer, expected) == 0);
}

static void it_has_a_name_while_it_is_there(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY), second, locked = 1;
	char first_name[32];
	struct stat s;

	CHECK(fd >= 0 && ptsname_r(fd, first_name, sizeof(first_name)) == 0);
	CHECK(stat(first_name, &s) == 0 && S_ISCHR(s.st_mode) && s.st_uid == geteuid());
	CHECK(major(s.st_rdev) == 136 &&
	      atoi(first_name + strlen("/dev/pts/")) == (int)minor(s.st_rdev));
	FAILS(open(first_name, O_RDWR | O_NOCTTY), EIO);
	CHECK_EQ(unlockpt(fd), 0);
	slave = open(first_name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0 && isatty(slave) && isatty(fd));
	CHECK(ttyname_r(slave, name, sizeof(name)) == 0 && strcmp(name, first_name) == 0);
	CHECK_EQ(ioctl(fd, SET_LOCK, &locked), 0);
	FAILS(open(first_name, O_RDWR | O_NOCTTY), EIO);
	second = make_master();
	CHECK(strcmp(name, first_name) != 0);
	close(slave);
	close(fd);
	FAILS(stat(first_name, &s), ENOENT);
	/* The lowest that is free. */
	fd = make_master();
	CHECK(strcmp(name, first_name) == 0);
	close(fd);
	close(second);
}

static void lines_go_both_ways(void)
{
	make_both();
	CHECK(ready(master) == POLLOUT && ready(slave) == POLLOUT);
	says(master, "ab\177c\n", slave, "ac\n");
	/* With its echo. */
	says(slave, "x\n", master, "ab\b \bc\r\nx\r\n");
	CHECK(ready(master) == POLLOUT && ready(slave) == POLLOUT);
	CHECK_EQ(write(master, "no line", 7), 7);
	CHECK(ready_to_read(master) == (POLLIN | POLLOUT) && ready(slave) == POLLOUT);
	CHECK_EQ(write(master, "\4", 1), 1); /* VEOF ends it without a newline */
	CHECK(ready_to_read(slave) == (POLLIN | POLLOUT));
	CHECK_EQ(read(slave, (char[16]){ 0 }, 16), 7);
	close_both();
}

static void settings_are_those_of_one_terminal(void)
{
	struct winsize size = { .ws_row = 9 }, got;
	struct termios t;
	int n;

	make_both();
	CHECK(ioctl(slave, TIOCGWINSZ, &got) == 0 && got.ws_row == 0 && got.ws_col == 0);
	CHECK(ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCGWINSZ, &got) == 0);
	CHECK_EQ(got.ws_row, 9);
	/* What has been written is sent: who waits for that does not wait for the master to read it. */
	CHECK_EQ(write(slave, "abc", 3), 3);
	CHECK_EQ(tcdrain(slave), 0);
	make_raw(slave);
	CHECK(tcgetattr(master, &t) == 0 && !(t.c_lflag & ICANON));
	CHECK(ioctl(master, FIONREAD, &n) == 0 && n == 3);
	/* Each side's input is the other one's output; what has been sent stays. */
	CHECK_EQ(tcflush(master, TCIFLUSH), 0);
	CHECK(ioctl(master, FIONREAD, &n) == 0 && n == 0);
	CHECK_EQ(write(master, "abcd", 4), 4);
	CHECK(ready_to_read(slave) && ioctl(slave, FIONREAD, &n) == 0 && n == 4);
	CHECK_EQ(tcflush(master, TCOFLUSH), 0);
	CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 4);
	CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
	CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 0);
	close_both();
}

static void the_master_hears_that_nobody_is_there(void)
{
	char buffer[8];

	master = make_master();
	CHECK_EQ(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	/* Nobody has been there yet: he will come. */
	FAILS(read(master, buffer, sizeof(buffer)), EAGAIN);
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0 && write(slave, "last", 4) == 4);
	close(slave);
	CHECK_EQ(ready(master), POLLIN | POLLOUT | POLLHUP);
	CHECK_EQ(read(master, buffer, sizeof(buffer)), 4);
	FAILS(read(master, buffer, sizeof(buffer)), EIO);
	CHECK_EQ(ready(master), POLLOUT | POLLHUP);
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	CHECK_EQ(ready(master), POLLOUT);
	FAILS(read(master, buffer, sizeof(buffer)), EAGAIN);
	close_both();
}

static void the_slave_hears_that_the_master_has_gone(void)
{
	struct termios t;
	char buffer[8];

	make_both();
	CHECK_EQ(write(master, "lost\n", 5), 5);
	close(master);
	CHECK_EQ(ready(slave), POLLIN | POLLOUT | POLLHUP | POLLERR);
	CHECK_EQ(read(slave, buffer, sizeof(buffer)), 0);
	FAILS(write(slave, "x", 1), EIO);
	FAILS(tcgetattr(slave, &t), EIO);
	FAILS(open(name, O_RDWR | O_NOCTTY), ENOENT);
	close(slave);
}

static volatile sig_atomic_t signals[65];

static void count(int number)
{
	signals[number]++;
}

static void catch (int number)
{
	struct sigaction a = { .sa_handler = count };

	sigemptyset(&a.sa_mask);
	sigaction(number, &a, NULL);
}

/* Leads a session at the terminal, says so, and waits for one signal after the other. */
static int leads(void)
{
	static const int expected[] = { SIGINT, SIGWINCH, SIGHUP };
	sigset_t all, none;
	char byte;

	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_BLOCK, &all, NULL);
	close(master);
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0 || tcgetpgrp(slave) != getpid())
		return 1;
	for (int i = 0; i < 3; i++) {
		catch (expected[i]);
		if (write(slave, "!", 1) != 1)
			return 2;
		while (!signals[expected[i]])
			sigsuspend(&none);
	}
	/* It has lost the terminal. */
	return open("/dev/tty", O_RDWR) >= 0 || errno != ENXIO || read(slave, &byte, 1) != 0 ? 3
											     : 0;
}

static void wait_for_word(void)
{
	char byte;

	do
		CHECK_EQ(read(master, &byte, 1), 1);
	while (byte != '!');
}

static void the_master_is_the_keyboard_of_a_session(void)
{
	struct winsize size = { .ws_row = 30 };
	int status, session = 0;
	pid_t child;

	make_both();
	FAILS(ioctl(master, TIOCGSID, &session), ENOTTY);
	child = fork();
	if (child == 0)
		_exit(leads());
	close(slave);
	wait_for_word();
	CHECK_EQ(tcgetpgrp(master), child);
	CHECK(ioctl(master, TIOCGSID, &session) == 0 && session == child);
	CHECK_EQ(write(master, "\3", 1), 1);
	wait_for_word();
	CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
	wait_for_word();
	close(master);
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

/* _exit() of a session's leader takes the terminal from the session, not from who has it open. */
static void a_terminal_outlives_its_session(void)
{
	int status;
	pid_t child;

	make_both();
	make_raw(slave);
	child = fork();
	if (child == 0)
		_exit(setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	says(slave, "still", master, "still");
	says(master, "there", slave, "there");
	close_both();
}

static int writes_much(int fd)
{
	static char much[MUCH];

	memset(much, 'm', sizeof(much));
	for (size_t n = 0; n < sizeof(much);) {
		ssize_t more = write(fd, much + n, sizeof(much) - n);

		if (more <= 0)
			return 1;
		n += (size_t)more;
	}
	return 0;
}

/* One side waits for room until the other has read. */
static void much_goes_through(bool to_slave)
{
	int to = to_slave ? slave : master, status;
	char buffer[1000];
	pid_t child = fork();

	if (child == 0)
		_exit(writes_much(to_slave ? master : slave));
	for (size_t n = 0; n < MUCH;) {
		ssize_t more = read(to, buffer, sizeof(buffer));

		CHECK(more > 0);
		for (ssize_t i = 0; i < more; i++)
			CHECK_EQ(buffer[i], 'm');
		n += (size_t)more;
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void who_finds_no_room_waits(void)
{
	char buffer[1000];

	make_both();
	make_raw(slave);
	much_goes_through(false);
	much_goes_through(true);
	CHECK(fcntl(master, F_SETFL, O_NONBLOCK) == 0 && fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
	while (write(slave, buffer, sizeof(buffer)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(ready(slave), 0);
	while (read(master, buffer, sizeof(buffer)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(ready(slave), POLLOUT);
	while (write(master, buffer, sizeof(buffer)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(ready(master), 0);
	while (read(slave, buffer, sizeof(buffer)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(ready(master), POLLOUT);
	close_both();
}

int main(void)
{
	RUN(it_has_a_name_while_it_is_there);
	RUN(lines_go_both_ways);
	RUN(settings_are_those_of_one_terminal);
	RUN(the_master_hears_that_nobody_is_there);
	RUN(the_slave_hears_that_the_master_has_gone);
	RUN(the_master_is_the_keyboard_of_a_session);
	RUN(a_terminal_outlives_its_session);
	RUN(who_finds_no_room_waits);
	return test_result();
}
