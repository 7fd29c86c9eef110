/* SPDX-License-Identifier: MIT */
/* /proc/exo/sched, /proc/exo/cpus and /proc/exo/sched-stats. */
#ifndef LIBOS_SCHED_PROC_H
#define LIBOS_SCHED_PROC_H

/* Once, in task context. */
void sched_proc_init(void);

#endif
