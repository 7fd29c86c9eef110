/* SPDX-License-Identifier: MIT */
/*
 * exo/refills.c: no sequence of operations gives a tick of time before it is due.
 *
 * The reference knows every tick of the budget by itself: due[k] is when the one that is consumed
 * k-th may be consumed.  A consumed tick is due again one period later, and that is all: there are
 * no replenishments to merge or to run out of.  The server may give a tick later than that, never sooner.
 *
 *	input: least, budget, period (a byte each, added to the least that may be);
 *	then pairs {operation, amount}
 */
#include <string.h>
#include "../../exo/refills.h"
#include "fuzz.h"

#define BUDGET_MAX 1024u

const struct fuzz_target fuzz_target = { "refills", "no_tick_is_given_before_it_is_due", 6000 };

enum { CHARGE, CHARGE_LATE, UNBLOCK, RESIZE, CHANGE, WAIT, KINDS };

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	static const uint8_t head[4][3] = { { 1, 40, 100 }, { 10, 99, 1 }, { 3, 20, 0 }, { 0, 60, 250 } };
	size_t n = 3;

	if (number > 3)
		return 0;
	memcpy(out, head[number], 3);
	for (unsigned i = 0; i < 20 && number == 3; i++) { /* in small pieces, until the ring is full */
		out[n++] = i % 2 ? UNBLOCK : CHARGE;
		out[n++] = i % 2 ? 12 : 1;
	}
	for (unsigned i = 0; i < 60; i++) {
		out[n++] = (uint8_t)(i % 4 == 3 ? i / 4 % KINDS : CHARGE);
		out[n++] = (uint8_t)(1 + i * 7 % 23);
	}
	return n;
}

struct model {
	struct refills server;
	uint64_t now;
	uint64_t due[BUDGET_MAX]; /* ascending */
};

static void put_due(struct model *m, uint64_t count, uint64_t due)
{
	for (; count > 0 && m->due[count - 1] > due; count--)
		m->due[count] = m->due[count - 1];
	m->due[count] = due;
}

/* All at once from `from` on, a tick each. */
static void due_from(struct model *m, uint64_t first, uint64_t from)
{
	for (uint64_t k = first; k < m->server.budget; k++)
		put_due(m, k, from + (k - first));
}

static void check_server(const struct model *m)
{
	const struct refills *r = &m->server;
	uint64_t tick = 0;

	FUZZ_CHECK(refills_ok(r));
	for (uint32_t i = 0; i < r->count; i++) {
		const struct refill *refill = &r->ring[(r->head + i) % REFILLS_MAX];

		for (uint64_t k = 0; k < refill->amount; k++)
			FUZZ_CHECK(refill->time + k >= m->due[tick++]);
	}
	FUZZ_CHECK(refills_head(r).amount >= r->least || r->count == 1);
}

/* A budget that is overrun as a whole puts all of it back by a period; else the first goes to the end. */
static void charge_due(struct model *m, uint64_t used)
{
	uint64_t budget = m->server.budget, period = m->server.period;

	for (uint64_t k = 0; k < budget; k++)
		m->due[k] += used / budget * period;
	for (used %= budget; used > 0; used--) {
		uint64_t first = m->due[0];

		memmove(m->due, m->due + 1, (budget - 1) * sizeof(m->due[0]));
		put_due(m, budget - 1, first + period);
	}
}

/* Consumes what is there, and `over` ticks more. */
static void charge(struct model *m, uint64_t wanted, uint64_t over)
{
	struct refills *r = &m->server;
	uint64_t used;

	if (!refills_ready(r, m->now))
		m->now = refills_head(r).time;
	used = refills_head(r).amount < wanted ? refills_head(r).amount : wanted;
	used += over;
	m->now += used;
	refills_charge(r, used, m->now);
	if (refills_round_robin(r))
		due_from(m, 0, m->now);
	else
		charge_due(m, used);
}

static void unblock(struct model *m)
{
	refills_unblock(&m->server, m->now);
	for (uint64_t k = 0; k < m->server.budget; k++)
		if (m->due[k] < m->now + k)
			m->due[k] = m->now + k;
}

/* What comes new comes one period from when the first can be consumed. */
static void resize(struct model *m, uint64_t budget)
{
	uint64_t old = m->server.budget, from = m->due[0] > m->now ? m->due[0] : m->now;

	refills_resize(&m->server, budget, m->now);
	if (refills_round_robin(&m->server))
		due_from(m, 0, m->now);
	else if (budget > old)
		due_from(m, old, from + m->server.period);
}

/* The ticks are others now: what a change promises is in exo/refills.h. */
static void change(struct model *m, uint64_t budget, uint64_t period)
{
	struct refill before = refills_head(&m->server), after;
	bool owes = before.time > m->now + m->server.period;
	uint64_t k = 0;

	refills_change(&m->server, budget, period, m->now);
	after = refills_head(&m->server);
	FUZZ_CHECK(m->server.budget == budget && m->server.period == period);
	FUZZ_CHECK(owes ? after.time == before.time : after.time <= m->now + period);
	FUZZ_CHECK(after.time >= before.time || after.time >= m->now + period);
	for (uint32_t i = 0; i < m->server.count; i++) {
		const struct refill *r = &m->server.ring[(m->server.head + i) % REFILLS_MAX];

		for (uint64_t t = 0; t < r->amount; t++)
			m->due[k++] = r->time + t;
	}
}

/* exo/sched_context.c admits no budget below five times the least slice. */
static uint64_t lowest(uint64_t least)
{
	return 5 * least + 1;
}

static void step(struct model *m, unsigned what, uint64_t amount)
{
	uint64_t period = m->server.period, low = lowest(m->server.least);

	switch (what) {
	case CHARGE:
		charge(m, amount + 1, 0);
		break;
	case CHARGE_LATE:
		charge(m, amount + 1, amount * 5);
		break;
	case UNBLOCK:
		m->now += amount;
		unblock(m);
		break;
	case RESIZE:
		resize(m, low + amount % (period - low + 1));
		break;
	case CHANGE:
		period = low + 1 + amount;
		change(m, low + amount * 3 % (period - low), period);
		break;
	case WAIT:
		m->now += amount * 4;
		break;
	}
	check_server(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint64_t least = fuzz_byte(&in) % 16, budget, period;
	static struct model m;

	budget = lowest(least) + fuzz_byte(&in);
	period = budget + fuzz_byte(&in);
	m.now = 0;
	refills_init(&m.server, budget, period, least, 0);
	due_from(&m, 0, 0);
	check_server(&m);
	while (in.left >= 2) {
		unsigned what = fuzz_byte(&in) % KINDS;

		step(&m, what, fuzz_byte(&in));
	}
	return 0;
}
