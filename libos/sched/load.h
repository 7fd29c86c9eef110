/* SPDX-License-Identifier: MIT */
/* Scheduler libraries that were loaded from files. */
#ifndef LIBOS_SCHED_LOAD_H
#define LIBOS_SCHED_LOAD_H

#include <libos/sched.h>

struct text;

/* Task context, or boot: the loaded library number `index`, counting those that are there now; NULL
 * ends the list.  What it points to stays readable. */
const struct sched_ops *sched_loaded(unsigned index);

/* Task context: a line for each loaded library, and why the last file was refused. */
void sched_loaded_print(struct text *out);

/* Of a library that is in force, or is about to be or has just been, and was loaded: is that an address in
 * its code; which one, in its file?  Which file was that? */
bool sched_loaded_code(const struct sched_ops *ops, uint64_t address, uint64_t *offset);
const char *sched_loaded_path(const struct sched_ops *ops); /* NULL: none */

#endif
