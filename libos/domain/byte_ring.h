/* SPDX-License-Identifier: MIT */
/*
 * A ring of bytes in memory that two domains share: one writes, the other reads, and each may be any
 * program at all.  Pure: what rings the doorbell is the caller's, and the host tests it.
 *
 *	bytes:  ... | read | waits to be read | free | ...
 *	                   ^ read             ^ written	free-running; place = number % size
 *
 * Each end keeps its own number where the other cannot reach it, and believes the other's only as far
 * as it makes sense: an end that says that it has written more than fits, or read more than there was,
 * has broken the ring, which stays empty, or full, from then on.
 *
 * Why no byte waits unnoticed.  Who is going to sleep sets its flag and then looks at the other's
 * number again; the other moves its number and then looks at the flag, both sequentially consistent.
 * So either the sleeper sees the new number, or the other sees the flag, and rings.
 */
#ifndef LIBOS_BYTE_RING_H
#define LIBOS_BYTE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shared; all zeros at first. */
struct byte_ring_shared {
	_Atomic uint32_t written;       /* the writer's */
	_Atomic uint32_t writer_sleeps; /* set by the writer, cleared by the reader, who rings */
	uint32_t reserved0[14];         /* so that the two ends write different cache lines */
	_Atomic uint32_t read;          /* the reader's */
	_Atomic uint32_t reader_sleeps; /* the other way round */
	uint32_t reserved1[14];
};

/* One end; under the lock of its owner. */
struct byte_ring {
	struct byte_ring_shared *shared;
	uint8_t *bytes;
	uint32_t size;  /* a power of two */
	uint32_t at;    /* this end's number */
	bool broken;    /* the other end does not keep to the rules */
};

void byte_ring_init(struct byte_ring *end, struct byte_ring_shared *shared, uint8_t *bytes,
		    uint32_t size);

/* The writer's: takes some of the n bytes; the reader's: gives some, up to n.  How many.  *ring: the
 * other end sleeps, and is to be rung. */
size_t byte_ring_put(struct byte_ring *end, const uint8_t *bytes, size_t n, bool *ring);
size_t byte_ring_take(struct byte_ring *end, uint8_t *bytes, size_t n, bool *ring);

/* Before sleeping, when nothing could be put, or taken: false if something can be by now. */
bool byte_ring_writer_sleeps(struct byte_ring *end);
bool byte_ring_reader_sleeps(struct byte_ring *end);

/* How many bytes can be put, or taken. */
uint32_t byte_ring_room(struct byte_ring *end);
uint32_t byte_ring_used(struct byte_ring *end);

#endif
