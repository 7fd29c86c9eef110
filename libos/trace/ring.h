/* SPDX-License-Identifier: MIT */
/*
 * One CPU's ring of trace events.
 *
 *	index        0    1    2   ...   next - 1 | next
 *	slot         index % slots                 v
 *	             [ sequence | tsc | what | value ]     sequence = index + 1 when it is complete,
 *	                                                   0 while it is being written
 *
 * One writer, the CPU itself, masked; readers anywhere.  Nobody waits for anybody: the writer
 * overwrites, and a reader finds out.  Pure: tests/unit/trace_ring_test.c runs it with threads.
 */
#ifndef LIBOS_TRACE_RING_H
#define LIBOS_TRACE_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define TRACE_WORDS 3 /* TSC; kind, detail, number and task packed; value */

struct trace_slot {
	_Atomic uint64_t sequence;
	_Atomic uint64_t words[TRACE_WORDS];
};

struct trace_ring {
	/* Fixed while the ring is in use. */
	struct trace_slot *slots;
	uint64_t slot_count; /* a power of two */

	/* The writer: events so far. */
	_Atomic uint64_t next;
};

enum trace_read {
	TRACE_READ_DONE,
	TRACE_READ_OVERWRITTEN, /* the writer was here again: this event is lost */
	TRACE_READ_NOTHING,     /* not written yet */
};

/* Nobody reads or writes the ring. */
void trace_ring_reset(struct trace_ring *r, struct trace_slot *slots, uint64_t slot_count);

/* The writer. */
void trace_ring_write(struct trace_ring *r, const uint64_t words[TRACE_WORDS]);
/* The writer, which may have left trace_ring_write() in the middle and has written nothing since: if so, this
 * is the event.  Without it a reader would wait there for its end. */
void trace_ring_mend(struct trace_ring *r, const uint64_t words[TRACE_WORDS]);

/* Any CPU: the event with this index. */
enum trace_read trace_ring_read(const struct trace_ring *r, uint64_t index,
				uint64_t words[TRACE_WORDS]);
/* Any CPU: the oldest index that may still be there. */
uint64_t trace_ring_oldest(const struct trace_ring *r);

#endif
