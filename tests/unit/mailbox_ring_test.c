/* SPDX-License-Identifier: MIT */
/* The mailbox ring: many senders, one reader that may lie about its head. */
#include "../../exo/mailbox_ring.c"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"

#define SLOTS EXO_MAILBOX_SLOTS

/* What the kernel and the libos share, with room around it that must stay as it is. */
struct box {
	uint64_t before[8];
	struct exo_message slots[SLOTS];
	uint64_t after[8];
	uint32_t head;
	_Atomic uint32_t tail;
	_Atomic uint32_t bells; /* how often the reader was to be woken */
};

static void box_init(struct box *box, uint32_t start)
{
	memset(box, 0, sizeof(*box));
	box->head = start;
	atomic_init(&box->tail, start);
}

static enum mailbox_ring_result box_send(struct box *box, uint64_t word, uint32_t limit)
{
	struct mailbox_ring ring = { .tail = &box->tail, .head = &box->head, .slots = box->slots };
	struct exo_message message = { .kind = 7, .word = { word, ~word, word * 3 } };
	enum mailbox_ring_result result = mailbox_ring_send(&ring, &message, limit);

	if (result == MAILBOX_RING_SENT_RING)
		atomic_fetch_add(&box->bells, 1);
	return result;
}

/* As the libos reads: take what is at the head, advance, and only then look at the next. */
static bool box_read(struct box *box, struct exo_message *out)
{
	uint32_t index = box->head;
	struct exo_message *slot = &box->slots[index % SLOTS];

	if (__atomic_load_n(&slot->sequence, __ATOMIC_SEQ_CST) != index + 1)
		return false;
	*out = *slot;
	__atomic_exchange_n(&box->head, index + 1, __ATOMIC_SEQ_CST);
	return true;
}

static void messages_arrive_in_order_and_whole(void)
{
	struct exo_message message;
	static struct box box;

	box_init(&box, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		CHECK(box_send(&box, i, SLOTS) != MAILBOX_RING_FULL);
		if (i % 3 == 2) {
			for (uint64_t j = i - 2; j <= i; j++) {
				CHECK(box_read(&box, &message));
				CHECK_EQ(message.word[0], j);
				CHECK_EQ(message.word[1], ~j);
			}
			CHECK(!box_read(&box, &message));
		}
	}
}

static void only_the_message_that_the_reader_waits_for_rings(void)
{
	struct exo_message message;
	static struct box box;

	box_init(&box, 0);
	CHECK_EQ(box_send(&box, 1, SLOTS), MAILBOX_RING_SENT_RING);
	CHECK_EQ(box_send(&box, 2, SLOTS), MAILBOX_RING_SENT);
	CHECK(box_read(&box, &message));
	CHECK_EQ(box_send(&box, 3, SLOTS), MAILBOX_RING_SENT);
	CHECK(box_read(&box, &message) && box_read(&box, &message));
	CHECK_EQ(box_send(&box, 4, SLOTS), MAILBOX_RING_SENT_RING);
}

static void a_limit_keeps_slots_for_the_kernel(void)
{
	static struct box box;
	unsigned sent = 0;

	box_init(&box, 0);
	while (box_send(&box, sent, SLOTS - EXO_MAILBOX_RESERVED) != MAILBOX_RING_FULL)
		sent++;
	CHECK_EQ(sent, SLOTS - EXO_MAILBOX_RESERVED);
	while (box_send(&box, sent, SLOTS) != MAILBOX_RING_FULL)
		sent++;
	CHECK_EQ(sent, SLOTS);
}

static void indices_may_wrap(void)
{
	struct exo_message message;
	static struct box box;

	box_init(&box, UINT32_MAX - 5);
	for (uint64_t i = 0; i < 200; i++) {
		CHECK(box_send(&box, i, SLOTS) == MAILBOX_RING_SENT_RING);
		CHECK(box_read(&box, &message));
		CHECK_EQ(message.word[0], i);
	}
}

static void a_lying_head_harms_only_the_reader(void)
{
	static struct box box;
	uint64_t state = 1;

	box_init(&box, 0);
	for (unsigned i = 0; i < 100000; i++) {
		state = state * 6364136223846793005ul + 1442695040888963407ul;
		box.head = state >> 32 & 1 ? (uint32_t)(state >> 33) : box.tail - state % 100;
		box_send(&box, i, SLOTS);
	}
	for (unsigned i = 0; i < 8; i++)
		CHECK(box.before[i] == 0 && box.after[i] == 0);
}

/* ---------------------------------------------------------------- several senders at once */

#define SENDERS 4
#define MESSAGES 50000u

static struct box shared_box;

static void *sender(void *argument)
{
	uint64_t number = (uintptr_t)argument;

	for (uint64_t i = 0; i < MESSAGES;) {
		if (box_send(&shared_box, number << 32 | i, SLOTS) != MAILBOX_RING_FULL)
			i++;
		else
			sched_yield();
	}
	return NULL;
}

/*
 * The reader sleeps, as a halted vcore does, whenever it has found the next slot empty and no
 * bell has rung since it looked last.  If a bell were missing it would never wake up again.
 */
static void no_message_is_lost_reordered_or_left_unnoticed(void)
{
	uint64_t next[SENDERS] = { 0 }, total = 0;
	uint32_t answered = 0;
	pthread_t threads[SENDERS];
	struct exo_message message;

	box_init(&shared_box, UINT32_MAX - 1000);
	for (uintptr_t i = 0; i < SENDERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, sender, (void *)i), 0);
	while (total < (uint64_t)SENDERS * MESSAGES) {
		while (atomic_load(&shared_box.bells) == answered)
			sched_yield();
		answered = atomic_load(&shared_box.bells);
		while (box_read(&shared_box, &message)) {
			uint64_t from = message.word[0] >> 32, number = message.word[0] & 0xffffffff;

			if (from >= SENDERS || next[from] != number ||
			    message.word[1] != ~message.word[0] || message.kind != 7) {
				CHECK(!"torn, lost or out of order");
				exit(1);
			}
			next[from]++;
			total++;
		}
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(next[i], MESSAGES);
	}
	CHECK(!box_read(&shared_box, &message));
}

int main(void)
{
	RUN(messages_arrive_in_order_and_whole);
	RUN(only_the_message_that_the_reader_waits_for_rings);
	RUN(a_limit_keeps_slots_for_the_kernel);
	RUN(indices_may_wrap);
	RUN(a_lying_head_harms_only_the_reader);
	RUN(no_message_is_lost_reordered_or_left_unnoticed);
	return check_result();
}
