/* SPDX-License-Identifier: MIT */
/* What the machine did up to a moment, as /proc tells. */
#ifndef EXOTOP_SAMPLE_H
#define EXOTOP_SAMPLE_H

#include <stdbool.h>

#define CPUS_MAX 64
#define PROCESSES_MAX 1024
#define NAME_SIZE 17

/* Counters since boot, but for `queued`, `task` and `name`, which are of the moment. */
struct cpu_sample {
	long queued, switches, migrations, steals, donations, ipis, idle_ms;
	long task; /* what it runs, 0: nothing */
	char name[NAME_SIZE];
};

struct process_sample {
	int pid, cpu, threads;
	char state, name[NAME_SIZE];
	double seconds; /* of CPU time */
};

struct sample {
	double seconds; /* CLOCK_MONOTONIC */
	char scheduler[NAME_SIZE];
	int cpus, processes;
	struct cpu_sample cpu[CPUS_MAX];
	struct process_sample process[PROCESSES_MAX]; /* in the order of their ids */
};

/* False, and errno, if /proc/exo is not there. */
bool sample_take(struct sample *s);

#endif
