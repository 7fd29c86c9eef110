/* SPDX-License-Identifier: MIT */
/* A child domain on the same CPU.  What it does is in `orders`. */
#include "cases.h"
#include "child.h"

enum orders { SPIN, HOLD_REGISTERS, COUNT_AND_SLEEP, REPLY, FAULT_TWICE, OVERRUN_TWICE };

static _Atomic enum orders orders;
static _Atomic uint64_t child_count;
static atomic_bool child_lost_registers;

static struct seen *const mine = &seen[0];

/* ---------------------------------------------------------------- the child's side */

_Noreturn static void child_main(void)
{
	for (;;) {
		child_count++;
		switch (orders) {
		case COUNT_AND_SLEEP:
			halt(0, &child_seen[0]);
			break;
		case SPIN:
			break;
		case REPLY:
			exo_call(EXO_CALL_REPLY, my_page()->token, 0, 0, 0);
			break;
		case HOLD_REGISTERS:
			if (!vectors_hold(0x7edcba987654, 1000))
				child_lost_registers = true;
			break;
		case FAULT_TWICE:
			mask();
			__builtin_trap();
		case OVERRUN_TWICE:
			mask();
			__atomic_fetch_or(&my_page()->pending, EXO_EVENT_DOORBELL,
					  __ATOMIC_SEQ_CST);
			for (;;)
				;
		}
	}
}

void child_event(struct exo_vcore_page *page)
{
	if (!child_starts(page, child_main))
		take_events(page, &child_seen[0]);
}

void child_fault(struct exo_vcore_page *page)
{
	child_fault_masked(page);
}

void child_fault_masked(struct exo_vcore_page *page)
{
	if (page->cause == EXO_CAUSE_OVERRUN)
		for (;;)
			;
	__builtin_trap(); /* the second one */
}

/* ---------------------------------------------------------------- making it */

static int64_t sc;

static void make_child(enum orders first_orders)
{
	child_count = 0;
	child_lost_registers = false;
	orders = first_orders;
	child_make(1);
}

/* budget_ns of every 10 ms. */
static void fund_child(uint64_t budget_ns)
{
	sc = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC), spare_frame(0), budget_ns,
			    10000000);
	CHECK(sc > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, sc, child.vcore[0], 0, 0), 0);
}

static void start_child(void)
{
	CHECK_EQ(exo_call(EXO_CALL_VCORE_START, child.vcore[0], 0, 0, 0), 0);
}

/* Its end must have been told to its parent, who takes back its time. */
static void child_has_ended(void)
{
	CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_DEATH);
	CHECK_EQ(mine->last_word, CHILD_WORD);
	if (sc)
		CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, sc, 0, 0, 0), 0);
	sc = 0;
}

static void end_child(void)
{
	child_end();
	child_has_ended();
}

/* ---------------------------------------------------------------- cases */

static void a_child_runs_when_it_is_funded(void)
{
	make_child(SPIN);
	start_child();
	sleep_ms(30, mine);
	CHECK_EQ(child_seen[0].started, false);
	fund_child(2000000);
	sleep_ms(30, mine);
	CHECK_EQ(child_seen[0].started, true);
	CHECK(child_count > 0);
	end_child();
}

static void two_that_never_sleep_get_their_shares(void)
{
	uint64_t root = EXO_HANDLE(EXO_SLOT_SC), start, parent_ns, child_ns;

	make_child(SPIN);
	fund_child(3000000);
	start_child();
	sleep_ms(20, mine);
	parent_ns = exo_call(EXO_CALL_SC_CONSUMED, root, 0, 0, 0);
	child_ns = exo_call(EXO_CALL_SC_CONSUMED, sc, 0, 0, 0);
	start = tsc();
	while (tsc() - start < ms(1000))
		;
	parent_ns = exo_call(EXO_CALL_SC_CONSUMED, root, 0, 0, 0) - parent_ns;
	child_ns = exo_call(EXO_CALL_SC_CONSUMED, sc, 0, 0, 0) - child_ns;
	print_number("# ms of 1000 for 70 %: ", parent_ns / 1000000);
	print_number("# ms of 1000 for 30 %: ", child_ns / 1000000);
	CHECK(parent_ns > 690000000 && parent_ns < 710000000);
	CHECK(child_ns > 290000000 && child_ns < 310000000);
	end_child();
}

