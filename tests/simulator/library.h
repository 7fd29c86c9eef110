/* SPDX-License-Identifier: MIT */
/* What watches over the library, besides its callbacks' checks in machine.h. */
#ifndef SIMULATOR_LIBRARY_H
#define SIMULATOR_LIBRARY_H

#include "machine.h"

/* What runs, for messages: `not ok CASE: why`. */
extern const char *library_case;

/* library.c: the callback that runs, name NULL: none; its number tells the watchdog one from the next. */
struct callback {
	const char *name;
	int cpu;
	const struct sim_task *task;
	unsigned long number;
};
extern volatile struct callback callback;

/* wrong.c: faults, loops and the sanitizers' findings end the program with a message that names the
 * callback. */
void library_watch(void);

/* machine.c: the task at this address, or NULL; p is not followed. */
struct sim_task *sim_known(const struct task *p);
/* The name of a task that was at this address and has ended, or NULL. */
const char *sim_ended_name(const struct task *p);

#endif
