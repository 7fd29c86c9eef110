/* SPDX-License-Identifier: MIT */
/*
 * The frames that a child domain is made of: taken from the allocator as runs, handed out from their
 * beginnings while it is made; what is left is its memory.  More runs may be added while it runs, and
 * frames of its memory come back one by one.  All others come back when it has been taken apart,
 * whatever they were used for.
 *
 *	run:  | objects, tables, image, archives | memory ............. |
 *	                                         ^ memory         ^ some of it has come back
 */
#ifndef LIBOS_DOMAIN_MEMORY_H
#define LIBOS_DOMAIN_MEMORY_H

#include <exo/abi.h>
#include <stddef.h>
#include <stdint.h>
#include "core/list.h"

struct domain_run {
	struct list link;
	uint64_t first, count;
	uint64_t used;   /* how many have been handed out */
	uint64_t memory; /* what is given to it as its memory begins at this one */
	uint64_t back[]; /* a bit for each that has come back and is not its any more */
};

/* Owned by the task that makes the domain, then by one that resizes it, and then by the one that takes it
 * apart. */
struct domain_memory {
	struct list runs;
};

void domain_memory_init(struct domain_memory *m);
/* Adds runs of so many frames.  0 or -ENOMEM, with nothing taken. */
int domain_memory_take(struct domain_memory *m, uint64_t frames, unsigned runs_max);
/* Up to `most` frames in a row; how many, 0: there are none left. */
uint64_t domain_memory_some(struct domain_memory *m, uint64_t most, uint64_t *first);
/* Exactly `count` in a row, or 0. */
uint64_t domain_memory_row(struct domain_memory *m, uint64_t count);
/* To the allocator, waiting for those that the kernel has not let go yet; returns how many it never
 * did.  Task context. */
uint64_t domain_memory_return(struct domain_memory *m);
/* What of its memory is ours again goes to the allocator; returns how many. */
uint64_t domain_memory_collect(struct domain_memory *m);

/* The frame table's entry, which may change while one looks. */
static inline struct exo_frame_info domain_frame(uint64_t frame)
{
	uint64_t word = ((const volatile uint64_t *)EXO_FRAMES_BASE)[frame];

	return (struct exo_frame_info){ .owner = (uint16_t)word, .type = (uint8_t)(word >> 16),
					.pins = (uint8_t)(word >> 24), .maps = (uint32_t)(word >> 32) };
}

static inline struct domain_run *domain_run_of(struct list *link)
{
	return list_entry(link, struct domain_run, link);
}

static inline int domain_run_has(const struct domain_run *r, uint64_t i)
{
	return !(r->back[i / 64] >> (i % 64) & 1);
}

#endif
