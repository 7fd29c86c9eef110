/* SPDX-License-Identifier: MIT */
/* Every order of nesting, and of ending in the middle. */
#include "players.h"

static struct seen *const mine = &seen[0];

/* ---------------------------------------------------------------- cases: answers */

static void a_reply_gives_the_rest_of_the_slice_back(void)
{
	make_three(5000000);
	for (unsigned i = 1; i <= 50; i++) {
		CHECK_EQ(donate(children[C].vcore), 0);
		CHECK_EQ(served[C], i);
	}
	spin(20);
	pass_ms(20);
	CHECK_EQ(served[C], 50); /* runnable it is, but on nobody's time */
	end_three();
}

static void a_call_through_two_servers_is_answered(void)
{
	make_three(5000000);
	for (unsigned i = 0; i < 10; i++) {
		let_a_call(NULL, 3);
		CHECK(noted("ABCcba"));
		CHECK_EQ(cuts[A] + cuts[B], 0);
	}
	end_three();
}

struct segments {
	uint32_t ds, es, fs, gs;
};

static struct segments segments_now(void)
{
	struct segments s;

	asm volatile("movl %%ds, %0; movl %%es, %1; movl %%fs, %2; movl %%gs, %3"
		     : "=r"(s.ds), "=r"(s.es), "=r"(s.fs), "=r"(s.gs));
	return s;
}

static void segments_are_as_at_first(struct segments s)
{
	CHECK_EQ(s.es, EXO_CPU_SELECTOR); /* of CPU 0 */
	CHECK_EQ(s.ds | s.fs | s.gs, 0);
}

static struct segments segments_later;

static void reply_with_other_segments(void)
{
	int64_t result;

	served[C]++;
	do {
		uint64_t token = my_page()->token; /* what follows it loses its way */

		asm volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%fs; movl %0, %%gs" : : "r"(0x1b));
		result = exo_call(EXO_CALL_REPLY, token, 0, 0, 0);
	} while (result == -EAGAIN); /* preempted between the two, and found its own again */
	segments_later = segments_now();
}

/* ES tells which CPU it is: nobody else's business, and the same for all. */
static void whoever_loads_segments_loads_only_its_own(void)
{
	make_three(5000000);
	order = reply_with_other_segments;
	CHECK_EQ(donate(children[C].vcore), 0);
	CHECK_EQ(served[C], 1);
	segments_are_as_at_first(segments_now());
	CHECK_EQ(donate(children[C].vcore), 0);
	CHECK_EQ(served[C], 2);
	segments_are_as_at_first(segments_later);
	end_three();
}

static void who_has_no_caller_cannot_reply(void)
{
	CHECK_EQ(exo_call(EXO_CALL_REPLY, my_page()->token, 0, 0, 0), -ESRCH);
	CHECK_EQ(exo_call(EXO_CALL_REPLY, my_page()->token + 1, 0, 0, 0), -EAGAIN);
}

static void make_chain_longer(void)
{
	ended_by[C] = donate(vcore_of[C][D]);
}

static void call_back(void)
{
	ended_by[C] = donate(vcore_of[C][A]);
}

static void a_chain_has_an_end_and_no_loop(void)
{
	make_three(5000000);
	one_make(&children[D], sleeper_main);
	vcore_of[C][D] = copy(children[D].vcore, C);
	let_a_call(make_chain_longer, 3);
	CHECK_EQ(ended_by[C], -EINVAL); /* not started */
	one_start(&children[D]);
	let_a_call(make_chain_longer, 3);
	CHECK_EQ(ended_by[C], 0);
	CHECK_EQ(served[D], 1);
	let_a_call(call_back, 3);
	CHECK_EQ(ended_by[C], -ELOOP);
	CHECK(noted("ABCcba"));
	one_end(&children[D]);
	end_three();
}

/* ---------------------------------------------------------------- cases: who pays */

static void spin_40_ms(void)
{
	spin(40);
}

/* The chain is undone at each end of A's budget, and made again; nobody else pays for any of it. */
static void the_caller_pays_for_all_of_it(void)
{
	int64_t a, root;

	make_three(5000000);
	pass_ms(20);
	a = consumed_ns(children[A].sc);
	root = consumed_ns(EXO_HANDLE(EXO_SLOT_SC));
	let_a_call(spin_40_ms, 60);
	a = consumed_ns(children[A].sc) - a;
	root = consumed_ns(EXO_HANDLE(EXO_SLOT_SC)) - root;
	print_number("# us that A paid for 40 ms at 50 %: ", a / 1000);
	print_number("# us that nobody else paid: ", root / 1000);
	CHECK(noted("ABCcba"));
	CHECK(a > 18000000 && a < 22000000);
	CHECK(root < 1000000);
	CHECK(cuts[A] >= 3 && cuts[B] >= 3);
	end_three();
}

