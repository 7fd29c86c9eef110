/* SPDX-License-Identifier: MIT */
/* Messages from the kernel: see kernel_mailbox.h.  Pure: also built for the host. */
#include "core/kernel_mailbox.h"
#include <stddef.h>

static struct exo_message *slot_at(struct exo_vcore_page *page, uint32_t index)
{
	struct exo_message *slot = &page->mailbox[index % EXO_MAILBOX_SLOTS];

	return __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) == index + 1 ? slot : NULL;
}

/*
 * The kernel fills a slot, then its sequence number; we read in the opposite order.  It rings only
 * if it then finds the head at that slot.  So the store of the head and our look at the next slot,
 * in the next call, must not change places: on x86 that takes a locked instruction.
 */
bool kernel_mailbox_take(struct exo_vcore_page *page, struct exo_message *out)
{
	uint32_t head = page->mailbox_head;
	const struct exo_message *slot = slot_at(page, head);

	if (!slot)
		return false;
	*out = *slot;
	__atomic_exchange_n(&page->mailbox_head, head + 1, __ATOMIC_SEQ_CST);
	return true;
}

/*
 * Why it ends: senders may be as fast as we are, so that the ring never is empty.
 *
 * Why it leaves nothing unnoticed: who stops short of an empty ring has stored the head and looks at the
 * next slot, in this order, as kernel_mailbox_take() does.  If the slot is not full, its sender will find
 * the head there, and rings.  If it is, he may have come before the head and not ring, and those behind
 * him never do: so we say it.
 */
bool kernel_mailbox_read(struct exo_vcore_page *page, void (*got)(const struct exo_message *),
			 unsigned *count)
{
	struct exo_message message;

	for (unsigned i = 0; i < KERNEL_MAILBOX_AT_ONCE; i++) {
		if (!kernel_mailbox_take(page, &message))
			return false;
		got(&message);
		++*count;
	}
	return slot_at(page, page->mailbox_head) != NULL;
}
