/* SPDX-License-Identifier: MIT */
/* Several who write to one terminal, and several who read its master: each call's bytes stay together. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include "fails.h"
#include "pty_pair.h"
#include "test.h"

#define LINE 1000 /* is written in several pieces */
#define LINES 60  /* by each of */
#define WRITERS 3
#define MUCH 100000 /* more than there is room for */

static void fill_line(char *line, char letter)
{
	memset(line, letter, LINE);
	line[LINE - 1] = '\n';
}

static int writes_lines(int fd, char letter, unsigned lines)
{
	char line[LINE];

	fill_line(line, letter);
	for (unsigned i = 0; i < lines; i++)
		if (write(fd, line, LINE) != LINE)
			return 1;
	return 0;
}

static pid_t start_writer(int fd, char letter, unsigned lines)
{
	pid_t child = fork();

	if (child == 0)
		_exit(writes_lines(fd, letter, lines));
	CHECK(child > 0);
	return child;
}

/* One line, whose letters are all the same, or none. */
static char read_line(int fd)
{
	static char line[LINE];

	for (size_t n = 0; n < LINE;) {
		ssize_t more = read(fd, line + n, LINE - n);

		CHECK(more > 0);
		n += (size_t)more;
	}
	for (size_t i = 0; i < LINE - 1; i++)
		if (line[i] != line[0])
			return '?';
	return line[LINE - 1] == '\n' ? line[0] : '?';
}

static void lines_stay_together(int to, int from)
{
	unsigned lines[WRITERS] = { 0 }, torn = 0;
	int status;

	for (int w = 0; w < WRITERS; w++)
		start_writer(to, (char)('a' + w), LINES);
	for (int i = 0; i < WRITERS * LINES; i++) {
		char letter = read_line(from);

		if (letter == '?')
			torn++;
		else
			lines[letter - 'a']++;
	}
	CHECK_EQ(torn, 0);
	for (int w = 0; w < WRITERS; w++) {
		CHECK_EQ(lines[w], LINES);
		CHECK(wait(&status) > 0 && status == 0);
	}
}

static void what_one_call_writes_to_a_terminal_stays_together(void)
{
	make_both();
	make_raw(slave);
	lines_stay_together(slave, master);
	close_both();
}

static void what_one_call_writes_to_a_master_stays_together(void)
{
	make_both();
	make_raw(slave);
	lines_stay_together(master, slave);
	close_both();
}