static void vector_state_and_bases_are_each_ones_own(void)
{
	uint64_t end = tsc() + ms(500), before;

	make_child(HOLD_REGISTERS);
	fund_child(5000000);
	start_child();
	sleep_ms(20, mine);
	before = child_count;
	while (tsc() < end)
		CHECK(vectors_hold(0x123456789abc, 1000));
	CHECK(child_count > before + 10);
	CHECK(!child_lost_registers);
	end_child();
}

static void a_sleeping_child_is_woken_by_events(void)
{
	make_child(COUNT_AND_SLEEP);
	fund_child(5000000);
	start_child();
	sleep_ms(20, mine);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t before = child_count;

		CHECK_EQ(exo_call(i % 2 ? EXO_CALL_SEND : EXO_CALL_DOORBELL, child.vcore[0], i, 0, 0),
			 0);
		sleep_ms(1, mine);
		CHECK_EQ(child_count, before + 1);
	}
	CHECK_EQ(child_seen[0].doorbell, 50);
	CHECK_EQ(child_seen[0].messages, 50);
	end_child();
}

/* The child has no SC at all: what it runs on is the parent's. */
static void a_donation_ends_when_the_other_halts(void)
{
	uint64_t token, before;

	make_child(COUNT_AND_SLEEP);
	CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore[0], my_page()->token, 0, 0), -EINVAL);
	start_child();
	for (unsigned i = 0; i < 20; i++) {
		before = child_count;
		token = my_page()->token;
		CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore[0], token, 0, 0), 0);
		CHECK_EQ(child_count, before + 1);
		CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore[0], token, 0, 0), -EAGAIN);
	}
	end_child();
}

static void a_donation_is_never_more_than_the_slice(void)
{
	uint64_t start;
	int64_t rest;

	make_child(SPIN);
	start_child();
	rest = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC), spare_frame(0), 5000000,
			10000000);
	CHECK(rest > 0);
	for (unsigned i = 0; i < 10; i++) {
		start = tsc();
		CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore[0], my_page()->token, 0, 0), 1);
		CHECK(tsc() - start < ms(11)); /* 5 ms, and 5 ms without budget */
	}
	CHECK(child_count > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, rest, 0, 0, 0), 0);
	end_child();
}

/* Masked, the parent keeps the CPU past its budget; unmasked, it pays for that. */
static void a_masked_vcore_is_not_preempted_in_the_middle(void)
{
	uint64_t start, last, longest = 0, consumed;

	make_child(SPIN);
	fund_child(5000000);
	start_child();
	sleep_ms(20, mine);
	consumed = child_count;
	mask();
	start = last = tsc();
	while (last - start < ms(30))
		last = tsc();
	CHECK_EQ(child_count, consumed);
	unmask(mine);
	start = last = tsc();
	while (tsc() - start < ms(60)) {
		uint64_t now = tsc();

		if (now - last > longest)
			longest = now - last;
		last = now;
	}
	print_number("# ms without the CPU after 30 ms masked, with 50 %: ", longest / tsc_khz);
	CHECK(longest >= ms(15));
	end_child();
}

static void a_second_fault_while_masked_kills(void)
{
	make_child(FAULT_TWICE);
	fund_child(5000000);
	start_child();
	sleep_ms(30, mine);
	CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_DEATH);
	CHECK_EQ(mine->last_word, CHILD_WORD);
	end_child();
}

static void an_overrun_that_is_not_left_is_reported(void)
{
	uint64_t give_up = tsc() + ms(5000);

	make_child(OVERRUN_TWICE);
	fund_child(8000000);
	start_child();
	while ((mine->last_kind & 0xff) != EXO_MESSAGE_OVERRUN && tsc() < give_up)
		sleep_ms(5, mine);
	CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_OVERRUN);
	end_child();
}

/* Until it is refused, and nobody reads. */
static void fill_mailbox(void)
{
	unsigned room = EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED, sent = 0;

	leave_mail = true;
	while (sent < room && exo_call(EXO_CALL_SEND, vcore_handle(0), sent, 0, 0) == 0)
		sent++;
	CHECK_EQ(sent, room);
	CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(0), 0, 0, 0), -EAGAIN);
}

