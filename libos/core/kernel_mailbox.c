/* SPDX-License-Identifier: MIT */
/* Messages from the kernel: see kernel_mailbox.h.  Pure: also built for the host. */
#include "core/kernel_mailbox.h"

/*
 * The kernel fills a slot, then its sequence number; we read in the opposite order.  It rings only
 * if it then finds the head at that slot.  So the store of the head and our look at the next slot,
 * in the next call, must not change places: on x86 that takes a locked instruction.
 */
bool kernel_mailbox_take(struct exo_vcore_page *page, struct exo_message *out)
{
	uint32_t head = page->mailbox_head;
	struct exo_message *slot = &page->mailbox[head % EXO_MAILBOX_SLOTS];

	if (__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) != head + 1)
		return false;
	*out = *slot;
	__atomic_exchange_n(&page->mailbox_head, head + 1, __ATOMIC_SEQ_CST);
	return true;
}
