/* SPDX-License-Identifier: MIT */
/*
 * The ring of messages in a vcore page: many senders (any CPU), one reader (ring 3).
 *
 *	slots:  ... | read | FULL | FULL | being written | FULL | free ...
 *	                     ^ head (the reader's)                ^ tail (the kernel's)
 *
 * Head and tail are indices in the stream of messages; slot = index % slots.  A sender takes an
 * index by moving the tail, writes the words, and then marks the slot full by storing index + 1
 * in its sequence.  The tail is out of the reader's reach.  The head is in the reader's hands
 * and believed only as far as it says that there is room: a wrong one makes the ring look full,
 * or loses the reader its own messages, and never leads outside the slots.
 *
 * Pure: compiles on the host for its tests.
 */
#ifndef EXO_MAILBOX_RING_H
#define EXO_MAILBOX_RING_H

#include <exo/abi.h>
#include <stdatomic.h>
#include <stdint.h>

struct mailbox_ring {
	_Atomic uint32_t *tail;    /* kernel's, any CPU */
	uint32_t *head;            /* in the shared page: written by the reader */
	struct exo_message *slots; /* in the shared page: EXO_MAILBOX_SLOTS of them */
};

enum mailbox_ring_result {
	MAILBOX_RING_FULL,
	MAILBOX_RING_SENT,      /* the reader has earlier messages to go through first */
	MAILBOX_RING_SENT_RING, /* the reader may have found the ring empty: wake it */
};

/*
 * Adds a message unless `limit` (<= EXO_MAILBOX_SLOTS) or more slots are in use.  `message`'s
 * sequence is not used.
 */
enum mailbox_ring_result mailbox_ring_send(const struct mailbox_ring *ring,
					   const struct exo_message *message, uint32_t limit);

#endif
