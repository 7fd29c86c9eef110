/* SPDX-License-Identifier: MIT */
/*
 * What seL4's own tests ask of scheduling contexts and the table of cells does not: docs/cpu-time.md
 * says which of theirs each stands for.  The child is that of the cells, on the first subject CPU; a
 * round of OUTCOME_KILLED spins for ever.
 */
#include "bench.h"

static struct seen *const mine = &seen[0];
static unsigned on;             /* the CPU of the vcore that is looked at */
static int64_t wanted_sc;       /* what crew_do()'s functions are about, and their result */
static uint64_t wanted_budget_ns;
static int64_t result;

static void spin_for_ever(void)
{
	struct subject *s = &subjects[on];

	s->entry = ENTRY_FOREIGN;
	s->outcome = OUTCOME_KILLED;
	s->exact = false;
	s->go++;
	exo_call(EXO_CALL_DOORBELL, child.vcore[on], 0, 0, 0);
	SLEEP_UNTIL(s->end != 0, mine);
}

static bool runs(void)
{
	uint64_t before = subjects[on].progress;

	sleep_ms(5, mine);
	return subjects[on].progress > before;
}

static uint64_t consumed(int64_t sc)
{
	return (uint64_t)exo_call(EXO_CALL_SC_CONSUMED, sc, 0, 0, 0);
}

static void reclaim_wanted(unsigned cpu)
{
	(void)cpu;
	result = exo_call(EXO_CALL_SC_RECLAIM, wanted_sc, 0, 0, 0);
}

static void split_wanted(unsigned cpu)
{
	result = exo_call(EXO_CALL_SC_SPLIT, EXO_HANDLE(EXO_SLOT_SC + cpu), spare_frame(30), BUDGET_NS,
			  PERIOD_NS);
}

static void resize_wanted(unsigned cpu)
{
	(void)cpu;
	result = exo_call(EXO_CALL_SC_RESIZE, wanted_sc, wanted_budget_ns, PERIOD_NS, 0);
}

/* What is sent to it meanwhile is there when it has a context again. */
static void a_vcore_without_a_context_stands_still(void)
{
	uint64_t messages;

	bench_up(false);
	crew_do(on, split_wanted);
	wanted_sc = result;
	CHECK(wanted_sc > 0);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, wanted_sc, child.vcore[on], 0, 0), 0);
	spin_for_ever();
	CHECK(runs());
	crew_do(on, reclaim_wanted);
	CHECK_EQ(result, 0);
	CHECK(!runs());
	messages = child_seen[on].messages;
	CHECK_EQ(exo_call(EXO_CALL_SEND, child.vcore[on], 1, 2, 3), 0);
	CHECK(!runs());
	CHECK_EQ(child_seen[on].messages, messages);
	bench_bind(on, 1);
	SLEEP_UNTIL(child_seen[on].messages == messages + 1, mine);
	CHECK(runs());
	bench_down();
}

/* Of two contexts a vcore runs on the one that was bound last, and is the only one who does. */
static void binding_takes_from_whoever_had_it(void)
{
	uint64_t first, second;

	bench_up(false);
	spin_for_ever();
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, child.domain, child.vcore[on], 0, 0), -EBADF);
	CHECK_EQ(exo_call(EXO_CALL_SC_BIND, benches[on].sc[0], child.domain, 0, 0), -EBADF);
	bench_bind(on, 0); /* as it was */
	CHECK(runs());
	bench_bind(on, 1);
	sleep_ms(3, mine);
	first = consumed(benches[on].sc[0]);
	second = consumed(benches[on].sc[1]);
	CHECK(runs());
	CHECK_EQ(consumed(benches[on].sc[0]), first);
	CHECK(consumed(benches[on].sc[1]) > second);
	bench_down();
}

static uint64_t consumed_in_ms(int64_t sc, uint64_t n)
{
	uint64_t before = consumed(sc);

	sleep_ms(n, mine);
	return consumed(sc) - before;
}

/* Reconfigured before it runs, while it runs, to more and to less. */
static void a_resized_context_gets_its_new_share(void)
{
	uint64_t part;

	bench_up(false);
	wanted_sc = benches[on].sc[0];
	for (unsigned tenths = 1; tenths <= 5; tenths += 2) {
		wanted_budget_ns = tenths * PERIOD_NS / 10;
		crew_do(on, resize_wanted);
		CHECK_EQ(result, 0);
		if (tenths == 1)
			spin_for_ever();
		sleep_ms(3, mine);
		part = consumed_in_ms(wanted_sc, 50);
		CHECK(part >= 48 * wanted_budget_ns && part <= 52 * wanted_budget_ns);
	}
	wanted_budget_ns = BUDGET_NS;
	crew_do(on, resize_wanted);
	sleep_ms(3, mine);
	part = consumed_in_ms(wanted_sc, 50);
	CHECK(part >= 48 * BUDGET_NS && part <= 52 * BUDGET_NS);
	wanted_budget_ns = 2 * PERIOD_NS;
	crew_do(on, resize_wanted);
	CHECK_EQ(result, -EINVAL);
	bench_down();
}

