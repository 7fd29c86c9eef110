/* SPDX-License-Identifier: MIT */
/* Offers a number that nobody can set: `schedctl param` takes words apart. */
/* expect: the name of tunable 1 has a blank, a / or a character that is not ASCII and printable */
#include "fifo.h"

static uint64_t slice_us = 4000, age_ms = 10;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ "age ms", &age_ms, 1, 1000 },
	{ 0 },
};

BROKEN_LIBRARY(BROKEN_QUEUE, .tunables = tunables);
