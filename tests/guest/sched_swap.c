/* SPDX-License-Identifier: MIT */
/* One library is put in the place of another: neither meets what the other has in tasks, or a callback. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include "scheduler_files.h"
#include "test.h"

#define SWAPS 60
#define RUNNERS 6

#define PATIENCE_S 20 /* it takes milliseconds */

static atomic_bool stop;
static _Atomic unsigned rounds; /* of all runners */

/* Sleeps, is woken, and computes a little, over and over. */
static void *run_a_little(void *unused)
{
	while (!stop) {
		for (volatile int i = 0; i < 20000; i++)
			;
		poll(NULL, 0, 0);
		sched_yield();
		if (poll(NULL, 0, 1) != 0)
			return "poll";
		rounds++;
	}
	return NULL;
}

static pthread_t runners[RUNNERS];

static int start_runners(void)
{
	int started = 0;

	stop = false;
	for (; started < RUNNERS; started++)
		if (pthread_create(&runners[started], NULL, run_a_little, NULL) != 0)
			break;
	return started;
}

static int stop_runners(void)
{
	void *wrong = NULL;
	int bad = 0;

	stop = true;
	for (int i = 0; i < RUNNERS; i++)
		bad += pthread_join(runners[i], &wrong) != 0 || wrong;
	return bad;
}

static int is_in_force(const char *name)
{
	char now[NAME_ROOM];

	return strcmp(current_scheduler(now), name) == 0;
}

static unsigned long long number(const char *key)
{
	char line[256] = "", start[64];
	unsigned long long value = ~0ull;

	snprintf(start, sizeof(start), "lingers %s ", key);
	if (find_line("sched-param", start, line, sizeof(line)))
		sscanf(line + strlen(start), "%llu", &value);
	return value;
}

static int set(const char *key, unsigned value)
{
	char line[64];

	snprintf(line, sizeof(line), "lingers %s %u", key, value);
	return tell("sched-param", line);
}

/* Each of them about once, whoever is in force. */
static bool runners_run(void)
{
	unsigned before = rounds;
	time_t end = time(NULL) + PATIENCE_S;

	while (rounds - before < RUNNERS && time(NULL) < end)
		sched_yield();
	return rounds - before >= RUNNERS;
}

/* Puts one after the other in force: 0, or how often that was not so afterwards, or for long. */
static int alternate(const char *one, const char *other)
{
	int failed = 0;

	for (int i = 0; i < SWAPS; i++) {
		const char *name = i % 2 == 0 ? one : other;

		failed += tell("sched", name) < 0 || !is_in_force(name);
		failed += !runners_run() || !is_in_force(name);
	}
	return failed;
}

static void libraries_do_not_meet_in_a_task(void)
{
	char before[NAME_ROOM];
	int failed, wrong;

	current_scheduler(before);
	CHECK_EQ(tell("sched-load", "/tests/lingers.so"), 0);
	CHECK_EQ(tell("sched-load", "/tests/asks.so"), 0);
	CHECK_EQ(start_runners(), RUNNERS);
	failed = alternate("lingers", "asks");
	wrong = stop_runners();
	CHECK_EQ(tell("sched", before), 0);
	CHECK_EQ(failed, 0);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(number("wrong"), 0);
	CHECK_EQ(number("begun"), SWAPS / 2);
	CHECK_EQ(tell("sched-unload", "asks"), 0);
	CHECK_EQ(tell("sched-unload", "lingers"), 0);
}

static void exit_comes_before_the_next_init(void)
{
	char before[NAME_ROOM];
	int failed, wrong;

	current_scheduler(before);
	CHECK_EQ(tell("sched-load", "/tests/lingers.so"), 0);
	CHECK_EQ(start_runners(), RUNNERS);
	failed = alternate("lingers", "lingers") + alternate("lingers", "fifo");
	wrong = stop_runners();
	CHECK_EQ(tell("sched", before), 0);
	CHECK_EQ(failed, 0);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(number("wrong"), 0);
	CHECK_EQ(number("begun"), SWAPS + SWAPS / 2);
	CHECK_EQ(tell("sched-unload", "lingers"), 0);
}

static void an_init_that_returns_a_number_has_refused(void)
{
	char before[NAME_ROOM];

	current_scheduler(before);
	CHECK_EQ(tell("sched-load", "/tests/lingers.so"), 0);
	for (int i = 0; i < 3; i++) {
		static const unsigned answers[] = { 3, 5000, 1000000 };

		CHECK_EQ(set("returns", answers[i]), 0);
		CHECK_EQ(tell("sched", "lingers"), -1);
		CHECK_EQ(errno, EINVAL);
		CHECK(is_in_force(before));
	}
	/* In the place of itself: then it is not there any more when it refuses. */
	CHECK_EQ(set("returns", 0), 0);
	CHECK_EQ(tell("sched", "lingers"), 0);
	CHECK_EQ(set("returns", 1), 0);
	CHECK_EQ(tell("sched", "lingers"), -1);
	CHECK(is_in_force("fifo"));
	CHECK_EQ(tell("sched", before), 0);
	CHECK_EQ(tell("sched-unload", "lingers"), 0);
}

/* A child computes a number out of what it is sent: 0, or what went wrong.  What the libos copies and clears
 * meanwhile goes the wrong way if the direction flag is set. */
static int send_to_a_child(void)
{
	static unsigned char sent[8192], read_back[8192];
	int there[2], status = -1, wrong = 0;
	ssize_t n = 0;
	pid_t child;

	if (pipe(there) < 0 || (child = fork()) < 0)
		return 1;
	if (child == 0) {
		memset(sent, 0x5a, sizeof(sent));
		_exit(write(there[1], sent, sizeof(sent)) != sizeof(sent));
	}
	close(there[1]);
	for (ssize_t part; (part = read(there[0], read_back + n, sizeof(read_back) - (size_t)n)) > 0;)
		n += part;
	close(there[0]);
	for (size_t i = 0; i < sizeof(read_back); i++)
		wrong += read_back[i] != 0x5a;
	return wrong + (waitpid(child, &status, 0) != child || status != 0);
}

static void flags_do_not_come_out_of_a_callback(void)
{
	char before[NAME_ROOM];
	int wrong = 0;

	current_scheduler(before);
	CHECK_EQ(tell("sched-load", "/tests/lingers.so"), 0);
	CHECK_EQ(set("linger_us", 0), 0);
	CHECK_EQ(set("backwards", 1), 0);
	CHECK_EQ(tell("sched", "lingers"), 0);
	for (int i = 0; i < 20 && !wrong; i++)
		wrong += send_to_a_child();
	CHECK(is_in_force("lingers"));
	CHECK_EQ(tell("sched", before), 0);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(tell("sched-unload", "lingers"), 0);
}

int main(void)
{
	RUN(libraries_do_not_meet_in_a_task);
	RUN(exit_comes_before_the_next_init);
	RUN(an_init_that_returns_a_number_has_refused);
	RUN(flags_do_not_come_out_of_a_callback);
	return test_result();
}
