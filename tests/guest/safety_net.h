/* SPDX-License-Identifier: MIT */
/*
 * Schedulers that break the rules (tests/schedulers/broken.c), and what must come of it: programs
 * finish with the right answer, the log says who did what, and the FIFO is in force.
 */
#ifndef TESTS_GUEST_SAFETY_NET_H
#define TESTS_GUEST_SAFETY_NET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/klog.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include "../schedulers/broken.h"
#include "scheduler_files.h"
#include "test.h"

#define LOG_ROOM 16385
/* Until a library that has broken its rule must have been found out: it takes less than one second, and one
 * load; but where the host has other things to do, a load may take most of that time. */
#define PATIENCE_S 20
#define PATIENCE_LOADS 20

/* ---- the load */

#define NUMBERS 300

static int pipe_number_through(int from, int to)
{
	long n;

	while (read(from, &n, sizeof(n)) == sizeof(n)) {
		n += 1;
		if (write(to, &n, sizeof(n)) != sizeof(n))
			return 1;
	}
	return 0;
}

#define FILTERS 2

/* Numbers through some processes, each adding one: the sum that arrives. */
static long pipeline(void)
{
	int in[2], out[2], first, status, previous;
	long n, sum = 0;
	pid_t children[FILTERS + 1];

	if (pipe(in) < 0)
		return -1;
	first = in[1];
	previous = in[0];
	for (int i = 0; i < FILTERS; i++) {
		if (pipe(out) < 0)
			return -1;
		children[i] = fork();
		if (children[i] == 0) {
			close(first);
			close(out[0]);
			_exit(pipe_number_through(previous, out[1]));
		}
		close(previous);
		close(out[1]);
		previous = out[0];
	}
	children[FILTERS] = fork();
	if (children[FILTERS] == 0) {
		for (n = 0; n < NUMBERS; n++)
			if (write(first, &n, sizeof(n)) != sizeof(n))
				_exit(1);
		_exit(0);
	}
	close(first);
	while (read(previous, &n, sizeof(n)) == sizeof(n))
		sum += n;
	close(previous);
	for (int i = 0; i <= FILTERS; i++)
		if (children[i] < 0 || waitpid(children[i], &status, 0) < 0 || status != 0)
			sum = -1;
	return sum;
}

static atomic_bool spinners_stop;

struct spinner {
	pthread_t thread;
	_Atomic pid_t id; /* 0: it has not begun */
	volatile unsigned long count;
};

static void *spin(void *argument)
{
	struct spinner *s = argument;

	s->id = gettid();
	while (!spinners_stop)
		s->count++;
	return NULL;
}

/* Threads that are queued, or run elsewhere, get another nice value: what went wrong. */
static int renice(struct spinner *spinners, int n)
{
	int wrong = setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) ? 0 : 1) != 0;

	sched_yield(); /* so that some have begun */
	for (int i = 0; i < n; i++)
		if (spinners[i].id)
			wrong += setpriority(PRIO_PROCESS, (id_t)spinners[i].id, 1 + i % 2) != 0;
	return wrong;
}

/* 0 when everything that was started has ended, with the right answers. */
static int run_load(void)
{
	int wanted = (int)sysconf(_SC_NPROCESSORS_ONLN) + 1, wrong = 0, n;
	struct spinner spinners[64] = { 0 };

	wrong += run_threads();
	spinners_stop = false;
	for (n = 0; n < wanted && n < 64; n++)
		if (pthread_create(&spinners[n].thread, NULL, spin, &spinners[n]) != 0)
			break;
	wrong += renice(spinners, n);
	wrong += pipeline() != NUMBERS * (NUMBERS - 1) / 2 + FILTERS * NUMBERS;
	spinners_stop = true;
	while (n > 0)
		wrong += pthread_join(spinners[--n].thread, NULL) != 0;
	return wrong;
}

/* ---- the report */

static double clock_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char report[4][512];

/* The last report on a library in the log: its three lines, and one more of who faulted.
 * Its time must not be before `since`. */
static int find_report(const char *library, double since)
{
	static char log[LOG_ROOM];
	int size = klogctl(3, log, LOG_ROOM - 1);
	char start[64], *at, *last = NULL;
	double when = 0;

	log[size > 0 ? size : 0] = 0;
	snprintf(start, sizeof(start), "libos: scheduler %s ", library);
	for (at = log; (at = strstr(at, start)); at++)
		last = at;
	for (int i = 0; i < 4; i++) {
		size_t length = last ? strcspn(last, "\n") : 0;

		snprintf(report[i], sizeof(report[i]), "%.*s", (int)length, last ? last : "");
		last = last && last[length] ? last + length + 1 : NULL;
	}
	sscanf(report[1], "libos:   at %lf s", &when);
	return when >= since - 0.001;
}

