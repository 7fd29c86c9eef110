/* SPDX-License-Identifier: MIT */
/* Schedulers with a callback that never returns are ejected, and nothing else notices. */
#define _GNU_SOURCE
#include "safety_net.h"

#define LOOP(name, in, after, cpus, steal) \
	{ #name "_loops", BREAK_LOOP, in, after, "s " #name "() ran too long, at 0x", cpus, steal, NULL }

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

int main(void)
{
	run_broken_cases(cases, sizeof(cases) / sizeof(cases[0]));
	return test_result();
}
