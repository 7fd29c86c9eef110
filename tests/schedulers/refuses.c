/* SPDX-License-Identifier: MIT */
/* Checks what it is told, and refuses every gift: so no task comes with one. */
#include "strict.h"

static void refuses_enqueue(int cpu, struct task *t, enum sched_why why)
{
	must(why != SCHED_DONATED);
	strict_push(cpu, t, why);
}

static int refuses_donate(struct task *from, struct task *to)
{
	must_be_a_gift(from, to);
	return -1;
}

static const struct sched_ops refuses = {
	.name = "refuses",
	STRICT_OPS,
	.enqueue = refuses_enqueue,
	.donate = refuses_donate,
};
SCHED_LIBRARY(refuses);
