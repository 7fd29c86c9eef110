/* SPDX-License-Identifier: MIT */
/* exo/mailbox_ring.c, libos/core/kernel_mailbox.c; exo/mailbox.c and exo/upcall.c, included: mailboxes that
 * are filled at random moments, by random senders, also while they are read.
 *
 *	full_mailbox_test [SEED [SEEDS]]
 *
 * Whatever was taken comes, once and in order; what is refused is refused because there is no room; who has a
 * message that nobody will ring for knows it; and an overrun that found no room is told later. */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#define this_cpu this_cpu_of_the_machine
#include "kernel.h"
#undef this_cpu
#include "core/kernel_mailbox.h"

static struct cpu block;

static struct cpu *this_cpu(void)
{
	return &block;
}

#include "../../exo/mailbox.c"
#include "../../exo/upcall.c"

enum { BOXES = 3, CHILDREN = 8, STEPS = 4000, FIRST_SEED = 20261126, SEEDS = 40 };

/* A mailbox, and what must come out of it. */
struct box {
	struct vcore vcore;
	struct exo_vcore_page page;
	uint64_t promised[EXO_MAILBOX_SLOTS]; /* the words of what was taken, oldest first */
	unsigned used;
	bool rung, rests;
	uint64_t taken, read;
};

static struct box boxes[BOXES], *reading;
static struct domain owner, child_domains[CHILDREN];
static struct vcore children[CHILDREN];
static bool overran[CHILDREN]; /* and its parent does not know it */
static uint64_t state, next_word;
static unsigned flood;  /* of 8 messages that are read, so many bring another */
static unsigned kernel; /* of 8 messages, so many are the kernel's, for which slots are set aside */
static uint64_t refused, refused_kernel;

/* ---------------------------------------------------------------- what they stand on */

void vcore_ring(struct vcore *v, uint64_t events)
{
	CHECK_EQ(events, EXO_EVENT_MAILBOX);
	for (int i = 0; i < BOXES; i++)
		boxes[i].rung |= v == &boxes[i].vcore;
}

struct domain *domain_current(void)
{
	return &owner;
}

void domain_die(struct domain *d, uint64_t status) {}
bool user_iret_repair(struct exo_regs *regs) { return false; }
struct exo_regs *run_exit(struct exo_regs *regs) { return regs; }
void kprintf(const char *format, ...) {}

/* ---------------------------------------------------------------- senders */

