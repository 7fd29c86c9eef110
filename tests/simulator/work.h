/* SPDX-License-Identifier: MIT */
/*
 * What simulated tasks do: docs/scheduler.md, "The simulator", tells how it is written down.
 */
#ifndef SIMULATOR_WORK_H
#define SIMULATOR_WORK_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRAMS_MAX 2048
#define SEMAPHORES_MAX 2048
#define ROUNDS_ENDLESS 0u

enum step_kind { RUN, SLEEP, NEXT, YIELD, POST, HAND, WAIT, SPAWN, START, JOIN, REPEAT };

struct step {
	enum step_kind kind;
	uint64_t from_ns, to_ns; /* RUN, SLEEP, NEXT: evenly distributed between the two */
	unsigned number;         /* semaphore, program, or rounds */
	unsigned below;          /* SPAWN: only if the task's own depth is less */
};

struct program {
	char name[16];
	bool is_task;          /* starts by itself; otherwise others start it */
	unsigned copies;
	uint64_t at_ns, every_ns; /* of the first copy, and how much later each other one */
	int nice, policy, priority;
	unsigned process; /* its tasks are threads of this one; 0: each is a process of its own */
	uint64_t runtime_ns, deadline_ns, period_ns;
	uint64_t affinity;     /* bit per CPU; ~0: any, also those beyond 63 */
	unsigned steps, room;
	struct step *step;
};

struct work {
	int cpus;
	uint64_t until_ns, column_ns, seed;
	uint64_t message_ns, switch_ns, interrupt_ns;
	bool expect_priorities; /* nobody runs on a CPU where somebody more urgent waits */
	bool expect_patience;   /* nobody waits for longer than the core allows */
	unsigned programs, semaphores;
	struct program program[PROGRAMS_MAX];
	char semaphore[SEMAPHORES_MAX][16];
};

extern struct work work;

/* Reads into `work`; ends the program with a message that names the line if it cannot. */
void work_read(const char *path);
void work_read_text(const char *name, const char *text);
/* All its tasks are put into the machine, which runs. */
void work_add_all(void);

#endif