/* C is in the middle of A's call when A's budget has ended: the next caller has it finished first. */
static void a_second_caller_helps_the_server_on(void)
{
	int64_t a;

	make_three(1000000);
	pass_ms(20);
	let_a_call(spin_40_ms, 3);
	CHECK(noted("ABC"));
	a = consumed_ns(children[A].sc);
	CHECK_EQ(call(PARENT, C), 0);
	CHECK_EQ(served[C], 1);
	CHECK(notes[3] == 'c');
	CHECK(consumed_ns(children[A].sc) - a < 10000000); /* at 10 % */
	CHECK_EQ(call(PARENT, C), 0);
	CHECK_EQ(served[C], 2);
	pass_ms(20);
	end_three();
}

/* ---------------------------------------------------------------- cases: events */

static void spin_10_ms(void)
{
	spin(10);
}

static void ring_b(void)
{
	exo_call(EXO_CALL_DOORBELL, vcore_of[C][B], 0, 0, 0);
	note('-');
}

/* The parent's whole CPU never runs out: what ends a server that does not answer is the timer. */
static void an_event_for_the_donor_ends_the_donation(void)
{
	uint64_t timers, start = tsc();

	make_three(0);
	order = spin_40_ms;
	for (unsigned i = 0; i < 5; i++) {
		timers = mine->timer;
		exo_call(EXO_CALL_TIMER, tsc() + ms(2), 0, 0, 0);
		CHECK_EQ(donate(children[C].vcore), 1);
		CHECK_EQ(mine->timer, timers + 1);
		CHECK_EQ(served[C], 0);
	}
	CHECK(tsc() - start < ms(40));
	CHECK_EQ(donate(children[C].vcore), 0); /* goes on in the middle */
	CHECK_EQ(served[C], 1);
	end_three();
}

static void a_masked_donor_must_take_its_event_first(void)
{
	make_three(0);
	order = spin_10_ms;
	mask();
	exo_call(EXO_CALL_TIMER, tsc() + ms(2), 0, 0, 0);
	CHECK_EQ(donate(children[C].vcore), 1);
	CHECK(my_page()->pending & EXO_EVENT_TIMER);
	for (unsigned i = 0; i < 10; i++)
		CHECK_EQ(donate(children[C].vcore), 1);
	CHECK_EQ(served[C], 0);
	unmask(mine);
	CHECK_EQ(donate(children[C].vcore), 0);
	end_three();
}

static void an_event_for_one_in_the_middle_goes_no_further(void)
{
	make_three(5000000);
	let_a_call(ring_b, 5);
	CHECK(noted("ABC-cba"));
	CHECK_EQ(cuts[A], 0);
	CHECK_EQ(cuts[B], 1);
	CHECK_EQ(children[B].seen.doorbell, 1);
	end_three();
}

/* A masked server may hold a lock: it is left alone, but not for ever. */
static void spin_masked(void)
{
	mask();
	spin(4000);
}

static void a_server_that_stays_masked_is_left_in_the_end(void)
{
	uint64_t limit = info()->masked_limit_ns / 1000000, start = tsc();

	make_three(0);
	order = spin_masked;
	exo_call(EXO_CALL_TIMER, tsc() + ms(2), 0, 0, 0);
	CHECK_EQ(donate(children[C].vcore), 1);
	CHECK(tsc() - start >= ms(limit) && tsc() - start < ms(3 * limit));
	end_three();
}

/* ---------------------------------------------------------------- cases: ends */

static void kill_a(void)
{
	exo_call(EXO_CALL_DOMAIN_KILL, domain_of[A], 1, 0, 0);
}

static void kill_b(void)
{
	exo_call(EXO_CALL_DOMAIN_KILL, domain_of[B], 1, 0, 0);
}

static void kill_c(void)
{
	exo_call(EXO_CALL_DOMAIN_KILL, domain_of[C], 1, 0, 0);
}

static bool is_gone(int64_t result)
{
	return result == -EINVAL || result == -EBADF;
}

/* B and C are in the middle of what A wanted, and finish it for whoever calls next. */
static void the_caller_dies_in_the_middle(void)
{
	make_three(5000000);
	let_a_call(kill_a, 10);
	CHECK(noted("ABC"));
	CHECK_EQ(call(PARENT, B), 0);
	CHECK(noted("ABCcb"));
	CHECK_EQ(call(PARENT, B), 0);
	CHECK(noted("ABCcbBCcb"));
	end_three();
}

static void the_one_in_the_middle_dies(void)
{
	make_three(5000000);
	let_a_call(kill_b, 10);
	CHECK(noted("ABC!"));
	CHECK(is_gone(ended_by[A]));
	CHECK_EQ(call(PARENT, C), 0); /* finishes what B wanted */
	CHECK(noted("ABC!c"));
	CHECK_EQ(call(PARENT, C), 0);
	CHECK(is_gone(donate(children[B].vcore)));
	end_three();
}

