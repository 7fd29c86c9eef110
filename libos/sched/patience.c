/* SPDX-License-Identifier: MIT */
/* When a task that waits has been starved: see patience.h.  Pure: also built for the host. */
#include "sched/patience.h"

#define SLICES_OF_A_TURN 16
/* However long its slices are: else one with slices of an hour could starve tasks for days. */
#define TURNS_OF_A_TIMEOUT 4
#define PARTS_SHIFT 10 /* of a unit of time, in `due`: months fit, and the weights of thousands */

static uint64_t turn_for(const struct patience *p, uint64_t slice)
{
	uint64_t most = p->timeout / TURNS_OF_A_TIMEOUT;
	uint64_t turn = slice < most / SLICES_OF_A_TURN ? slice * SLICES_OF_A_TURN : most;

	return turn > p->look ? turn : p->look;
}

void patience_begin(struct patience *p, uint64_t timeout, uint64_t look)
{
	p->timeout = timeout;
	p->look = p->turn = look;
}

void patience_learn(struct patience *p, uint64_t slice)
{
	p->turn = turn_for(p, slice);
}

void patience_pass(struct patience *p, uint64_t passed, uint64_t weight)
{
	p->due += (passed << PARTS_SHIFT) / weight;
}

/* Is it late for this wait, and known to be so? */
static bool is_known(const struct lateness *l, uint64_t queued_at)
{
	return l->queued_at == queued_at;
}

/* A product that is too large is of a library that wants to wait for days. */
bool patience_is_over(const struct patience *p, struct lateness *l, uint64_t queued_at, uint64_t waited,
		      uint64_t count, unsigned weight, uint64_t slice)
{
	uint64_t turn = turn_for(p, slice);

	if (turn < p->turn)
		turn = p->turn;
	if (!is_known(l, queued_at)) {
		*l = (struct lateness){ queued_at, p->due };
		return false;
	}
	return waited - p->timeout > count * turn && ((p->due - l->due) * weight) >> PARTS_SHIFT >= turn;
}

uint64_t patience_due(const struct patience *p, const struct lateness *l, uint64_t queued_at)
{
	return is_known(l, queued_at) ? p->due - l->due : 0;
}

void patience_go_on(const struct patience *p, struct lateness *l, uint64_t queued_at, uint64_t due)
{
	*l = (struct lateness){ queued_at, p->due - due };
}