/* ---- a case */

struct broken_case {
	const char *name;
	enum broken_rule rule;
	enum broken_callback callback;
	unsigned after;
	const char *
		reported; /* how the first line goes on after "it", or NULL: it is not asked; with a
			       * '|' before another way, where it depends on what the task does next */
	int cpus;             /* it needs so many */
	int with_steal;
	const char *wrong;    /* with the task that it returned or kept; ways as above, or NULL */
};

static const struct broken_case *broken;

static const char *library(void)
{
	return broken->with_steal ? "broken_steal" : "broken";
}

static int tune(const char *key, unsigned value)
{
	char line[64];

	snprintf(line, sizeof(line), "%s %s %u", library(), key, value);
	return tell("sched-param", line);
}

static bool has_broken_its_rule(void)
{
	static char text[TEXT_ROOM];
	char start[64], *at;

	read_proc("sched-param", text);
	snprintf(start, sizeof(start), "%s broke ", library());
	at = strstr(text, start);
	return at && atol(at + strlen(start)) > 0;
}

static int is_in_force(const char *name)
{
	char now[NAME_ROOM];

	return strcmp(current_scheduler(now), name) == 0;
}

/* Loads until the library has been found out, which is in the middle of one, and that goes on under
 * the FIFO: 0, or how much of it went wrong. */
static int load_until_ejected(void)
{
	static char text[TEXT_ROOM];
	int wrong = 0, loads = 0;
	double deadline = 0;

	for (;;) {
		wrong += run_load();
		read_proc("sched-dump", text);
		if (!is_in_force(library()))
			break;
		if (!has_broken_its_rule()) /* on a host with few CPUs, or busy ones, nobody steals, say */
			continue;
		if (deadline == 0)
			deadline = clock_s() + PATIENCE_S;
		if (++loads >= PATIENCE_LOADS && clock_s() >= deadline)
			break;
	}
	if (is_in_force(library()))
		printf("# not found out in %d loads\n%s\n", loads, text);
	return wrong;
}

static int is_reported(const char *ways)
{
	char way[128];
	size_t length = strcspn(ways, "|");

	snprintf(way, sizeof(way), "%.*s", (int)length, ways);
	return strstr(report[0], way) || (ways[length] && is_reported(ways + length + 1));
}

/* The report names the scheduler, the callback, the CPU, the task and what came before. */
static void check_report(double since)
{
	CHECK(find_report(library(), since));
	if (broken->reported && !is_reported(broken->reported))
		printf("# %s\n# %s\n# %s\n# %s\n", report[0], report[1], report[2], report[3]);
	if (broken->reported)
		CHECK(is_reported(broken->reported));
	if (broken->wrong && !is_reported(broken->wrong))
		printf("# %s\n", report[0]);
	if (broken->wrong)
		CHECK(is_reported(broken->wrong));
	CHECK(strstr(report[0], ": on CPU ") != NULL);
	CHECK(strstr(report[1], " s, about ") != NULL);
	CHECK(strstr(report[2], "libos:   what CPU ") == report[2]);
	CHECK(strchr(report[2], '(') != NULL); /* there was at least one callback */
	if (strstr(report[0], " faulted, at ") || strstr(report[0], " ran too long, at ")) {
		CHECK(strstr(report[3], "libos:   that is at ") == report[3]);
		CHECK(strstr(report[3], " of the library") != NULL);
	}
}

static void the_load_survives(void)
{
	double start = clock_s();

	CHECK_EQ(tell("sched", "fifo"), 0);
	CHECK_EQ(tune("rule", broken->rule), 0);
	CHECK_EQ(tune("callback", broken->callback), 0);
	CHECK_EQ(tune("after", broken->after), 0);
	tell("sched", library()); /* may be refused, and may be over already */
	CHECK_EQ(load_until_ejected(), 0);
	CHECK(is_in_force("fifo"));
	check_report(start);
}

static inline void run_broken_cases(const struct broken_case *cases, size_t count)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	char before[NAME_ROOM];

	current_scheduler(before);
	if (tell("sched-load", "/tests/broken.so") < 0 ||
	    tell("sched-load", "/tests/broken_steal.so") < 0)
		printf("not ok broken_libraries_are_loaded: errno %d\n", errno);
	for (size_t i = 0; i < count; i++) {
		broken = &cases[i];
		if (cpus >= broken->cpus)
			test_run(broken->name, the_load_survives);
		else
			printf("ok %s # skip needs %d CPUs\n", broken->name, broken->cpus);
	}
	if (tell("sched", before) < 0 || tell("sched-unload", "broken") < 0 ||
	    tell("sched-unload", "broken_steal") < 0)
		printf("not ok broken_libraries_are_unloaded: errno %d\n", errno);
}

#endif
