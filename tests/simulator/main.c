/* SPDX-License-Identifier: MIT */
/*
 * A scheduler library in a simulated machine:
 *
 *	LIBRARY [--cpus N] [--param NAME=VALUE]... [--notes] FILE   runs the work of FILE and prints the
 *	                                                            timeline, behind what sched_trace() says
 *	LIBRARY [--param NAME=VALUE]... --check                     runs the conformance suite
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conform.h"
#include "library.h"
#include "machine.h"

extern const struct sched_ops *const __start_sched_libraries[], *const __stop_sched_libraries[];

static const struct sched_ops *the_library(void)
{
	if (__stop_sched_libraries - __start_sched_libraries != 1) {
		fprintf(stderr, "the file must have one SCHED_LIBRARY()\n");
		exit(2);
	}
	return __start_sched_libraries[0];
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: LIBRARY [--cpus N] [--param NAME=VALUE]... [--notes] WORK\n"
			"       LIBRARY [--param NAME=VALUE]... --check\n");
	exit(2);
}

/* By policy and rt_priority, as sched(7) orders them. */
static int urgency(const struct sim_task *t)
{
	switch (t->t.policy) {
	case SCHED_POLICY_FIFO:
	case SCHED_POLICY_RR:
		return 1 + t->t.rt_priority;
	case SCHED_POLICY_IDLE:
		return 0;
	default:
		return 1;
	}
}

/* After each event, which has changed this CPU. */
static void check_priorities(void)
{
	const struct sim_cpu *c = &machine.cpu[machine.this_cpu];

	for (struct sim_task *t = c->ready_first; t && c->current; t = t->ready_next)
		if (urgency(t) > urgency(c->current))
			library_is_wrong("CPU %d runs task %s at %.3f ms, while %s waits there, which has "
					 "a higher priority", machine.this_cpu, c->current->t.name,
					 (double)machine.now_ns / 1e6, t->t.name);
}

/* The argument of --cpus. */
static int cpus_of(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 1 || n > SCHED_CPUS_MAX) {
		fprintf(stderr, "--cpus %s: from 1 to %d\n", text, SCHED_CPUS_MAX);
		exit(2);
	}
	return (int)n;
}

/* As `schedctl param` does: NAME=VALUE. */
static void set_tunable(char *text)
{
	const struct sched_tunable *t = the_library()->tunables;
	char *value = text, *end;
	uint64_t n;

	strsep(&value, "=");
	while (t && t->name && strcmp(t->name, text) != 0)
		t++;
	if (!t || !t->name) {
		fprintf(stderr, "--param %s: the library has no such number\n", text);
		exit(2);
	}
	n = value ? strtoul(value, &end, 10) : 0;
	if (!value || end == value || *end || *value == '-' || n < t->min || n > t->max) {
		fprintf(stderr, "--param %s: a number from %lu to %lu\n", text, t->min, t->max);
		exit(2);
	}
	*t->value = n;
}

static void simulate(const char *file, int cpus)
{
	work_read(file);
	if (cpus)
		work.cpus = cpus;
	library_case = file;
	library_watch();
	timeline_start(work.column_ns, work.until_ns);
	machine_start(work.cpus, the_library(), work.seed);
	machine.message_ns = work.message_ns;
	machine.switch_ns = work.switch_ns;
	machine.interrupt_ns = work.interrupt_ns;
	machine.patience = work.expect_patience;
	if (work.expect_priorities)
		machine.hook = check_priorities;
	work_add_all();
	machine_run(work.until_ns);
	timeline_print();
}

int main(int argc, char **argv)
{
	int cpus = 0;

	for (int used; argc > 2; argc -= used, argv += used) {
		used = strcmp(argv[1], "--notes") == 0 ? 1 : 2;
		if (used == 1)
			machine.notes = true;
		else if (argc > 3 && strcmp(argv[1], "--cpus") == 0)
			cpus = cpus_of(argv[2]);
		else if (argc > 3 && strcmp(argv[1], "--param") == 0)
			set_tunable(argv[2]);
		else
			usage();
	}
	if (argc == 2 && !cpus && !machine.notes && strcmp(argv[1], "--check") == 0)
		return conform(the_library());
	if (argc != 2 || argv[1][0] == '-')
		usage();
	simulate(argv[1], cpus);
	return 0;
}
