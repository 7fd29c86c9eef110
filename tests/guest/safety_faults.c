/* SPDX-License-Identifier: MIT */
/* Schedulers with a callback that faults are ejected, and nothing else notices. */
#define _GNU_SOURCE
#include "safety_net.h"

#define FAULT(name, in, after, cpus, steal) \
	{ #name "_faults", BREAK_FAULT, in, after, "s " #name "() faulted, at 0x", cpus, steal, NULL }

static const struct broken_case cases[] = {
	FAULT(init, IN_INIT, 0, 1, 0),
	FAULT(attach, IN_ATTACH, 3, 1, 0),
	FAULT(detach, IN_DETACH, 1, 1, 0),
	FAULT(select_cpu, IN_SELECT_CPU, 3, 1, 0),
	FAULT(enqueue, IN_ENQUEUE, 30, 1, 0),
	FAULT(dequeue, IN_DEQUEUE, 0, 1, 0),
	FAULT(pick, IN_PICK, 30, 1, 0),
	FAULT(steal, IN_STEAL, 0, 2, 1),
	FAULT(charge, IN_CHARGE, 30, 1, 0),
	FAULT(donate, IN_DONATE, 0, 1, 0),
	FAULT(setparam, IN_SETPARAM, 0, 1, 0),
	FAULT(cpu_online, IN_CPU_ONLINE, 0, 1, 0),
	FAULT(dump, IN_DUMP, 0, 1, 0),
	{ "code_that_is_none_is_called", BREAK_JUMP, IN_PICK, 30,
	  "s pick() faulted, at 0x123456789000", 1, 0, NULL },
	{ "a_callback_runs_out_of_stack", BREAK_RECURSE, IN_ENQUEUE, 30,
	  "s enqueue() faulted, at 0x", 1, 0, NULL },
	{ "another_runs_out_of_stack", BREAK_RECURSE, IN_SELECT_CPU, 3,
	  "s select_cpu() faulted, at 0x", 1, 0, NULL },
	/* In the libos's first page, where the calls come in. */
	{ "a_callback_makes_a_system_call", BREAK_CALL, IN_SELECT_CPU, 3,
	  "s select_cpu() faulted, at 0x7f0000000", 1, 0, NULL },
};

static const struct broken_case gone = {
	.rule = BREAK_FAULT,
	.callback = IN_EXIT,
	.reported = "broken ended badly: on CPU ",
};

/* There is nothing left to be ejected, but it is told.  The last CPU that leaves the library calls it. */
static void exit_faults(void)
{
	char before[NAME_ROOM];
	double start = clock_s();

	broken = &gone;
	current_scheduler(before);
	CHECK_EQ(tell("sched-load", "/tests/broken.so"), 0);
	CHECK_EQ(tune("rule", broken->rule), 0);
	CHECK_EQ(tune("callback", broken->callback), 0);
	CHECK_EQ(tune("after", broken->after), 0);
	CHECK_EQ(tell("sched", library()), 0);
	CHECK(is_in_force(library()));
	CHECK_EQ(tell("sched", before), 0);
	while (!find_report(library(), start)) {
		CHECK(clock_s() < start + PATIENCE_S);
		sched_yield();
	}
	check_report(start);
	CHECK(strstr(report[0], "s exit() faulted, at 0x") != NULL);
	while (tell("sched-unload", library()) < 0)
		CHECK(clock_s() < start + PATIENCE_S);
}

int main(void)
{
	RUN(exit_faults);
	run_broken_cases(cases, sizeof(cases) / sizeof(cases[0]));
	return test_result();
}