static unsigned draw(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

/* The first word of a message of the kernel or of a domain; an overrun's is its domain. */
static void sent(struct box *b, int result, unsigned limit, uint64_t word)
{
	CHECK_EQ(result, b->used < limit ? 0 : -EAGAIN);
	if (result == 0 && b->used < EXO_MAILBOX_SLOTS) {
		b->promised[b->used++] = word;
		b->taken++;
	} else {
		refused++;
		refused_kernel += limit == EXO_MAILBOX_SLOTS;
	}
}

static void send_user(struct box *b)
{
	struct exo_regs regs = { .rsi = ++next_word };
	struct handle_view h = { .vcore = &b->vcore };

	sent(b, (int)call_send(&regs, &h), EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED, next_word);
}

static void send_kernel(struct box *b, enum exo_message_kind kind, unsigned limit)
{
	uint64_t word = ++next_word;

	sent(b, mailbox_post(&b->vcore, kind, word, 0, 0), limit, word);
}

/* As often as the vcore is found stuck, until its parent has been told. */
static void overrun(unsigned child)
{
	struct vcore *v = &children[child];
	struct box *b = &boxes[child % BOXES];

	if (!overran[child])
		return;
	report_overrun(v);
	sent(b, v->overrun_reported ? 0 : -EAGAIN, EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED,
	     child_domains[child].id);
	overran[child] = !v->overrun_reported;
}

static void overrun_begins(unsigned child)
{
	if (overran[child])
		return;
	overran[child] = true;
	children[child].overrun_reported = false;
	overrun(child);
}

static void anybody_sends(struct box *b)
{
	static const enum exo_message_kind kinds[] = { EXO_MESSAGE_IRQ, EXO_MESSAGE_DEATH,
						       EXO_MESSAGE_REVOKE };

	if (draw(8) < kernel) {
		send_kernel(b, kinds[draw(3)], EXO_MAILBOX_SLOTS);
		return;
	}
	switch (draw(8)) {
	case 1:
		send_kernel(b, EXO_MESSAGE_TIMEOUT, EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED);
		break;
	case 2:
		overrun_begins(draw(CHILDREN));
		break;
	case 3:
		overrun(draw(CHILDREN));
		break;
	default:
		send_user(b);
	}
}

/* ---------------------------------------------------------------- readers */

static void got(const struct exo_message *m)
{
	struct box *b = reading;

	if (b->used == 0) {
		CHECK(!"read, but never taken");
		return;
	}
	CHECK_EQ(m->word[0], b->promised[0]);
	memmove(b->promised, b->promised + 1, --b->used * sizeof(b->promised[0]));
	b->read++;
	if (draw(8) < flood)
		anybody_sends(b);
}

/* As kernel_messages() reads, when there is a reason to: a ring, or the timer for a rest. */
static void read_some(struct box *b)
{
	unsigned count = 0;

	if (!b->rung && !b->rests)
		return;
	b->rung = false;
	reading = b;
	b->rests = kernel_mailbox_read(&b->page, got, &count);
	CHECK(count <= EXO_MAILBOX_SLOTS);
	CHECK_EQ(b->rests, b->used > 0);
}

static void read_all(struct box *b)
{
	while (b->rung || b->rests)
		read_some(b);
}

static void nothing_is_left_unnoticed(void)
{
	for (int i = 0; i < BOXES; i++)
		CHECK(boxes[i].used == 0 || boxes[i].rung || boxes[i].rests);
}

static void start(uint64_t seed)
{
	memset(boxes, 0, sizeof(boxes));
	memset(children, 0, sizeof(children));
	memset(overran, 0, sizeof(overran));
	state = seed;
	next_word = 1000;
	for (int i = 0; i < BOXES; i++) {
		uint32_t index = draw(2) ? 0 : UINT32_MAX - draw(200);

		boxes[i].vcore.page = &boxes[i].page;
		boxes[i].vcore.mailbox_tail = boxes[i].page.mailbox_head = index;
		/* As if all slots had been used before. */
		for (unsigned slot = 0; slot < EXO_MAILBOX_SLOTS; slot++)
			boxes[i].page.mailbox[slot].sequence = index;
	}
	for (unsigned i = 0; i < CHILDREN; i++) {
		child_domains[i].id = i + 1;
		child_domains[i].parent_vcore = &boxes[i % BOXES].vcore;
		children[i].object.owner = &child_domains[i];
	}
}

/* Readers come seldom for a while, and then often, so that rings get full as well as empty. */
static void one_seed(uint64_t seed)
{
	start(seed);
	for (unsigned step = 0, pace = 1; step < STEPS; step++) {
		struct box *b = &boxes[draw(BOXES)];

		if (step % 500 == 0) {
			pace = 1 + draw(draw(2) ? 3 : 100);
			flood = draw(9);
			kernel = draw(9);
		}
		b->vcore.where = draw(4) ? VCORE_RUNNING : VCORE_HALTED;
		if (draw(100) < pace)
			read_some(b);
		else
			anybody_sends(b);
		nothing_is_left_unnoticed();
	}
	flood = 0;
	for (unsigned i = 0; i < BOXES; i++) {
		read_all(&boxes[i]);
		for (unsigned child = i; child < CHILDREN; child += BOXES)
			overrun(child);
		read_all(&boxes[i]);
		CHECK_EQ(boxes[i].read, boxes[i].taken);
	}
	for (unsigned i = 0; i < CHILDREN; i++)
		CHECK(!overran[i]);
}

static uint64_t first_seed = FIRST_SEED;
static unsigned seeds = SEEDS;

static void what_was_taken_comes_and_what_was_not_is_told_later(void)
{
	for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
		one_seed(seed);
		if (check_failures_in_case) {
			printf("# seed %lu\n", seed);
			return;
		}
	}
	printf("# %lu messages found no room, %lu of them the kernel's\n", refused, refused_kernel);
	CHECK(refused > refused_kernel && refused_kernel > 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		first_seed = strtoul(argv[1], NULL, 0);
	if (argc > 2)
		seeds = (unsigned)strtoul(argv[2], NULL, 0);
	printf("# seeds from %lu on, %u of them\n", first_seed, seeds);
	RUN(what_was_taken_comes_and_what_was_not_is_told_later);
	return check_result();
}
