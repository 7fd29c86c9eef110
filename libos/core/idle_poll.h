/* SPDX-License-Identifier: MIT */
/* Looking for a while before halting: see idle_poll.c.  This CPU, masked, with nothing to run. */
#ifndef LIBOS_IDLE_POLL_H
#define LIBOS_IDLE_POLL_H

#include <stdbool.h>
#include <stdint.h>

struct vcore;

/* True: an event is pending, or there is mail. */
bool idle_poll(struct vcore *v);
/* The CPU to be asked for a task, as find() says: -1, nobody, or something has come.  Where it is likely that
 * the task runs at once, that is found out first, which may take some microseconds. */
int idle_poll_victim(const struct vcore *v, int (*find)(const struct vcore *v));
/* It has been idle for so long. */
void idle_poll_learn(struct vcore *v, uint64_t idle_tsc);

#endif
