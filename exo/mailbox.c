/* SPDX-License-Identifier: MIT */
/* Sending messages to vcores; the ring itself is in mailbox_ring.c. */
#include "kernel.h"
#include "calls.h"
#include "mailbox_ring.h"

static int send(struct vcore *vcore, const struct exo_message *message, uint32_t limit)
{
	struct exo_vcore_page *page = vcore->page;
	struct mailbox_ring ring = { .tail = &vcore->mailbox_tail, .head = &page->mailbox_head,
				     .slots = page->mailbox };
	enum mailbox_ring_result result = mailbox_ring_send(&ring, message, limit);

	if (result == MAILBOX_RING_FULL)
		return -EAGAIN;
	/* Who sent what is at the head has woken the reader.  If it went to sleep with messages
	 * unread it gets another chance, though it is not owed one. */
	if (result == MAILBOX_RING_SENT_RING || vcore_place(vcore) == VCORE_HALTED)
		vcore_ring(vcore, EXO_EVENT_MAILBOX);
	return 0;
}

int mailbox_post(struct vcore *vcore, enum exo_message_kind kind, uint64_t word0, uint64_t word1,
		 uint64_t word2)
{
	struct exo_message message = { .kind = kind, .word = { word0, word1, word2 } };

	/* A budget may run out, and a vcore overrun, as often as its owner likes: what is set aside is
	 * not for that. */
	return send(vcore, &message, kind == EXO_MESSAGE_TIMEOUT || kind == EXO_MESSAGE_OVERRUN ?
		    EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED : EXO_MAILBOX_SLOTS);
}

int64_t call_send(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *sender = domain_current();
	struct exo_message message = { .kind = EXO_MESSAGE_USER | (uint32_t)sender->id << 8,
				       .word = { regs->rsi, regs->rdx, regs->r10 } };

	return send(h->vcore, &message, EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED);
}
