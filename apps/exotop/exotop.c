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
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "sample.h"
#include "screen.h"

#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 60.0
#define HOME "\033[H"
#define CLEAR_LINE "\033[K\n"
#define CLEAR_BELOW "\033[J"

static struct termios saved;
static volatile sig_atomic_t ended;
static struct sample samples[2];

static void end(int number)
{
	ended = 1;
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: exotop [-d SECONDS] [-n COUNT] [-b]\n");
	exit(2);
}

static void start_keys(void)
{
	struct termios raw;

	if (tcgetattr(0, &saved) < 0) {
		fprintf(stderr, "exotop: standard input is no terminal; -b does without\n");
		exit(1);
	}
	raw = saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(0, TCSANOW, &raw);
	signal(SIGINT, end);
	signal(SIGTERM, end);
	printf(HOME CLEAR_BELOW);
}

static void stop_keys(void)
{
	tcsetattr(0, TCSANOW, &saved);
	printf("\n");
}

/* A key, or 0 when the time is up. */
static char wait_key(double seconds)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char key = 0;

	if (poll(&input, 1, (int)(seconds * 1000)) > 0 && read(0, &key, 1) != 1)
		key = 'q';
	return key;
}

/* Waits for the time of the next sample, and does what keys ask for meanwhile. */
static void wait_interval(double *interval)
{
	switch (wait_key(*interval)) {
	case 'q':
		ended = 1;
		break;
	case '+':
		*interval = *interval * 2 < INTERVAL_MAX ? *interval * 2 : INTERVAL_MAX;
		break;
	case '-':
		*interval = *interval / 2 > INTERVAL_MIN ? *interval / 2 : INTERVAL_MIN;
		break;
	}
}

static void sleep_interval(double interval)
{
	struct timespec left = { .tv_sec = (time_t)interval,
				 .tv_nsec = (long)((interval - (double)(time_t)interval) * 1e9) };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

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

int main(int argc, char **argv)
{
	double interval = 1;
	long count = -1;
	int option, batch = 0, last = 0;

	while ((option = getopt(argc, argv, "d:n:b")) > 0) {
		if (option == 'd')
			interval = atof(optarg);
		else if (option == 'n')
			count = atol(optarg);
		else if (option == 'b')
			batch = 1;
		else
			usage();
	}
	if (optind < argc || interval < INTERVAL_MIN || interval > INTERVAL_MAX || count == 0)
		usage();
	take(&samples[last]);
	if (!batch)
		start_keys();
	for (; !ended && count != 0; count -= count > 0, last = !last) {
		if (batch)
			sleep_interval(interval);
		else
			wait_interval(&interval);
		take(&samples[!last]);
		if (batch)
			screen_print(&samples[last], &samples[!last], 0, 0, "\n");
		else
			print_screen(&samples[last], &samples[!last]);
		fflush(stdout);
	}
	if (!batch)
		stop_keys();
	return 0;
}
