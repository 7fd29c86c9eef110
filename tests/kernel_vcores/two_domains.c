/* SPDX-License-Identifier: MIT */
/*
 * A child domain on the same CPU, made of the same image: its shared region maps the same frames,
 * data included, so that the two can talk through variables.  What the child does is in `orders`.
 */
#include "harness.h"

enum orders { SPIN, HOLD_REGISTERS, COUNT_AND_SLEEP, FAULT_TWICE, OVERRUN_TWICE };

#define CHILD_TABLES 16 /* page tables for its shared region */

static struct seen child_seen;
static _Atomic enum orders orders;
static _Atomic uint64_t child_count;
static atomic_bool child_lost_registers;
static char child_stack[STACK_SIZE] __attribute__((aligned(16)));
static char child_event_stack[STACK_SIZE] __attribute__((aligned(16)));
static char child_fault_stack[STACK_SIZE] __attribute__((aligned(16)));

static struct seen *const mine = &seen[0];

/* What the parent knows of it. */
static struct {
	int64_t domain, shared, space, vcore, sc;
} child;
static unsigned frames_used;

extern char libos_image_end[];
void child_event(struct exo_vcore_page *page);
_Noreturn void child_fault_masked(struct exo_vcore_page *page);

/* ---------------------------------------------------------------- the child's side */

_Noreturn static void child_main(void)
{
	for (;;) {
		child_count++;
		switch (orders) {
		case COUNT_AND_SLEEP:
			halt(0, &child_seen);
			break;
		case SPIN:
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
	if (child_seen.started) {
		take_events(page, &child_seen);
		return;
	}
	__atomic_exchange_n(&page->pending, 0, __ATOMIC_SEQ_CST);
	page->reserved1[0] = 1; /* entry.asm: resume as the child */
	page->event = (struct exo_regs){
		.rip = (uint64_t)child_main,
		.rsp = (uint64_t)child_stack + STACK_SIZE - 8,
		.rflags = 0x202,
		.cs = 0x23,
		.ss = 0x1b,
	};
	child_seen.started = true;
}

_Noreturn void child_fault_masked(struct exo_vcore_page *page)
{
	if (page->cause == EXO_CAUSE_OVERRUN)
		for (;;)
			;
	__builtin_trap(); /* the second one */
}

/* ---------------------------------------------------------------- making it */

static uint64_t new_frame(void)
{
	return spare_frame(1 + frames_used++);
}

static void update(struct exo_op *op)
{
	struct exo_update call = { .ops = (uint64_t)op, .op_count = 1 };
	int64_t result;

	do
		result = exo_call(EXO_CALL_UPDATE, child.shared, (uint64_t)&call, 0, 0);
	while (result == 1);
	CHECK_EQ(result, 0);
}

static void map_in_child(uint64_t va, uint64_t frame, unsigned prot)
{
	struct exo_op op = {
		.code = EXO_OP_MAP, .prot = prot, .count = 1, .va = va, .frame = frame,
	};

	update(&op);
}

static void map_image(void)
{
	for (uint64_t va = EXO_SHARED_BASE; va < (uint64_t)libos_image_end; va += EXO_PAGE_SIZE) {
		uint64_t pte = EXO_PTE(va);
		unsigned prot = EXO_PROT_READ;

		if (pte & EXO_PTE_WRITE)
			prot |= EXO_PROT_WRITE;
		if (!(pte & EXO_PTE_NX))
			prot |= EXO_PROT_EXEC;
		map_in_child(va, EXO_PTE_FRAME(pte), prot);
	}
}

static void make_domain(void)
{
	struct exo_domain_create args = {
		.object_frame = new_frame(),
		.handle_frame = new_frame(),
		.shared_object_frame = new_frame(),
		.shared_root_frame = new_frame(),
		.entries = child_entries,
		.parent_word = 4711,
	};
	uint64_t tables[CHILD_TABLES];

	child.domain = exo_call(EXO_CALL_DOMAIN_CREATE, vcore_handle(0), (uint64_t)&args, 0, 0);
	CHECK(child.domain > 0);
	child.shared = args.shared;
	for (unsigned i = 0; i < CHILD_TABLES; i++)
		tables[i] = new_frame();
	CHECK_EQ(exo_call(EXO_CALL_SPACE_FEED, child.shared, (uint64_t)tables, CHILD_TABLES, 0), 0);
	child.space = exo_call(EXO_CALL_SPACE_CREATE, child.domain, new_frame(), new_frame(), 0);
	CHECK(child.space > 0);
}

static void make_vcore(void)
{
	struct exo_vcore_create args = {
		.cpu = 0,
		.object_frame = new_frame(),
		.vector_frame = new_frame(),
		.page_frame = new_frame(),
		.stack_top = (uint64_t)child_event_stack + STACK_SIZE,
		.fault_stack_top = (uint64_t)child_fault_stack + STACK_SIZE,
	};

	child.vcore = exo_call(EXO_CALL_VCORE_CREATE, child.domain, child.space, (uint64_t)&args, 0);
	CHECK(child.vcore > 0);
	map_in_child(EXO_VCORE_BASE, args.page_frame, EXO_PROT_READ | EXO_PROT_WRITE);
}

static void make_child(enum orders first_orders)
{
	child_seen = (struct seen){ 0 };
	child_count = 0;
	child_lost_registers = false;
	orders = first_orders;
	make_domain();
	map_image();
	make_vcore();
}

/* budget_ns of every 10 ms. */
static void fund_child(uint64_t budget_ns)
{
	child.sc = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC), spare_frame(0), budget_ns,
			    10000000);
	CHECK(child.sc > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, child.sc, child.vcore, 0, 0), 0);
}