/* Halting at the end of each budget and being rung at once: the calls that seem to start anew. */
static void sleeping_does_not_refill_a_budget(void)
{
	struct subject *s = &subjects[on];
	uint64_t before, start, periods;

	bench_up(false);
	s->exact = false;
	before = consumed(benches[on].sc[0]);
	start = tsc();
	for (unsigned i = 0; i < 40; i++) {
		s->entry = ENTRY_HALT;
		s->outcome = OUTCOME_PENDING;
		s->distance = (int64_t)(ms(1) / 50 + i);
		s->go++;
		exo_call(EXO_CALL_DOORBELL, child.vcore[on], 0, 0, 0);
		SLEEP_UNTIL(s->finished == s->go, mine);
	}
	periods = (tsc() - start) / ms(1) + 2;
	CHECK(consumed(benches[on].sc[0]) - before <= periods * BUDGET_NS);
	bench_down();
}

/* It cannot be kept waiting by a handler that has gone, or that has no room for the message. */
static void a_timeout_that_nobody_hears_is_not_waited_for(void)
{
	unsigned room = EXO_MAILBOX_SLOTS - EXO_MAILBOX_RESERVED;

	bench_up(true);
	mask();
	for (unsigned i = 0; i < room; i++)
		CHECK_EQ(exo_call(EXO_CALL_SEND, vcore_handle(0), i, 0, 0), 0);
	subjects[on].entry = ENTRY_FOREIGN;
	subjects[on].outcome = OUTCOME_KILLED;
	subjects[on].go++;
	exo_call(EXO_CALL_DOORBELL, child.vcore[on], 0, 0, 0);
	/* Masked, with the mailbox full: nothing is read; HALT refuses, as something is pending. */
	for (uint64_t end = tsc() + ms(8); tsc() < end;)
		asm volatile("pause");
	unmask(mine);
	CHECK(subjects[on].progress > 0);
	CHECK(child_seen[on].budget > 2);
	bench_down();
}

static uint64_t received(void)
{
	struct exo_cpu_stats stats;

	WAIT_FOR(exo_call(EXO_CALL_CPU_STATS, on, (uint64_t)&stats, 0, 0) == 0);
	return stats.ipis_received;
}

/* How far it comes in 20 of its periods, while it is rung so many times in each. */
static uint64_t progress_when_rung(unsigned times)
{
	uint64_t before = subjects[on].progress;

	for (unsigned period = 0; period < 20; period++) {
		uint64_t start = tsc(), step = ms(1) / (times + 1);

		for (unsigned i = 0; i < times; i++) {
			halt(start + (i + 1) * step, mine);
			exo_call(EXO_CALL_DOORBELL, child.vcore[on], 0, 0, 0);
		}
		halt(start + ms(1), mine);
	}
	return subjects[on].progress - before;
}

/*
 * It spends all of its budgets, so most of its bells ring while it waits for the next one.  What they
 * cost is missing from what it has for itself, although it did not run when they came; and what it
 * paid for them is no more than it has.
 */
static void bells_are_paid_for_by_whom_they_ring_for(void)
{
	uint64_t quiet, rung, bells, used;

	bench_up(false);
	spin_for_ever();
	sleep_ms(3, mine);
	quiet = progress_when_rung(0);
	bells = received();
	used = consumed(benches[on].sc[0]);
	rung = progress_when_rung(20);
	CHECK(received() - bells > 200);
	CHECK(consumed(benches[on].sc[0]) - used <= 22 * BUDGET_NS);
	CHECK(rung < quiet * 94 / 100);
	print_part("# it came so far: ", quiet);
	print_part(", and when rung ", rung);
	print_part(", bells ", received() - bells);
	print_part(", used us ", (consumed(benches[on].sc[0]) - used) / 1000);
	print("\n");
	bench_down();
}

void counterparts_of_sel4(void)
{
	on = subject_first();
	RUN(a_vcore_without_a_context_stands_still);
	RUN(binding_takes_from_whoever_had_it);
	RUN(a_resized_context_gets_its_new_share);
	RUN(sleeping_does_not_refill_a_budget);
	if (info()->cpu_count > 1) {
		RUN(a_timeout_that_nobody_hears_is_not_waited_for);
		RUN(bells_are_paid_for_by_whom_they_ring_for);
	}
}
