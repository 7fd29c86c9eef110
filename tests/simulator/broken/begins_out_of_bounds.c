/* SPDX-License-Identifier: MIT */
/* Was made for slices in milliseconds. */
/* expect: tunable slice_us must begin with a value from its min to its max */
#include "fifo.h"

static uint64_t slice_us = 4;
static const struct sched_tunable tunables[] = {
	{ "slice_us", &slice_us, 50, 100000 },
	{ 0 },
};

BROKEN_LIBRARY(BROKEN_QUEUE, .tunables = tunables);
