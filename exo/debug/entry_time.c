/* SPDX-License-Identifier: MIT */
/*
 * How long interrupts are off.  Every entry does bounded work (K1), so there is a time that none may
 * take.  A virtual machine's CPU may lose its processor in the middle, so one that took longer is only
 * reported, when it is the longest so far; where time is the number of instructions, none is
 * (tests/script/debug_build.py).
 */
#include "kernel.h"
#include "debug.h"

#define LIMIT_US 1000ul

/* This CPU. */
static struct entry {
	uint64_t began, vector; /* of the entry that has not ended */
	uint64_t longest_us;
} entries[EXO_CPUS_MAX];

void entry_begins(uint64_t vector)
{
	struct entry *e = &entries[this_cpu()->number];

	e->began = tsc_read();
	e->vector = vector;
}

void entry_ends(void)
{
	struct entry *e = &entries[this_cpu()->number];
	uint64_t now = tsc_read();
	uint64_t us = now > e->began ? (now - e->began) * 1000 / this_cpu()->tsc_khz : 0;

	if (!e->began || us <= LIMIT_US || us <= e->longest_us)
		return;
	e->longest_us = us;
	kprintf("exo: CPU %u had interrupts off for %lu us, vector 0x%lx\n", this_cpu()->number, us,
		e->vector);
}
