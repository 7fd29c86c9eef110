/* SPDX-License-Identifier: MIT */
/* The bounded sporadic server: I6 after every operation, and what a budget promises over time. */
#include "../../exo/refills.c"
#include <stdlib.h>
#include "check.h"

#define LEAST 10

/* A small generator, so that a failure can be repeated from its seed. */
static uint64_t seed;

static uint64_t random_below(uint64_t limit)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % limit;
}

/* exo/invariant.h wants it; tests build without EXO_DEBUG unless they ask for it. */
_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	printf("# invariant %s, %s:%u\n", condition, file, line);
	abort();
}

static void a_new_server_holds_its_whole_budget(void)
{
	struct refills r;

	refills_init(&r, 300, 1000, LEAST, 5);
	CHECK(refills_ok(&r));
	CHECK(refills_ready(&r, 5));
	CHECK(!refills_ready(&r, 4));
	CHECK_EQ(refills_head(&r).amount, 300);
}

static void what_is_used_comes_back_one_period_later(void)
{
	struct refills r;

	refills_init(&r, 300, 1000, LEAST, 0);
	refills_charge(&r, 100, 100);
	CHECK(refills_ok(&r));
	CHECK_EQ(r.count, 2);
	CHECK_EQ(refills_head(&r).amount, 200);
	CHECK_EQ(r.ring[(r.head + 1) % REFILLS_MAX].time, 1000);
	CHECK_EQ(r.ring[(r.head + 1) % REFILLS_MAX].amount, 100);
	refills_charge(&r, 200, 300);
	CHECK(refills_ok(&r));
	CHECK(!refills_ready(&r, 999));
	CHECK(refills_ready(&r, 1000));
}

static void an_overrun_delays_what_comes_after(void)
{
	struct refills r;

	refills_init(&r, 300, 1000, LEAST, 0);
	refills_charge(&r, 300 + 300 + 50, 650);
	CHECK(refills_ok(&r));
	CHECK(!refills_ready(&r, 1999));
	CHECK_EQ(refills_head(&r).time, 2050);
	CHECK_EQ(refills_head(&r).amount, 250);
}

static void a_huge_overrun_is_charged_in_bounded_work(void)
{
	struct refills r;

	refills_init(&r, 300, 1000, LEAST, 0);
	refills_charge(&r, 100, 100);
	refills_charge(&r, 1ul << 50, 1ul << 50);
	CHECK(refills_ok(&r));
	CHECK(refills_head(&r).time > (1ul << 50) / 300 * 1000 - 2000);
}

static void time_slept_through_is_not_saved_up(void)
{
	struct refills r;

	refills_init(&r, 300, 1000, LEAST, 0);
	refills_charge(&r, 100, 100);
	refills_unblock(&r, 50000);
	CHECK(refills_ok(&r));
	CHECK_EQ(r.count, 1);
	CHECK_EQ(refills_head(&r).time, 50000);
	refills_charge(&r, 300, 50300);
	CHECK(!refills_ready(&r, 50999));
}

static void round_robin_is_funded_at_once(void)
{
	struct refills r;

	refills_init(&r, 1000, 1000, LEAST, 0);
	refills_charge(&r, 1000, 1000);
	CHECK(refills_ok(&r));
	CHECK(refills_ready(&r, 1000));
	CHECK_EQ(refills_head(&r).amount, 1000);
}

static void a_small_rest_is_spent_with_its_successor(void)
{
	struct refills r;

	refills_init(&r, 300, 1000, LEAST, 0);
	refills_charge(&r, 295, 295);
	CHECK(refills_ok(&r));
	CHECK_EQ(r.count, 1);
	CHECK_EQ(refills_head(&r).amount, 300);
	CHECK_EQ(refills_head(&r).time, 1000 - 5);
}

static void a_smaller_budget_is_cut_from_the_end(void)
{
	struct refills r;

	refills_init(&r, 1000, 1000, LEAST, 0);
	refills_resize(&r, 400, 7);
	CHECK(refills_ok(&r));
	CHECK_EQ(refills_head(&r).amount, 400);
	refills_charge(&r, 100, 100);
	refills_resize(&r, 250, 100);
	CHECK(refills_ok(&r));
	CHECK_EQ(r.count, 1);
	CHECK_EQ(refills_head(&r).amount, 250);
}

static void a_larger_budget_is_not_given_early(void)
{
	struct refills r;

	refills_init(&r, 400, 1000, LEAST, 0);
	refills_charge(&r, 400, 400);
	refills_resize(&r, 500, 400);
	CHECK(refills_ok(&r));
	CHECK(!refills_ready(&r, 999));
	refills_resize(&r, 1000, 500);
	CHECK(refills_ok(&r));
	CHECK(refills_ready(&r, 500));
}

/* All of 400 is used; 600 in a period of 500 000 comes back no later than that from now, and not sooner
 * than it would have. */
static void what_is_used_is_not_given_again_by_a_change(void)
{
	struct refills r;

	refills_init(&r, 400, 1000, LEAST, 0);
	refills_charge(&r, 400, 400);
	refills_change(&r, 600, 500000, 400);
	CHECK(refills_ok(&r));
	CHECK_EQ(refills_head(&r).time, 1000);
	CHECK_EQ(refills_head(&r).amount, 400);
	CHECK_EQ(r.ring[1].time, 1000 + 500000 - 200);
	refills_change(&r, 100, 200, 500); /* 500 to wait: longer than the new period */
	CHECK(refills_ok(&r));
	CHECK_EQ(refills_head(&r).time, 700);
	CHECK_EQ(refills_head(&r).amount, 100);
	CHECK_EQ(r.count, 1);
}

