/* SPDX-License-Identifier: MIT */
/*
 * Round robin that stays in its callbacks for a while, and then writes to the private state of other CPUs'
 * tasks, as it may.  It counts, outside of its instances, what must not be: a callback that runs while init()
 * does, an init() before the last exit(), a state of a task that is not its own.
 */
#include <libos/sched.h>
#include <stdatomic.h>

#define OURS 0x11209e25u

struct lingers_cpu {
	struct sched_fifo ready;
};

struct lingers_task {
	uint32_t ours; /* OURS */
	_Atomic uint32_t seen;
};

static uint64_t linger_us = 300, returns, backwards;
static _Atomic uint64_t wrong, begun;

static const struct sched_tunable tunables[] = {
	{ "linger_us", &linger_us, 0, 5000 },
	{ "returns", &returns, 0, 1000000 }, /* what init() does */
	{ "backwards", &backwards, 0, 1 },   /* pick() leaves the direction flag set */
	{ "wrong", (uint64_t *)&wrong, 0, UINT64_MAX },
	{ "begun", (uint64_t *)&begun, 0, UINT64_MAX },
	{ 0 },
};

static _Atomic int inside; /* callbacks that run */
static _Atomic int alive;  /* instances between init() and exit() */
static struct task *_Atomic latest[64]; /* each CPU's: enqueued last, and not detached */

static void expect(bool condition)
{
	if (!condition)
		wrong++;
}

static int lingers_init(int ncpu)
{
	expect(inside == 0 && alive == 0);
	for (int cpu = 0; cpu < 64; cpu++)
		latest[cpu] = NULL;
	if (returns)
		return (int)returns;
	begun++;
	alive++;
	return 0;
}

static void lingers_exit(const struct sched_exit *why)
{
	alive--;
}

static int lingers_attach(struct task *t)
{
	struct lingers_task *state = sched_private(t);

	expect(state->ours == 0);
	state->ours = OURS;
	return 0;
}

static void lingers_detach(struct task *t)
{
	for (int cpu = 0; cpu < 64; cpu++) {
		struct task *expected = t;

		atomic_compare_exchange_strong(&latest[cpu], &expected, NULL);
	}
}

static void lingers_enqueue(int cpu, struct task *t, enum sched_why why)
{
	struct lingers_cpu *c = sched_cpu_private(cpu);
	struct lingers_task *state = sched_private(t);

	inside++;
	expect(state->ours == OURS);
	sched_fifo_push_back(&c->ready, t);
	latest[cpu & 63] = t;
	inside--;
}

static void lingers_dequeue(int cpu, struct task *t)
{
	struct lingers_cpu *c = sched_cpu_private(cpu);

	sched_fifo_remove(&c->ready, t);
}

static struct sched_run lingers_pick(int cpu, struct task *previous)
{
	struct lingers_cpu *c = sched_cpu_private(cpu);
	struct task *neighbours = latest[(cpu + 1) % sched_cpu_count() & 63];
	uint64_t end = sched_now_ns() + SCHED_US(linger_us);

	inside++;
	while (sched_now_ns() < end)
		;
	if (neighbours)
		((struct lingers_task *)sched_private(neighbours))->seen++;
	inside--;
	if (backwards)
		__asm__ volatile("std");
	return (struct sched_run){ sched_fifo_pop(&c->ready), SCHED_MS(1) };
}

static const struct sched_ops lingers = {
	.name = "lingers",
	.task_size = sizeof(struct lingers_task),
	.cpu_size = sizeof(struct lingers_cpu),
	.init = lingers_init,
	.exit = lingers_exit,
	.attach = lingers_attach,
	.detach = lingers_detach,
	.enqueue = lingers_enqueue,
	.dequeue = lingers_dequeue,
	.pick = lingers_pick,
	.tunables = tunables,
};
SCHED_LIBRARY(lingers);
