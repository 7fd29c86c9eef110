/* SPDX-License-Identifier: MIT */
/* CPUs that are taken back from the domain, and come again. */
#ifndef LIBOS_OFFLINE_H
#define LIBOS_OFFLINE_H

#include <stdint.h>

struct vcore;

/* This CPU, event context: it is to be given up before the deadline.  It is when it next schedules. */
void cpu_revoked(struct vcore *v, uint64_t deadline_tsc);

/* This CPU, masked, on its event stack, no task running.  Ends the vcore, and does not return; unless this is
 * the last CPU, which stays until another arrives, or domains that we have made are to leave it first. */
void cpu_leave(struct vcore *v);

/* This CPU, event context: the kernel has listed what it has taken by force. */
void cpu_losses_read(struct vcore *v);

/* This CPU, on its way to its first task: takes part from now on. */
void cpu_arrive(struct vcore *v);

#endif
