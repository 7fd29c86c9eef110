/* SPDX-License-Identifier: MIT */
/*
 * exotop [-d SECONDS] [-n COUNT] [-b]
 *
 * What each CPU does: its load, its queue, what it runs; how often it switched, was sent tasks,
 * stole and donated, and rang other CPUs; and which processes use the CPUs.
 *
 * -b prints one after the other, for files; otherwise the screen is kept up to date, and keys are:
 * q ends, space looks again at once, + and - change how often.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "../program.h"
#include "sample.h"
#include "screen.h"

#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 60.0
#define HOME "\033[H"
#define CLEAR_LINE "\033[K\n"
#define CLEAR_BELOW "\033[J"

static struct termios saved;
static volatile sig_atomic_t ended, stopped, resumed;
static bool keys_are_ours; /* the terminal gives each key at once, and shows none */
static struct sample samples[2];

static void usage(FILE *to)
{
	fprintf(to,
		"usage: exotop [-d SECONDS] [-n COUNT] [-b]\n"
		"  -d SECONDS  how often: from %.1f to %.0f (1)\n"
		"  -n COUNT    so often; else until it is ended\n"
		"  -b          one picture after the other, for files\n"
		"keys: q ends, space looks again at once, + and - change how often\n",
		INTERVAL_MIN, INTERVAL_MAX);
}

/* ---------------------------------------------------------------- the terminal */

static void take_signal(int number)
{
	if (number == SIGTSTP)
		stopped = 1;
	else if (number == SIGCONT)
		resumed = 1;
	else
		ended = 1;
}

/* They are blocked but for where we wait for keys, so none comes between a look at what it has set and
 * the wait. */
static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT };
#define TAKEN (sizeof(taken) / sizeof(taken[0]))
static sigset_t while_waiting;

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = take_signal }, before;
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < TAKEN; i++)
		sigaddset(&blocked, taken[i]);
	sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
	for (size_t i = 0; i < TAKEN; i++) {
		sigaction(taken[i], NULL, &before);
		if (before.sa_handler != SIG_IGN)
			sigaction(taken[i], &action, NULL);
	}
}

static void take_keys(void)
{
	struct termios raw = saved;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(0, TCSANOW, &raw);
	keys_are_ours = true;
	printf(HOME CLEAR_BELOW);
}

/* Also on the way out of whatever goes wrong. */
static void give_back_keys(void)
{
	if (!keys_are_ours)
		return;
	keys_are_ours = false;
	tcsetattr(0, TCSANOW, &saved);
	printf("\n");
	fflush(stdout);
}

static void start_keys(void)
{
	if (tcgetattr(0, &saved) < 0) {
		fprintf(stderr, "exotop: standard input is no terminal; -b does without\n");
		exit(1);
	}
	catch_signals();
	atexit(give_back_keys);
	take_keys();
}

/* Ctrl-Z: whoever reads from the terminal next finds it as it was before us. */
static void stop(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	stopped = 0;
	give_back_keys();
	sigaction(SIGTSTP, &action, NULL);
	raise(SIGTSTP);
	sigprocmask(SIG_SETMASK, &while_waiting, NULL); /* here it stops */
	catch_signals();
	resumed = 1;
}

/* ---------------------------------------------------------------- waiting */

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct timespec timespec_of(double seconds)
{
	double left = seconds > 0 ? seconds : 0;

	return (struct timespec){ .tv_sec = (time_t)left,
				  .tv_nsec = (long)((left - (double)(time_t)left) * 1e9) };
}

/* A key, or 0: the time is up, or a signal came. */
static char wait_key(double seconds)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	struct timespec left = timespec_of(seconds);
	char key = 0;

	if (ppoll(&input, 1, &left, &while_waiting) > 0 && read(0, &key, 1) != 1)
		key = 'q';
	return key;
}

/* When to look, as far as a key has a say in it. */
static double after_key(char key, double when, double *interval)
{
	switch (key) {
	case 'q':
		ended = 1;
		return when;
	case '+':
		*interval = *interval * 2 < INTERVAL_MAX ? *interval * 2 : INTERVAL_MAX;
		return 0;
	case '-':
		*interval = *interval / 2 > INTERVAL_MIN ? *interval / 2 : INTERVAL_MIN;
		return 0;
	case ' ':
		return 0;
	default:
		return when;
	}
}

/*
 * Until it is time for the next sample, and does what keys ask for meanwhile.  "At once" is INTERVAL_MIN
 * after the last one: over less, what is counted in milliseconds says nothing.
 */
static void wait_interval(double last, double *interval)
{
	double when = last + *interval, left;

	while (!ended && (left = when - now()) > 0) {
		when = after_key(wait_key(left), when, interval);
		if (stopped)
			stop();
		if (resumed) {
			resumed = 0;
			take_keys();
			when = 0;
		}
		if (when < last + INTERVAL_MIN)
			when = last + INTERVAL_MIN;
	}
}

static void sleep_interval(double interval)
{
	struct timespec left = timespec_of(interval);

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* ---------------------------------------------------------------- */

static void print_screen(const struct sample *before, const struct sample *after)
{
	struct winsize size;

	if (ioctl(1, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	printf(HOME);
	screen_print(before, after, size.ws_row - 1, size.ws_col - 1, CLEAR_LINE);
	printf(CLEAR_BELOW);
}

static void take(struct sample *s)
{
	if (sample_take(s))
		return;
	fprintf(stderr, "exotop: /proc/exo/cpus: %s\n", strerror(errno));
	exit(1);
}

static bool parse_interval(const char *text, double *interval)
{
	char *end;

	*interval = strtod(text, &end);
	/* Also false for what is no number, "nan". */
	return end != text && !*end && *interval >= INTERVAL_MIN && *interval <= INTERVAL_MAX;
}

static _Noreturn void refuse(char option, const char *value)
{
	fprintf(stderr, "exotop: -%c: %s is out of range\n", option, value);
	usage(stderr);
	exit(2);
}

static void watch(double interval, unsigned long count, bool batch)
{
	bool for_ever = count == 0;
	int last = 0;

	take(&samples[last]);
	for (; for_ever || count > 0; count--, last = !last) {
		if (batch)
			sleep_interval(interval);
		else
			wait_interval(samples[last].seconds, &interval);
		if (ended)
			return;
		take(&samples[!last]);
		if (batch)
			screen_print(&samples[last], &samples[!last], 0, 0, "\n");
		else
			print_screen(&samples[last], &samples[!last]);
		if (!program_has_printed("exotop"))
			exit(1);
	}
}

int main(int argc, char **argv)
{
	double interval = 1;
	unsigned long count = 0;
	bool batch = false;
	int option;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return !program_has_printed("exotop");
	}
	while ((option = getopt(argc, argv, "d:n:b")) > 0) {
		if (option == 'd' && !parse_interval(optarg, &interval))
			refuse('d', optarg);
		if (option == 'n' && !program_number(optarg, 1, LONG_MAX, &count))
			refuse('n', optarg);
		if (option == 'b')
			batch = true;
		if (option == '?')
			optind = argc + 1;
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	if (!batch)
		start_keys();
	watch(interval, count, batch);
	return 0;
}