static void fill(int fd)
{
	static char much[LINE];

	CHECK_EQ(fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	while (write(fd, much, sizeof(much)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(fcntl(fd, F_SETFL, O_RDWR), 0);
}

/* One program that writes, and reads afterwards what it has written. */
static void a_terminal_keeps_some_pages_for_the_master(void)
{
	static char much[10000];

	make_both();
	make_raw(slave);
	CHECK_EQ(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	CHECK_EQ(write(slave, much, sizeof(much)), sizeof(much));
	close_both();
}

/* Who writes without end, and waits for room nearly always, has the turn nearly always. */
static void nobody_is_kept_from_writing(void)
{
	pid_t first, second, third;
	char letter;
	int status;

	make_both();
	make_raw(slave);
	first = start_writer(slave, 'a', MUCH);
	CHECK_EQ(read_line(master), 'a');
	second = start_writer(slave, 'b', 1);
	third = start_writer(slave, 'c', 1);
	for (unsigned seen = 0; seen < 2;) {
		letter = read_line(master);
		CHECK(letter >= 'a' && letter <= 'c');
		seen += letter != 'a';
	}
	CHECK(waitpid(second, &status, 0) == second && status == 0);
	CHECK(waitpid(third, &status, 0) == third && status == 0);
	kill(first, SIGKILL);
	CHECK_EQ(waitpid(first, &status, 0), first);
	close_both();
}

static void nothing(int number)
{
}

static int is_interrupted(int fd, int ready)
{
	struct sigaction a = { .sa_handler = nothing };
	char byte = 'i';

	sigaction(SIGUSR1, &a, NULL);
	if (write(ready, &byte, 1) != 1)
		return 1;
	return write(fd, &byte, 1) == -1 && errno == EINTR ? 0 : 2;
}

/* Of those who wait for room, or behind who does, one is sent signals; the others lose nothing. */
static void who_waits_to_write_may_be_interrupted(void)
{
	int ready[2], status, own;
	pid_t first, waits, last;
	char byte;

	make_both();
	make_raw(slave);
	CHECK_EQ(pipe(ready), 0);
	fill(slave);
	first = start_writer(slave, 'a', 1);
	waits = fork();
	if (waits == 0)
		_exit(is_interrupted(slave, ready[1]));
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	last = start_writer(slave, 'b', 1);
	/* One that comes before it sleeps only runs the handler. */
	do {
		CHECK_EQ(kill(waits, SIGUSR1), 0);
		sched_yield();
	} while (waitpid(waits, &status, WNOHANG) == 0);
	CHECK_EQ(status, 0);
	own = open(name, O_RDWR | O_NONBLOCK | O_NOCTTY);
	CHECK(own >= 0);
	FAILS(write(own, "x", 1), EAGAIN);
	close(own);
	for (unsigned a = 0, b = 0; a < LINE - 1 || b < LINE - 1;) {
		CHECK_EQ(read(master, &byte, 1), 1);
		CHECK(byte == 0 || byte == '\n' || byte == 'a' || byte == 'b');
		a += byte == 'a';
		b += byte == 'b';
	}
	CHECK(waitpid(first, &status, 0) == first && status == 0);
	CHECK(waitpid(last, &status, 0) == last && status == 0);
	close(ready[0]);
	close(ready[1]);
	close_both();
}

/* The first is in the midst of a call when it is killed. */
static void who_is_killed_leaves_the_turn_to_others(void)
{
	pid_t first, second;
	char byte;
	int status;

	make_both();
	make_raw(slave);
	first = start_writer(slave, 'a', MUCH);
	do
		CHECK_EQ(read(master, &byte, 1), 1);
	while (byte != 'a');
	second = start_writer(slave, 'b', 1);
	kill(first, SIGKILL);
	CHECK_EQ(waitpid(first, &status, 0), first);
	for (unsigned b = 0; b < LINE - 1; b += byte == 'b')
		CHECK_EQ(read(master, &byte, 1), 1);
	CHECK(waitpid(second, &status, 0) == second && status == 0);
	close_both();
}

static char letter_after(char letter)
{
	return letter == 'z' ? 'a' : (char)(letter + 1);
}

static int writes_the_alphabet(int fd)
{
	char line[LINE], next = 'a';

	do {
		for (size_t i = 0; i < LINE; i++) {
			line[i] = next;
			next = letter_after(next);
		}
	} while (write(fd, line, LINE) == LINE);
	return 0;
}

/* Fewer bytes than were asked for may come, from one place. */
static int reads_the_alphabet(int fd)
{
	for (int i = 0; i < LINES; i++) {
		char line[LINE];
		ssize_t n = read(fd, line, LINE);

		if (n <= 0)
			return 1;
		for (ssize_t k = 1; k < n; k++)
			if (line[k] != letter_after(line[k - 1]))
				return 2;
	}
	return 0;
}

static void what_one_call_reads_from_a_master_was_together(void)
{
	pid_t writer, readers[2];
	int status;

	make_both();
	make_raw(slave);
	writer = fork();
	if (writer == 0)
		_exit(writes_the_alphabet(slave));
	for (int i = 0; i < 2; i++) {
		readers[i] = fork();
		if (readers[i] == 0)
			_exit(reads_the_alphabet(master));
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(waitpid(readers[i], &status, 0), readers[i]);
		CHECK_EQ(status, 0);
	}
	kill(writer, SIGKILL);
	CHECK_EQ(waitpid(writer, &status, 0), writer);
	close_both();
}

int main(void)
{
	RUN(what_one_call_writes_to_a_terminal_stays_together);
	RUN(what_one_call_writes_to_a_master_stays_together);
	RUN(what_one_call_reads_from_a_master_was_together);
	RUN(a_terminal_keeps_some_pages_for_the_master);
	RUN(nobody_is_kept_from_writing);
	RUN(who_waits_to_write_may_be_interrupted);
	RUN(who_is_killed_leaves_the_turn_to_others);
	return test_result();
}