static void the_server_dies_in_the_middle(void)
{
	make_three(5000000);
	let_a_call(kill_c, 10);
	CHECK(noted("ABC!a"));
	CHECK(is_gone(ended_by[B]));
	let_a_call(NULL, 10);
	CHECK(noted("AB!a"));
	end_three();
}

static void reclaim(void)
{
	exo_call(EXO_CALL_SC_RECLAIM, context_of_a, 0, 0, 0);
}

/* Nobody pays any more, so all stand still; then there is somebody again. */
static void the_time_is_reclaimed_in_the_middle(void)
{
	make_three(5000000);
	let_a_call(reclaim, 10);
	CHECK(noted("ABC"));
	one_fund(&children[A], 5000000);
	pass_ms(10);
	CHECK(noted("ABCcba"));
	CHECK_EQ(cuts[A], 1);
	CHECK_EQ(cuts[B], 1);
	end_three();
}

/* C gets time of its own in the middle, and goes on on that when A's has ended. */
static void a_server_with_time_of_its_own_goes_on(void)
{
	make_three(1000000);
	one_fund(&children[C], 2000000);
	pass_ms(20);
	let_a_call(spin_40_ms, 60);
	CHECK(has_noted('a'));
	CHECK(consumed_ns(children[C].sc) > 3000000);
	end_three();
}

/* ---------------------------------------------------------------- cases: from another CPU */

static void (*_Atomic other_order)(void);
static _Atomic unsigned victim;
static atomic_bool killed;

static void kill_from_afar(void)
{
	exo_call(EXO_CALL_DOMAIN_KILL, children[victim].domain, 1, 0, 0);
	killed = true;
}

/* A calls all the time, and so one of them is just running, the others donating. */
static void busy_main(void)
{
	for (;;)
		call(A, B);
}

static void one_of_them_is_killed_from_another_cpu(void)
{
	for (unsigned i = 0; i < 9 && !failed; i++) {
		uint64_t answers;

		make_three(3000000);
		one_end(&children[A]);
		one_make(&children[A], busy_main);
		vcore_of[A][B] = copy(children[B].vcore, A);
		one_fund(&children[A], 3000000);
		one_start(&children[A]);
		pass_ms(2 + i);
		victim = i % 3;
		killed = false;
		other_order = kill_from_afar;
		CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(1), 0, 0, 0), 0);
		WAIT_FOR(killed);
		pass_ms(15);
		answers = served[C];
		if (victim == A)
			CHECK_EQ(call(PARENT, B), 0);
		if (victim != C)
			CHECK_EQ(call(PARENT, C), 0);
		CHECK(victim == C ? is_gone(donate(children[C].vcore)) : served[C] > answers);
		end_three();
	}
}

/* CPU 1, when it gets a message: does what it was ordered. */
void suite_other(void)
{
	for (;;) {
		void (*now)(void) = atomic_exchange(&other_order, NULL);

		if (now)
			now();
		halt(0, &seen[this_cpu()]);
	}
}

void suite_main(void)
{
	message_hook = children_message;
	if (info()->cpu_count > 1)
		exo_call(EXO_CALL_VCORE_START, vcore_handle(1), 0, 0, 0);
	RUN(who_has_no_caller_cannot_reply);
	RUN_WHILE_SOUND(a_reply_gives_the_rest_of_the_slice_back);
	RUN_WHILE_SOUND(whoever_loads_segments_loads_only_its_own);
	RUN_WHILE_SOUND(a_call_through_two_servers_is_answered);
	RUN_WHILE_SOUND(a_chain_has_an_end_and_no_loop);
	RUN_WHILE_SOUND(the_caller_pays_for_all_of_it);
	RUN_WHILE_SOUND(a_second_caller_helps_the_server_on);
	RUN_WHILE_SOUND(an_event_for_the_donor_ends_the_donation);
	RUN_WHILE_SOUND(a_masked_donor_must_take_its_event_first);
	RUN_WHILE_SOUND(an_event_for_one_in_the_middle_goes_no_further);
	RUN_WHILE_SOUND(a_server_that_stays_masked_is_left_in_the_end);
	RUN_WHILE_SOUND(the_caller_dies_in_the_middle);
	RUN_WHILE_SOUND(the_one_in_the_middle_dies);
	RUN_WHILE_SOUND(the_server_dies_in_the_middle);
	RUN_WHILE_SOUND(the_time_is_reclaimed_in_the_middle);
	RUN_WHILE_SOUND(a_server_with_time_of_its_own_goes_on);
	if (info()->cpu_count > 1)
		RUN_WHILE_SOUND(one_of_them_is_killed_from_another_cpu);
}
