/* SPDX-License-Identifier: MIT */
/* Schedulers with a callback that never returns are ejected, and nothing else notices. */
#define _GNU_SOURCE
#include "safety_net.h"

#define LOOP(name, in, after, cpus, steal) \
	{ #name "_loops", BREAK_LOOP, in, after, "s " #name "() ran too long, at 0x", cpus, steal }

static const struct broken_case cases[] = {
	LOOP(init, IN_INIT, 0, 1, 0),
	LOOP(attach, IN_ATTACH, 3, 1, 0),
	LOOP(detach, IN_DETACH, 1, 1, 0),
	LOOP(select_cpu, IN_SELECT_CPU, 3, 1, 0),
	LOOP(enqueue, IN_ENQUEUE, 30, 1, 0),
	LOOP(dequeue, IN_DEQUEUE, 0, 1, 0),
	LOOP(pick, IN_PICK, 30, 1, 0),
	LOOP(steal, IN_STEAL, 0, 2, 1),
	LOOP(charge, IN_CHARGE, 30, 1, 0),
	LOOP(donate, IN_DONATE, 0, 1, 0),
	LOOP(setparam, IN_SETPARAM, 0, 1, 0),
	LOOP(cpu_online, IN_CPU_ONLINE, 0, 1, 0),
	LOOP(dump, IN_DUMP, 0, 1, 0),
};

static const struct broken_case yields = {
	.rule = BREAK_LOOP, .callback = IN_ENQUEUE, .reported = "s enqueue() ran too long, at 0x",
};

static void wait_busily(double seconds)
{
	double end = clock_s() + seconds;

	while (clock_s() < end)
		;
}

/* On the CPU with the fewest errands.  No timer is set any more and nobody waits, so that no event
 * would come by itself. */
static void a_loop_is_noticed_where_nothing_else_happens(void)
{
	double start = clock_s();
	cpu_set_t all, last;

	CHECK_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&last);
	CPU_SET(CPU_COUNT(&all) - 1, &last);
	CHECK_EQ(sched_setaffinity(0, sizeof(last), &last), 0);
	broken = &yields;
	CHECK_EQ(tell("sched-load", "/tests/broken.so"), 0);
	CHECK_EQ(tune("rule", BREAK_LOOP), 0);
	CHECK_EQ(tune("callback", IN_ENQUEUE), 0);
	CHECK_EQ(tune("after", 0), 0);
	CHECK_EQ(tell("sched", "broken"), 0);
	wait_busily(0.3);
	sched_yield();
	CHECK(is_in_force("fifo"));
	check_report(start);
	CHECK_EQ(tell("sched-unload", "broken"), 0);
	CHECK_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
	RUN(a_loop_is_noticed_where_nothing_else_happens);
	run_broken_cases(cases, sizeof(cases) / sizeof(cases[0]));
	return test_result();
}
