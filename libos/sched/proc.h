/* SPDX-License-Identifier: MIT */
/* /proc/exo/sched and /proc/exo/cpus. */
#ifndef LIBOS_SCHED_PROC_H
#define LIBOS_SCHED_PROC_H

/* Once, in task context. */
void sched_proc_init(void);

#endif
