/* SPDX-License-Identifier: MIT */
/* What the kernel's mailbox holds is handed to whom it concerns: see kernel_messages.c. */
#ifndef LIBOS_KERNEL_MESSAGES_H
#define LIBOS_KERNEL_MESSAGES_H

#include <stdbool.h>

struct vcore;

/* This CPU, masked, no lock held: reads its mailbox, a ring's worth of it.  Not before the tasks have had
 * their turn, if there is a rest from the last time; unless it is `urgent`. */
void kernel_messages(struct vcore *v, bool urgent);

#endif
