/* SPDX-License-Identifier: MIT */
/* What is told of scheduling, and controlled, in /proc/exo. */
#ifndef LIBOS_SCHED_PROC_H
#define LIBOS_SCHED_PROC_H

/* Once, in task context. */
void sched_proc_init(void);
void sched_control_init(void); /* control.c; called by the other */

#endif