static void empty_mailbox(void)
{
	leave_mail = false;
	mask();
	__atomic_fetch_or(&my_page()->pending, EXO_EVENT_MAILBOX, __ATOMIC_SEQ_CST);
	unmask(mine);
}

/*
 * A vcore that is masked for too long again and again is told of, but not in the room that is set aside;
 * it is told of when there is room.  A death has room.  Then the mailbox is as any other.
 */
static void a_full_mailbox_has_room_for_a_death(void)
{
	uint64_t before = mine->messages, room = EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED;

	make_child(OVERRUN_TWICE);
	fund_child(8000000);
	fill_mailbox();
	start_child();
	SLEEP_UNTIL(exo_call(EXO_CALL_SC_CONSUMED, sc, 0, 0, 0) >
			    6 * (int64_t)info()->masked_limit_ns, mine);
	empty_mailbox();
	CHECK_EQ(mine->messages, before + room);
	SLEEP_UNTIL(mine->messages == before + room + 1, mine);
	CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_OVERRUN);
	fill_mailbox();
	child_end();
	CHECK_EQ(mine->messages, before + room + 1);
	empty_mailbox();
	CHECK_EQ(mine->messages, before + 2 * room + 2);
	child_has_ended();
	CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(0), 77, 0, 0), 0);
	CHECK_EQ(mine->last_word, 77);
}

/* From then on the child is off the CPU, replenished or not, until its SC is bound again. */
static void a_timeout_waits_for_its_handler(void)
{
	uint64_t before, told_before = mine->messages;

	make_child(SPIN);
	fund_child(2000000);
	CHECK_EQ(exo_call(EXO_CALL_SC_TIMEOUT, sc, vcore_handle(0), 815, 0), 0);
	start_child();
	for (unsigned i = 0; i < 3; i++) {
		SLEEP_UNTIL(mine->messages == told_before + i + 1, mine);
		CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_TIMEOUT);
		CHECK_EQ(mine->last_word, 815);
		before = child_count;
		sleep_ms(30, mine);
		CHECK_EQ(child_count, before);
		CHECK_EQ(exo_call(EXO_CALL_SC_BIND, sc, child.vcore[0], 0, 0), 0);
		SLEEP_UNTIL(child_count > before, mine);
	}
	CHECK_EQ(exo_call(EXO_CALL_SC_TIMEOUT, sc, 0, 0, 0), 0);
	before = mine->messages;
	sleep_ms(50, mine);
	CHECK_EQ(mine->messages, before);
	end_child();
}

/* A child that could not be made or ended spoils all that follow. */
#define RUN_WHILE_SOUND(test)                                                          \
	do {                                                                           \
		if (!child.domain)                                                     \
			RUN(test);                                                     \
	} while (0)

#define TIMES 200

/* To a child without an SC and back. */
void row_of_a_call(void)
{
	uint64_t start;

	make_child(REPLY);
	start_child();
	CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore[0], my_page()->token, 0, 0), 0);
	start = tsc();
	for (unsigned i = 0; i < TIMES; i++)
		exo_call(EXO_CALL_DONATE, child.vcore[0], my_page()->token, 0, 0);
	print_number("kernel_call_reply ", (int64_t)((tsc() - start) / TIMES));
	CHECK(child_count > TIMES);
	end_child();
}

void cases_of_two_domains(void)
{
	RUN_WHILE_SOUND(a_child_runs_when_it_is_funded);
	RUN_WHILE_SOUND(two_that_never_sleep_get_their_shares);
	RUN_WHILE_SOUND(vector_state_and_bases_are_each_ones_own);
	RUN_WHILE_SOUND(a_sleeping_child_is_woken_by_events);
	RUN_WHILE_SOUND(a_donation_ends_when_the_other_halts);
	RUN_WHILE_SOUND(a_donation_is_never_more_than_the_slice);
	RUN_WHILE_SOUND(a_masked_vcore_is_not_preempted_in_the_middle);
	RUN_WHILE_SOUND(a_timeout_waits_for_its_handler);
	RUN_WHILE_SOUND(a_second_fault_while_masked_kills);
	RUN_WHILE_SOUND(an_overrun_that_is_not_left_is_reported);
	RUN_WHILE_SOUND(a_full_mailbox_has_room_for_a_death);
}
