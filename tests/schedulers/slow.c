/* SPDX-License-Identifier: MIT */
/*
 * Round robin whose callbacks at the end of a slice, charge(), enqueue() and pick(), take `take_ms` each, the
 * next `left` times: none of them for too long, all three of them together for very long.
 */
#include <libos/sched.h>

static uint64_t take_ms, left; /* it counts `left` down itself */

static const struct sched_tunable tunables[] = {
	{ "take_ms", &take_ms, 0, 1000 }, { "left", &left, 0, 1000 }, { 0 },
};

static void take_time(void)
{
	uint64_t end = sched_now_ns() + SCHED_MS(take_ms);

	if (!left)
		return;
	left--;
	while (sched_now_ns() < end)
		;
}

static void slow_charge(int cpu, struct task *t, uint64_t ns)
{
	take_time();
}

static void slow_enqueue(int cpu, struct task *t, enum sched_why why)
{
	take_time();
	sched_fifo_push_back(sched_cpu_private(cpu), t);
}

static void slow_dequeue(int cpu, struct task *t)
{
	sched_fifo_remove(sched_cpu_private(cpu), t);
}

static struct sched_run slow_pick(int cpu, struct task *previous)
{
	take_time();
	return (struct sched_run){ sched_fifo_pop(sched_cpu_private(cpu)), SCHED_MS(1) };
}

static const struct sched_ops slow = {
	.name = "slow",
	.cpu_size = sizeof(struct sched_fifo),
	.enqueue = slow_enqueue,
	.dequeue = slow_dequeue,
	.pick = slow_pick,
	.charge = slow_charge,
	.tunables = tunables,
};
SCHED_LIBRARY(slow);
