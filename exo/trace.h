/* SPDX-License-Identifier: MIT */
/*
 * The last things that each CPU did, for the report of a panic.  One ring per CPU, written by that
 * CPU alone, so that an entry costs a TSC read and four stores.  Only slow paths are traced.
 */
#ifndef EXO_TRACE_H
#define EXO_TRACE_H

#include "cpu.h"
#include "x86/instructions.h"

struct trace_event {
	uint64_t tsc;
	const char *what;
	uint64_t a, b;
};

#define TRACE_EVENTS ((CPU_AREA_TRACE_SIZE - sizeof(uint64_t)) / sizeof(struct trace_event))

struct trace_ring {
	uint64_t next; /* events so far; the next goes to next % TRACE_EVENTS */
	struct trace_event events[TRACE_EVENTS];
};

static inline void trace(const char *what, uint64_t a, uint64_t b)
{
	struct trace_ring *ring = this_cpu()->trace;

	ring->events[ring->next++ % TRACE_EVENTS] = (struct trace_event){ tsc_read(), what, a, b };
}

#endif
