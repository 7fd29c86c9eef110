/* SPDX-License-Identifier: MIT */
/*
 * Free frames that a CPU has at hand.  Its own CPU, masked, takes from it and fills it; others only take from
 * it, when there is no free frame elsewhere.  That is why it has a lock, which its own CPU finds free
 * nearly always.
 */
#ifndef LIBOS_FRAME_CACHE_H
#define LIBOS_FRAME_CACHE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "core/lock.h"

#define FRAME_CACHE_SIZE 64

struct frame_cache {
	struct lock lock;       /* guards: */
	_Atomic uint32_t count; /* any CPU may look whether it is worth taking the lock */
	uint32_t frames[FRAME_CACHE_SIZE];
} __attribute__((aligned(64)));

#define FRAME_CACHE_INIT { .lock = LOCK_INIT("frame cache", RANK_FRAMES) }

/* One look, without the lock. */
static inline uint32_t frame_cache_count(const struct frame_cache *c)
{
	return atomic_load_explicit(&c->count, memory_order_relaxed);
}

/* Any CPU: one of them, 0 if there is none. */
uint64_t frame_cache_take(struct frame_cache *c);
/* Its own CPU: how many of the `wanted` there were.  In the order in which they lie there, since neighbours
 * came out of the bitmap together. */
size_t frame_cache_take_some(struct frame_cache *c, uint64_t *frames, size_t wanted);
/* Its own CPU, which knows that there is room. */
void frame_cache_fill(struct frame_cache *c, const uint32_t *frames, size_t n);
/* Its own CPU: half of a full one; how many that were. */
size_t frame_cache_spill(struct frame_cache *c, uint32_t *frames);

#endif
