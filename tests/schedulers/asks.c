/* SPDX-License-Identifier: MIT */
/* Checks what it is told, has gifts made at once, and wants to be asked whenever a task is enqueued: so
 * whom a slice was given to is enqueued, too, since the giver is. */
#include "strict.h"

static void asks_enqueue(int cpu, struct task *t, enum sched_why why)
{
	strict_push(cpu, t, why);
	sched_resched(cpu);
}

static int asks_donate(struct task *from, struct task *to)
{
	must_be_a_gift(from, to);
	return SCHED_DONATE_NOW;
}

static const struct sched_ops asks = {
	.name = "asks",
	STRICT_OPS,
	.enqueue = asks_enqueue,
	.donate = asks_donate,
};
SCHED_LIBRARY(asks);