static void start_child(void)
{
	CHECK_EQ(exo_call(EXO_CALL_VCORE_START, child.vcore, 0, 0, 0), 0);
}

static void sleep_ms(uint64_t n)
{
	uint64_t end = tsc() + ms(n);

	while (tsc() < end)
		halt(end, mine);
	exo_call(EXO_CALL_TIMER, 0, 0, 0, 0);
}

/* Kills it, takes it apart, and waits for its last message. */
static void end_child(void)
{
	uint64_t give_up = tsc() + ms(5000);
	int64_t result;

	do {
		result = exo_call(EXO_CALL_DOMAIN_KILL, child.domain, 9, 0, 0);
		if (result)
			sleep_ms(1);
	} while (result && tsc() < give_up);
	CHECK_EQ(result, 0);
	if (!result)
		child.domain = 0;
	CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_DEATH);
	CHECK_EQ(mine->last_word, 4711);
	if (child.sc)
		CHECK_EQ(exo_call(EXO_CALL_SC_RECLAIM, child.sc, 0, 0, 0), 0);
	child.sc = 0;
	frames_used = 0;
}

/* ---------------------------------------------------------------- cases */

static void a_child_runs_when_it_is_funded(void)
{
	make_child(SPIN);
	start_child();
	sleep_ms(30);
	CHECK_EQ(child_seen.started, false);
	fund_child(2000000);
	sleep_ms(30);
	CHECK_EQ(child_seen.started, true);
	CHECK(child_count > 0);
	end_child();
}

static void two_that_never_sleep_get_their_shares(void)
{
	uint64_t root = EXO_HANDLE(EXO_SLOT_SC), start, parent_ns, child_ns;

	make_child(SPIN);
	fund_child(3000000);
	start_child();
	sleep_ms(20);
	parent_ns = exo_call(EXO_CALL_SC_CONSUMED, root, 0, 0, 0);
	child_ns = exo_call(EXO_CALL_SC_CONSUMED, child.sc, 0, 0, 0);
	start = tsc();
	while (tsc() - start < ms(1000))
		;
	parent_ns = exo_call(EXO_CALL_SC_CONSUMED, root, 0, 0, 0) - parent_ns;
	child_ns = exo_call(EXO_CALL_SC_CONSUMED, child.sc, 0, 0, 0) - child_ns;
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
	sleep_ms(20);
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
	sleep_ms(20);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t before = child_count;

		CHECK_EQ(exo_call(i % 2 ? EXO_CALL_SEND : EXO_CALL_DOORBELL, child.vcore, i, 0, 0),
			 0);
		sleep_ms(1);
		CHECK_EQ(child_count, before + 1);
	}
	CHECK_EQ(child_seen.doorbell, 50);
	CHECK_EQ(child_seen.messages, 50);
	end_child();
}

/* The child has no SC at all: what it runs on is the parent's. */
static void a_donation_ends_when_the_other_halts(void)
{
	uint64_t token, before;

	make_child(COUNT_AND_SLEEP);
	CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore, my_page()->token, 0, 0), -EINVAL);
	start_child();
	for (unsigned i = 0; i < 20; i++) {
		before = child_count;
		token = my_page()->token;
		CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore, token, 0, 0), 0);
		CHECK_EQ(child_count, before + 1);
		CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore, token, 0, 0), -EAGAIN);
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
		CHECK_EQ(exo_call(EXO_CALL_DONATE, child.vcore, my_page()->token, 0, 0), 1);
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
	sleep_ms(20);
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
	sleep_ms(30);
	CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_DEATH);
	CHECK_EQ(mine->last_word, 4711);
	end_child();
}

static void an_overrun_that_is_not_left_is_reported(void)
{
	uint64_t give_up = tsc() + ms(5000);

	make_child(OVERRUN_TWICE);
	fund_child(8000000);
	start_child();
	while ((mine->last_kind & 0xff) != EXO_MESSAGE_OVERRUN && tsc() < give_up)
		sleep_ms(5);
	CHECK_EQ(mine->last_kind & 0xff, EXO_MESSAGE_OVERRUN);
	end_child();
}

/* A child that could not be made or ended spoils all that follow. */
#define RUN_WHILE_SOUND(test)                                                          \
	do {                                                                           \
		if (!child.domain)                                                     \
			RUN(test);                                                     \
	} while (0)

void cases_of_two_domains(void)
{
	RUN_WHILE_SOUND(a_child_runs_when_it_is_funded);
	RUN_WHILE_SOUND(two_that_never_sleep_get_their_shares);
	RUN_WHILE_SOUND(vector_state_and_bases_are_each_ones_own);
	RUN_WHILE_SOUND(a_sleeping_child_is_woken_by_events);
	RUN_WHILE_SOUND(a_donation_ends_when_the_other_halts);
	RUN_WHILE_SOUND(a_donation_is_never_more_than_the_slice);
	RUN_WHILE_SOUND(a_masked_vcore_is_not_preempted_in_the_middle);
	RUN_WHILE_SOUND(a_second_fault_while_masked_kills);
	RUN_WHILE_SOUND(an_overrun_that_is_not_left_is_reported);
}
