/* SPDX-License-Identifier: MIT */
/*
 * A scheduler that is swapped out, and on a CPU that has not followed yet is found to break a rule: it is not
 * ejected, as another one is in force already, but its author hears of it.
 */
#define _GNU_SOURCE
#include "safety_net.h"

#define TRIES 100 /* it may be found out before it is swapped out */
#define SPINNERS 2

static const struct broken_case loops = { .rule = BREAK_LOOP, .callback = IN_PICK };

static int pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* While CPU 1 is in the loop, CPU 0 has another scheduler put in force. */
static void swap_out_in_the_middle(void)
{
	double end = clock_s() + PATIENCE_S;

	CHECK_EQ(tell("sched", "broken"), 0);
	while (!has_broken_its_rule() && clock_s() < end)
		sched_yield();
	CHECK_EQ(tell("sched", "fifo"), 0);
}

static bool was_swapped_out(double since)
{
	return find_report("broken", since) &&
	       strstr(report[0],
		      " fails while it is swapped out: on CPU 1 its pick() ran too long, at 0x");
}

static void a_failure_of_what_is_swapped_out_is_reported(void)
{
	struct spinner spinners[SPINNERS] = { 0 };
	bool reported = false;
	double start;

	broken = &loops;
	CHECK_EQ(tell("sched-load", "/tests/broken.so"), 0);
	CHECK_EQ(tell("sched", "fifo"), 0);
	CHECK_EQ(tune("rule", loops.rule), 0);
	CHECK_EQ(tune("callback", loops.callback), 0);
	CHECK_EQ(tune("only", 2), 0);
	spinners_stop = false;
	CHECK_EQ(pin(1), 0);
	for (int i = 0; i < SPINNERS; i++)
		CHECK_EQ(pthread_create(&spinners[i].thread, NULL, spin, &spinners[i]), 0);
	CHECK_EQ(pin(0), 0);
	for (int i = 0; i < TRIES && !reported; i++) {
		start = clock_s();
		swap_out_in_the_middle();
		reported = was_swapped_out(start);
	}
	spinners_stop = true;
	for (int i = 0; i < SPINNERS; i++)
		CHECK_EQ(pthread_join(spinners[i].thread, NULL), 0);
	if (!reported)
		printf("# %s\n", report[0]);
	CHECK(reported);
	check_report(start);
	CHECK_EQ(tell("sched-unload", "broken"), 0);
}

int main(void)
{
	char before[NAME_ROOM];

	current_scheduler(before);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		printf("ok a_failure_of_what_is_swapped_out_is_reported # skip needs 2 CPUs\n");
	else
		RUN(a_failure_of_what_is_swapped_out_is_reported);
	if (tell("sched", before) < 0)
		return 1;
	return test_result();
}
