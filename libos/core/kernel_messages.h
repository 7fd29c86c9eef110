/* SPDX-License-Identifier: MIT */
/* What the kernel's mailbox holds is handed to whom it concerns: see kernel_messages.c. */
#ifndef LIBOS_KERNEL_MESSAGES_H
#define LIBOS_KERNEL_MESSAGES_H

#include <stdint.h>

struct vcore;

/* This CPU, masked, no lock held, with bits of enum exo_event: reads its mailbox, a ring's worth of it.
 * Not before the tasks have had their turn, if there is a rest from the last time; unless something is
 * revoked. */
void kernel_messages(struct vcore *v, uint32_t events);

#endif
