/* SPDX-License-Identifier: MIT */
/* exo/mailbox_ring.c, libos/core/kernel_mailbox.c: no message is lost, torn, or left unnoticed, though
 * no more than a ring's worth is read at once */
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
	unsigned received, wanted;
	bool rests; /* the reader: it comes back without being told */
} box;

static void setup(void)
{
	static const char *const slots[] = { "slot 0", "slot 1", "slot 2", "slot 3" };

	memset(&box, 0, sizeof(box));
	box.wanted = MESSAGES;
	explore_name(&box.page.mailbox_head, 4, "head");
	explore_name(&box.tail, 4, "tail");
	explore_name(&box.pending, 4, "pending");
	for (unsigned i = 0; i < 2 * MESSAGES; i++)
		explore_name(&box.page.mailbox[i], sizeof(struct exo_message), slots[i]);
}

static bool has_room(void *nothing)
{
	(void)nothing;
	return box.tail - box.page.mailbox_head < EXO_MAILBOX_SLOTS;
}

/* As exo/mailbox.c sends to a vcore that runs; who sends tries again when it has been refused. */
static void sender(unsigned number)
{
	struct mailbox_ring ring = {
		.tail = &box.tail,
		.head = &box.page.mailbox_head,
		.slots = box.page.mailbox,
	};

	for (uint64_t i = 0; i < MESSAGES;) {
		struct exo_message message = { .kind = number, .word = { i, ~i, number } };
		enum mailbox_ring_result result =
			mailbox_ring_send(&ring, &message, EXO_MAILBOX_SLOTS);

		if (result == MAILBOX_RING_SENT_RING)
			atomic_fetch_or(&box.pending, EXO_EVENT_MAILBOX);
		if (result == MAILBOX_RING_FULL) {
			EXPLORE_CHECK(box.wanted > EXO_MAILBOX_SLOTS); /* fewer never fill it */
			explore_wait(has_room, NULL, "tries again when there is room");
		} else {
			i++;
		}
	}
}

static bool is_pending(void *nothing)
{
	(void)nothing;
	return box.pending != 0 || box.rests;
}

static void got(const struct exo_message *message)
{
	EXPLORE_CHECK(message->kind < 2);
	EXPLORE_CHECK(message->word[0] == box.expected[message->kind]++);
	EXPLORE_CHECK(message->word[1] == ~message->word[0]);
	EXPLORE_CHECK(message->word[2] == message->kind);
	box.received++;
}

/* As kernel_messages() and idle() read: `rests` stands for the timer, which expires when there is nothing
 * else, or before. */
static void reader(void)
{
	while (box.received < box.wanted) {
		unsigned count = 0;

		explore_wait(is_pending, NULL, "halts until something is pending");
		atomic_exchange(&box.pending, 0);
		box.rests = kernel_mailbox_read(&box.page, got, &count);
		EXPLORE_CHECK(count <= EXO_MAILBOX_SLOTS);
	}
}

static void one_sender(unsigned number)
{
	if (number == 0)
		reader();
	else
		sender(0);
}

static void setup_two(void)
{
	setup();
	box.wanted = 2 * MESSAGES;
}

/* One slot is free, so the sender's first is the last that is read at once, or one of those before it. */
static void setup_full(void)
{
	setup();
	for (unsigned i = 0; i < EXO_MAILBOX_SLOTS - 1; i++)
		box.page.mailbox[i] = (struct exo_message){
			.sequence = i + 1, .kind = 1, .word = { i, ~(uint64_t)i, 1 },
		};
	box.tail = EXO_MAILBOX_SLOTS - 1;
	box.pending = EXO_EVENT_MAILBOX;
	box.wanted = EXO_MAILBOX_SLOTS - 1 + MESSAGES;
}

static void two_senders(unsigned number)
{
	if (number == 0)
		reader();
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
		{ "two_senders_lose_nothing", 3, 2, 1, setup_two, two_senders, check, NULL },
		{ "what_is_not_read_at_once_is_not_left_unnoticed", 2, 2, 1, setup_full, one_sender, check,
		  NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
