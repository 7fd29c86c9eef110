/* SPDX-License-Identifier: MIT */
/* The reader's side of the ring in a vcore page that the kernel fills (exo/mailbox_ring.h). */
#ifndef LIBOS_KERNEL_MAILBOX_H
#define LIBOS_KERNEL_MAILBOX_H

#include <exo/abi.h>
#include <stdbool.h>

/* No more at once: what is in the ring now. */
#define KERNEL_MAILBOX_AT_ONCE EXO_MAILBOX_SLOTS

/*
 * The oldest message, which leaves the ring; false: there is none.  The page's own CPU, masked.
 * Called until it says false whenever EXO_EVENT_MAILBOX was pending, it leaves no message behind
 * that will not make it pending again.
 */
bool kernel_mailbox_take(struct exo_vcore_page *page, struct exo_message *out);

/*
 * Gives the oldest messages, KERNEL_MAILBOX_AT_ONCE at most, to got(), and adds to *count how many.
 * True: there are more.  Nobody rings for them: the caller must come back by itself.
 */
bool kernel_mailbox_read(struct exo_vcore_page *page, void (*got)(const struct exo_message *),
			 unsigned *count);

#endif
