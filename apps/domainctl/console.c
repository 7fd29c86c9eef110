/* SPDX-License-Identifier: MIT */
/*
 * See console.h.  What comes from a terminal is passed on as it is typed.  Anything else is data, and the
 * terminal in the domain is to make nothing else of it, as long as a program leaves it as it was: so
 *
 *	a control character has a Ctrl-V before it;
 *	behind much of a line a Ctrl-D hands on what there is of it, as it has no room for more;
 *	and so it does behind the last line, if that has no end, before the Ctrl-D that is the end of input.
 */
#include "console.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "options.h"

#define CTRL(letter) ((letter) - '@')
#define INTERRUPT CTRL('C')
#define HAND_ON CTRL('D') /* what there is of a line; nothing: the end of input */
#define LITERALLY CTRL('V')
#define DELETE 0x7f
#define PIECE 1024u
#define LINE_PART 2048u /* a terminal's line has room for 4095 */

int write_all(int to, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(to, bytes, n);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

static int interrupted_domain;

static void pass_interrupt(int signal)
{
	char interrupt = INTERRUPT;
	int saved = errno;

	(void)signal;
	if (write(interrupted_domain, &interrupt, 1) < 0)
		_exit(EXIT_FAILED);
	errno = saved;
}

void console_pass_interrupts(int domain)
{
	struct sigaction action = { .sa_handler = pass_interrupt, .sa_flags = SA_RESTART };

	interrupted_domain = domain;
	sigaction(SIGINT, &action, NULL);
}

/* ---------------------------------------------------------------- data for a terminal */

static size_t unended; /* bytes since the last newline, or since a line was handed on */

static size_t add_byte(char *to, char byte)
{
	bool control =
		((unsigned char)byte < ' ' && byte != '\n' && byte != '\t') || byte == DELETE;
	size_t n = 0;

	if (control)
		to[n++] = LITERALLY;
	to[n++] = byte;
	unended = byte == '\n' ? 0 : unended + 1;
	if (unended == LINE_PART) {
		to[n++] = HAND_ON;
		unended = 0;
	}
	return n;
}

static int send_data(int domain, const char *bytes, size_t n)
{
	char typed[2 * PIECE + 1];
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += add_byte(typed + size, bytes[i]);
	return write_all(domain, typed, size);
}

static void end_input(int domain)
{
	static const char ends[] = { HAND_ON, HAND_ON };

	/* At the beginning of a line.  If the terminal has gone, so has who reads from it. */
	(void)write_all(domain, ends, unended ? 2 : 1);
}

/* ---------------------------------------------------------------- both ways */

/* False: there is no more. */
static bool pass_input(int domain, bool is_typed)
{
	char bytes[PIECE];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		end_input(domain);
		return false;
	}
	return (is_typed ? write_all(domain, bytes, (size_t)n)
			 : send_data(domain, bytes, (size_t)n)) == 0;
}

/* False: it is dead, and all has been read. */
static bool pass_output(int domain)
{
	char bytes[PIECE];
	ssize_t n = read(domain, bytes, sizeof(bytes));

	if (n < 0 && errno != EINTR)
		refuse("the domain's console", strerror(errno));
	/* Nobody would see what it does: our end is its end. */
	if (n > 0 && write_all(STDOUT_FILENO, bytes, (size_t)n) < 0)
		refuse("standard output", strerror(errno));
	return n != 0;
}

void console_connect(int domain)
{
	struct pollfd files[2] = { { domain, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	bool is_typed = isatty(STDIN_FILENO);

	for (;;) {
		files[0].revents = files[1].revents = 0;
		if (poll(files, 2, -1) < 0 && errno != EINTR)
			refuse("poll", strerror(errno));
		if (files[1].revents && !pass_input(domain, is_typed))
			files[1].fd = -1;
		if (files[0].revents && !pass_output(domain))
			return;
	}
}

void console_keep(int domain, unsigned id)
{
	FILE *from = fdopen(dup(domain), "r"), *to = fopen("/dev/console", "w");
	char line[1024];

	while (from && to && fgets(line, sizeof(line), from)) {
		fprintf(to, "%u: %s", id, line);
		if (!strchr(line, '\n'))
			fputc('\n', to);
		fflush(to);
	}
}
