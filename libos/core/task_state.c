/* SPDX-License-Identifier: MIT */
/* The state machine of tasks: see task_state.h. */
#include "core/task_state.h"
#include "core/log.h"

#define BIT(n) (1u << (n))

static const uint8_t allowed_states[TASK_STATES] = {
	[TASK_RUNNABLE] = BIT(TASK_RUNNING),
	[TASK_RUNNING] = BIT(TASK_RUNNABLE) | BIT(TASK_BLOCKING) | BIT(TASK_ZOMBIE),
	[TASK_BLOCKING] = BIT(TASK_RUNNING) | BIT(TASK_BLOCKED),
	[TASK_BLOCKED] = BIT(TASK_RUNNABLE),
	[TASK_ZOMBIE] = 0,
};

static const uint8_t allowed_places[] = {
	[PLACE_NONE] = BIT(PLACE_MAILBOX),
	[PLACE_QUEUED] = BIT(PLACE_RUNNING) | BIT(PLACE_MAILBOX),
	[PLACE_RUNNING] = BIT(PLACE_QUEUED) | BIT(PLACE_WAITING) | BIT(PLACE_MAILBOX) | BIT(PLACE_NONE),
	[PLACE_MAILBOX] = BIT(PLACE_QUEUED) | BIT(PLACE_MAILBOX) | BIT(PLACE_RUNNING),
	[PLACE_WAITING] = BIT(PLACE_MAILBOX),
};

static const char *const state_names[TASK_STATES] = { "runnable", "running", "blocking", "blocked",
						      "zombie" };

void task_set_state(struct task *t, enum task_state to)
{
	enum task_state from = task_state(t);

	if (!(allowed_states[from] & BIT(to)))
		libos_panic("task %u (%s): %s -> %s", t->self.id, t->name, state_names[from],
			    state_names[to]);
	/* Release: whoever sees the new state sees what was done before it. */
	atomic_store_explicit(&t->state, (uint8_t)to, memory_order_release);
}

void task_move(struct task *t, enum task_place from, enum task_place to)
{
	enum task_place at = task_place(t);

	if (at != from || !(allowed_places[from] & BIT(to)))
		libos_panic("task %u (%s): moved from place %d to %d, but it is in %d", t->self.id,
			    t->name, from, to, at);
	/* Sequentially consistent: leave_blocked() in wake.c argues why. */
	atomic_store(&t->where, (uint8_t)to);
}

bool task_claim(struct task *t)
{
	uint8_t expect = PLACE_WAITING;

	return atomic_compare_exchange_strong(&t->where, &expect, PLACE_MAILBOX);
}
