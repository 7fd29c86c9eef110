/* SPDX-License-Identifier: MIT */
/* Checks what it is told, and allows every gift. */
#include "strict.h"

static int strict_donate(struct task *from, struct task *to)
{
	must_be_a_gift(from, to);
	return 0;
}

static const struct sched_ops strict = {
	.name = "strict",
	STRICT_OPS,
	.enqueue = strict_push,
	.donate = strict_donate,
};
SCHED_LIBRARY(strict);
