/* SPDX-License-Identifier: MIT */
/* The sender's side of mailbox_ring.h. */
#include "mailbox_ring.h"

/* A sender that loses the race for an index this often calls the ring full: bounded work (K1).
 * Each loss is another CPU's message sent, so it takes more CPUs than there are to get here. */
#define MAILBOX_RING_TRIES (4 * EXO_CPUS_MAX)

enum mailbox_ring_result mailbox_ring_send(const struct mailbox_ring *ring,
					   const struct exo_message *message, uint32_t limit)
{
	uint32_t index = atomic_load_explicit(ring->tail, memory_order_relaxed);
	struct exo_message *slot;
	unsigned tries = 0;

	do {
		/* Acquire: the reader is done with the slots before its head.  Below 0: the reader has
		 * passed our index, so it is not the tail any more, and the exchange will tell us. */
		int32_t used = (int32_t)(index - __atomic_load_n(ring->head, __ATOMIC_ACQUIRE));

		if (used >= (int32_t)limit || tries++ == MAILBOX_RING_TRIES)
			return MAILBOX_RING_FULL;
		/* Relaxed: only the index is claimed here; the slot is published below. */
	} while (!atomic_compare_exchange_weak_explicit(ring->tail, &index, index + 1,
							memory_order_relaxed, memory_order_relaxed));

	slot = &ring->slots[index % EXO_MAILBOX_SLOTS];
	slot->kind = message->kind;
	for (unsigned i = 0; i < 3; i++)
		slot->word[i] = message->word[i];

	/*
	 * Why no message waits unnoticed.  The reader advances its head past a message and then
	 * looks whether the next slot is full; we mark the slot full and then look at the head;
	 * both in that order (seq_cst).  So either the reader sees our message, or we see the
	 * head at our slot and say that it must be woken.  If the head is before our slot, the
	 * reader has yet to come here, and the sender of the message at the head has woken it.
	 */
	__atomic_store_n(&slot->sequence, index + 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(ring->head, __ATOMIC_SEQ_CST) == index ? MAILBOX_RING_SENT_RING
								      : MAILBOX_RING_SENT;
}
