/* SPDX-License-Identifier: MIT */
/* What a running task does between two stretches of computing. */
#include <stdio.h>
#include <stdlib.h>
#include "machine.h"

#define STEPS_AT_ONCE_MAX 100000 /* without time going by: then the work is at fault */

/* Counting semaphores; waiters in the order of their coming. */
static struct {
	unsigned count;
	struct sim_task *first, *last;
} semaphores[SEMAPHORES_MAX];

static uint64_t span_ns(const struct step *s)
{
	return s->from_ns + (s->to_ns > s->from_ns ? machine_random() % (s->to_ns - s->from_ns + 1) : 0);
}

static enum step_result wait_on(struct sim_task *t, unsigned number)
{
	if (semaphores[number].count) {
		semaphores[number].count--;
		return STEP_RUNS;
	}
	t->wait_next = NULL;
	if (semaphores[number].last)
		semaphores[number].last->wait_next = t;
	else
		semaphores[number].first = t;
	semaphores[number].last = t;
	return STEP_SLEEPS;
}

static void post(unsigned number, bool with_slice)
{
	struct sim_task *t = semaphores[number].first;

	if (!t) {
		semaphores[number].count++;
		return;
	}
	semaphores[number].first = t->wait_next;
	if (!t->wait_next)
		semaphores[number].last = NULL;
	if (with_slice)
		sim_hand(t);
	else
		sim_wake(t, SCHED_WOKEN);
}

static void spawn(struct sim_task *t, const struct step *s)
{
	struct sim_task *child;

	if (t->depth >= s->below)
		return;
	child = sim_new(&work.program[s->number], t, machine.this_cpu);
	child->depth = t->depth + 1;
	t->children++;
	sim_begin(child);
}

/* Nobody's child: who starts it does not wait for its end. */
static void start(const struct step *s)
{
	sim_begin(sim_new(&work.program[s->number], NULL, machine.this_cpu));
}

/* The end of a job: late if the next one should have begun already. */
static enum step_result wait_for_period(struct sim_task *t, uint64_t period_ns)
{
	t->released_ns += period_ns;
	t->record.jobs++;
	if (machine.now_ns > t->released_ns)
		t->record.late++;
	if (machine.now_ns >= t->released_ns)
		return STEP_RUNS;
	sim_wake_at(t, t->released_ns);
	return STEP_SLEEPS;
}

static enum step_result repeat(struct sim_task *t, unsigned rounds)
{
	if (rounds != ROUNDS_ENDLESS && ++t->rounds >= rounds)
		return STEP_RUNS;
	t->step = 0;
	return STEP_RUNS;
}

static enum step_result take(struct sim_task *t, const struct step *s)
{
	switch (s->kind) {
	case RUN:
		t->remaining_ns = span_ns(s);
		return STEP_RUNS;
	case SLEEP:
		sim_wake_at(t, machine.now_ns + span_ns(s));
		return STEP_SLEEPS;
	case NEXT:
		return wait_for_period(t, span_ns(s));
	case YIELD:
		return STEP_YIELDS;
	case POST:
	case HAND:
		post(s->number, s->kind == HAND);
		return STEP_RUNS;
	case WAIT:
		return wait_on(t, s->number);
	case SPAWN:
		spawn(t, s);
		return STEP_RUNS;
	case START:
		start(s);
		return STEP_RUNS;
	case JOIN:
		t->joining = t->children > 0;
		return t->joining ? STEP_SLEEPS : STEP_RUNS;
	case REPEAT:
		return repeat(t, s->number);
	}
	return STEP_RUNS;
}

static void tell_parent(struct sim_task *t)
{
	struct sim_task *parent = t->parent;

	if (!parent || --parent->children || !parent->joining)
		return;
	parent->joining = false;
	sim_wake(parent, SCHED_WOKEN);
}

enum step_result sim_step(struct sim_task *t)
{
	for (unsigned i = 0; i < STEPS_AT_ONCE_MAX; i++) {
		enum step_result r;

		if (t->step == t->program->steps) {
			/* Nobody's parent goes before the children have. */
			t->joining = t->children > 0;
			if (t->joining)
				return STEP_SLEEPS;
			tell_parent(t);
			return STEP_ENDS;
		}
		r = take(t, &t->program->step[t->step++]);
		if (r != STEP_RUNS || t->remaining_ns ||
		    (machine.cpu[machine.this_cpu].heir && machine.cpu[machine.this_cpu].need_resched))
			return r;
	}
	fprintf(stderr, "task %s does for ever what takes no time\n", t->t.name);
	exit(2);
}