/* What was used beyond the budget has to be waited for, whatever its owner's share is called now. */
static void a_change_forgives_no_debt(void)
{
	struct refills r;

	refills_init(&r, 400, 1000, LEAST, 0);
	refills_charge(&r, 4000, 4000);
	CHECK_EQ(refills_head(&r).time, 10000);
	refills_change(&r, 400, 1000, 4000);
	CHECK(refills_ok(&r));
	CHECK_EQ(refills_head(&r).time, 10000);
	refills_change(&r, 100, 200, 4000);
	CHECK(refills_ok(&r));
	CHECK_EQ(refills_head(&r).time, 10000);
}

/* An owner that always wants to run gets no more than its share, and loses nothing of it. */
static void greed_gets_exactly_the_share(void)
{
	for (unsigned trial = 0; trial < 200; trial++) {
		uint64_t period = 1000 + random_below(100000), now = 0, used = 0;
		uint64_t budget = LEAST * 2 + random_below(period - LEAST * 2 - 1);
		struct refills r;

		refills_init(&r, budget, period, LEAST, 0);
		while (now < 200 * period) {
			struct refill head = refills_head(&r);
			uint64_t run = 1 + random_below(head.amount * 2);

			if (head.time > now) {
				now = head.time;
				continue;
			}
			if (run > head.amount)
				run = head.amount;
			now += run;
			used += run;
			refills_charge(&r, run, now);
			CHECK(refills_ok(&r));
		}
		CHECK(used <= 201 * budget);
		CHECK(used + 2 * budget >= now / period * budget - now / period * LEAST);
	}
}

/*
 * An owner that runs, oversteps, sleeps and is preempted as it likes never gets more than its
 * budget in each period, counted from the time that each piece was due.
 */
static void no_behaviour_gets_more_than_the_share(void)
{
	for (unsigned trial = 0; trial < 500; trial++) {
		uint64_t period = 1000 + random_below(100000), now = 0, used = 0;
		uint64_t budget = LEAST * 2 + random_below(period - LEAST * 2 - 1);
		struct refills r;

		refills_init(&r, budget, period, LEAST, 0);
		for (unsigned step = 0; step < 2000; step++) {
			struct refill head = refills_head(&r);
			uint64_t run = 1 + random_below(head.amount + 1);

			if (head.time > now)
				now = head.time + random_below(3) * random_below(period);
			if (random_below(20) == 0)
				run += random_below(3 * period); /* masked, and late */
			now += run;
			used += run;
			refills_charge(&r, run, now);
			CHECK(refills_ok(&r));
			if (random_below(3) == 0) {
				now += random_below(2 * period);
				refills_unblock(&r, now);
				CHECK(refills_ok(&r));
			}
			/* What was overrun is owed: the head's time already stands for it. */
			if (refills_head(&r).time >= now)
				CHECK(used <= (refills_head(&r).time / period + 2) * budget);
		}
		CHECK(used <= ((now > refills_head(&r).time ? now : refills_head(&r).time) / period +
			       2) * budget);
	}
}

static void budgets_may_change_at_any_time(void)
{
	for (unsigned trial = 0; trial < 500; trial++) {
		uint64_t period = 1000 + random_below(100000), now = 0;
		struct refills r;

		refills_init(&r, period, period, LEAST, 0);
		for (unsigned step = 0; step < 1000; step++) {
			now += random_below(period);
			switch (random_below(5)) {
			case 0:
				refills_resize(&r, 1 + random_below(period), now);
				break;
			case 1:
				refills_resize(&r, period, now);
				break;
			case 2:
				refills_unblock(&r, now);
				break;
			case 3:
				period = 1000 + random_below(100000);
				refills_change(&r, 1 + random_below(period - 1), period, now);
				break;
			default:
				refills_charge(&r, random_below(period), now);
			}
			CHECK(refills_ok(&r));
		}
	}
}

static void the_check_sees_what_is_wrong(void)
{
	struct refills good, bad;

	refills_init(&good, 300, 1000, LEAST, 0);
	refills_charge(&good, 100, 100);
	CHECK(refills_ok(&good));
	bad = good;
	bad.ring[bad.head].amount++; /* does not sum to the budget */
	CHECK(!refills_ok(&bad));
	bad = good;
	bad.ring[(bad.head + 1) % REFILLS_MAX].time = 150; /* overlaps */
	CHECK(!refills_ok(&bad));
	bad = good;
	bad.ring[bad.head].time = 5000; /* out of order */
	CHECK(!refills_ok(&bad));
	bad = good;
	bad.count = 0;
	CHECK(!refills_ok(&bad));
}

int main(int argc, char **argv)
{
	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	RUN(a_new_server_holds_its_whole_budget);
	RUN(what_is_used_comes_back_one_period_later);
	RUN(an_overrun_delays_what_comes_after);
	RUN(a_huge_overrun_is_charged_in_bounded_work);
	RUN(time_slept_through_is_not_saved_up);
	RUN(round_robin_is_funded_at_once);
	RUN(a_small_rest_is_spent_with_its_successor);
	RUN(a_smaller_budget_is_cut_from_the_end);
	RUN(a_larger_budget_is_not_given_early);
	RUN(what_is_used_is_not_given_again_by_a_change);
	RUN(a_change_forgives_no_debt);
	RUN(greed_gets_exactly_the_share);
	RUN(no_behaviour_gets_more_than_the_share);
	RUN(budgets_may_change_at_any_time);
	RUN(the_check_sees_what_is_wrong);
	return check_result();
}
