/* SPDX-License-Identifier: MIT */
/* Looking for a while before halting: see idle_poll.c.  This CPU, masked, with nothing to run. */
#ifndef LIBOS_IDLE_POLL_H
#define LIBOS_IDLE_POLL_H

#include <stdbool.h>
#include <stdint.h>

struct vcore;

/* True: an event is pending, or there is mail. */
bool idle_poll(struct vcore *v);
/* `victim` has one task in its queue: true, after a moment, if that has changed. */
bool idle_poll_settles(const struct vcore *v, unsigned victim);
/* It has been idle for so long. */
void idle_poll_learn(struct vcore *v, uint64_t idle_tsc);

#endif
