/* SPDX-License-Identifier: MIT */
/* The bounded sporadic server of refills.h.  Every function ends with I6 as it began. */
#include "refills.h"
#include "invariant.h"

static struct refill *at(struct refills *refills, uint32_t index)
{
	return &refills->ring[(refills->head + index) % REFILLS_MAX];
}

static uint64_t end_of(const struct refill *refill)
{
	return refill->time + refill->amount;
}

bool refills_ok(const struct refills *refills)
{
	uint64_t sum = 0, previous_end = 0;

	if (!refills->budget || refills->budget > refills->period)
		return false;
	if (!refills->count || refills->count > REFILLS_MAX || refills->head >= REFILLS_MAX)
		return false;
	for (uint32_t i = 0; i < refills->count; i++) {
		const struct refill *refill = &refills->ring[(refills->head + i) % REFILLS_MAX];

		if (!refill->amount || refill->time < previous_end)
			return false;
		previous_end = end_of(refill);
		sum += refill->amount;
	}
	return sum == refills->budget && (!refills_round_robin(refills) || refills->count == 1);
}

void refills_init(struct refills *refills, uint64_t budget, uint64_t period, uint64_t least, uint64_t now)
{
	*refills = (struct refills){ .budget = budget, .period = period, .least = least, .count = 1,
				     .ring = {{.time = now, .amount = budget}} };
	ASSERT_INVARIANT(refills_ok(refills));
}

struct refill refills_head(const struct refills *refills)
{
	return refills->ring[refills->head];
}

static struct refill pop(struct refills *refills)
{
	struct refill first = *at(refills, 0);

	refills->head = (refills->head + 1) % REFILLS_MAX;
	refills->count--;
	return first;
}

/*
 * Adds a replenishment behind the others.  Where it touches the last one, or nothing is free,
 * the two become one, placed so that neither part of it can be consumed before its time.
 */
static void append(struct refills *refills, struct refill refill)
{
	struct refill *last;

	if (refills->count == 0) {
		refills->ring[refills->head] = refill;
		refills->count = 1;
		return;
	}
	last = at(refills, refills->count - 1);
	if (refill.time <= end_of(last)) {
		last->amount += refill.amount;
	} else if (refills->count == REFILLS_MAX) {
		last->time = refill.time - last->amount;
		last->amount += refill.amount;
	} else {
		*at(refills, refills->count++) = refill;
	}
}

/* A head too small to be worth a dispatch is spent together with its successor. */
static void merge_small_head(struct refills *refills)
{
	while (refills->count > 1 && at(refills, 0)->amount < refills->least) {
		struct refill small = pop(refills);
		struct refill *head = at(refills, 0);

		head->time -= small.amount;
		head->amount += small.amount;
	}
}

void refills_charge(struct refills *refills, uint64_t used, uint64_t now)
{
	uint64_t whole_periods = used / refills->budget;

	ASSERT_INVARIANT(refills_ok(refills));
	if (refills_round_robin(refills)) {
		at(refills, 0)->time = now;
		return;
	}

	/* To consume the whole budget is to move every replenishment by one period.  Doing so
	 * first bounds the loop below however large an overrun is. */
	if (whole_periods) {
		for (uint32_t i = 0; i < refills->count; i++)
			at(refills, i)->time += whole_periods * refills->period;
		used -= whole_periods * refills->budget;
	}
	while (used && at(refills, 0)->amount <= used) {
		struct refill spent = pop(refills);

		used -= spent.amount;
		spent.time += refills->period;
		append(refills, spent);
	}
	if (used) {
		struct refill *head = at(refills, 0);
		struct refill spent = {.time = head->time + refills->period, .amount = used};

		head->time += used;
		head->amount -= used;
		append(refills, spent);
	}
	merge_small_head(refills);
	ASSERT_INVARIANT(refills_ok(refills));
}

void refills_unblock(struct refills *refills, uint64_t now)
{
	struct refill *head = at(refills, 0);

	ASSERT_INVARIANT(refills_ok(refills));
	if (head->time >= now)
		return;
	head->time = now;
	while (refills->count > 1 && at(refills, 1)->time <= end_of(head)) {
		uint64_t amount = head->amount;

		pop(refills);
		head = at(refills, 0);
		head->time = now;
		head->amount += amount;
	}
	ASSERT_INVARIANT(refills_ok(refills));
}

void refills_resize(struct refills *refills, uint64_t budget, uint64_t now)
{
	uint64_t less = refills->budget > budget ? refills->budget - budget : 0;
	uint64_t more = budget > refills->budget ? budget - refills->budget : 0;

	ASSERT_INVARIANT(refills_ok(refills));
	refills->budget = budget;
	if (refills_round_robin(refills)) {
		refills_init(refills, budget, refills->period, refills->least, now);
		return;
	}
	while (less) {
		struct refill *last = at(refills, refills->count - 1);
		uint64_t cut = last->amount < less ? last->amount : less;

		last->amount -= cut;
		less -= cut;
		if (!last->amount)
			refills->count--;
	}
	if (more) {
		uint64_t from = at(refills, 0)->time > now ? at(refills, 0)->time : now;

		append(refills, (struct refill){.time = from + refills->period, .amount = more});
	}
	ASSERT_INVARIANT(refills_ok(refills));
}

void refills_change(struct refills *refills, uint64_t budget, uint64_t period, uint64_t now)
{
	struct refill first = refills_head(refills);
	uint64_t rest;

	ASSERT_INVARIANT(refills_ok(refills) && budget < period);
	if (first.time < now)
		first.time = now;
	/* A long period is not waited for; what is owed beyond it is. */
	if (first.time > now + period && first.time <= now + refills->period)
		first.time = now + period;
	if (first.amount > budget)
		first.amount = budget;
	rest = budget - first.amount;
	refills->budget = budget;
	refills->period = period;
	refills->head = refills->count = 0;
	append(refills, first);
	if (rest)
		append(refills, (struct refill){.time = first.time + period - rest, .amount = rest});
	merge_small_head(refills);
	ASSERT_INVARIANT(refills_ok(refills));
}
