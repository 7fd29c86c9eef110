/* SPDX-License-Identifier: MIT */
/* exo/mailbox_ring.c, libos/core/kernel_mailbox.c: no message is lost, torn, or left unnoticed */
#include <string.h>
#include "../../exo/mailbox_ring.h"
#include "core/kernel_mailbox.h"
#include "explore.h"

#define MESSAGES 2 /* of each sender */

/* What kernel and libos share of a vcore. */
static struct {
	struct exo_vcore_page page;
	_Atomic uint32_t tail;
	_Atomic uint32_t
		pending;      /* the kernel's latch: the reader does not sleep while it is set */
	uint64_t expected[2]; /* the reader: next number of each sender */
	unsigned received;
} box;

static void setup(void)
{
	static const char *const slots[] = { "slot 0", "slot 1", "slot 2", "slot 3" };

	memset(&box, 0, sizeof(box));
	explore_name(&box.page.mailbox_head, 4, "head");
	explore_name(&box.tail, 4, "tail");
	explore_name(&box.pending, 4, "pending");
	for (unsigned i = 0; i < 2 * MESSAGES; i++)
		explore_name(&box.page.mailbox[i], sizeof(struct exo_message), slots[i]);
}

/* As exo/mailbox.c sends to a vcore that runs. */
static void sender(unsigned number)
{
	struct mailbox_ring ring = {
		.tail = &box.tail,
		.head = &box.page.mailbox_head,
		.slots = box.page.mailbox,
	};

	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct exo_message message = { .kind = number, .word = { i, ~i, number } };
		enum mailbox_ring_result result =
			mailbox_ring_send(&ring, &message, EXO_MAILBOX_SLOTS);

		EXPLORE_CHECK(result != MAILBOX_RING_FULL);
		if (result == MAILBOX_RING_SENT_RING)
			atomic_fetch_or(&box.pending, EXO_EVENT_MAILBOX);
	}
}

static bool is_pending(void *nothing)
{
	(void)nothing;
	return box.pending != 0;
}

/* As events_process() and idle() read. */
static void reader(unsigned senders)
{
	struct exo_message message;

	while (box.received < senders * MESSAGES) {
		explore_wait(is_pending, NULL, "halts until something is pending");
		atomic_exchange(&box.pending, 0);
		while (kernel_mailbox_take(&box.page, &message)) {
			EXPLORE_CHECK(message.kind < senders);
			EXPLORE_CHECK(message.word[0] == box.expected[message.kind]++);
			EXPLORE_CHECK(message.word[1] == ~message.word[0]);
			EXPLORE_CHECK(message.word[2] == message.kind);
			box.received++;
		}
	}
}

static void one_sender(unsigned number)
{
	if (number == 0)
		reader(1);
	else
		sender(0);
}

static void two_senders(unsigned number)
{
	if (number == 0)
		reader(2);
	else
		sender(number - 1);
}

static void check(void)
{
	EXPLORE_CHECK(box.page.mailbox_head == box.tail);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_message_is_never_left_unnoticed", 2, 3, 2, setup, one_sender, check, NULL },
		{ "two_senders_lose_nothing", 3, 2, 1, setup, two_senders, check, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
