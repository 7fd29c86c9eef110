/* SPDX-License-Identifier: MIT */
/* Free frames that a CPU has at hand: see frame_cache.h. */
#include "core/frame_cache.h"
#include "core/log.h"

/* Under its lock. */
static void set_count(struct frame_cache *c, uint32_t count)
{
	atomic_store_explicit(&c->count, count, memory_order_relaxed);
}

uint64_t frame_cache_take(struct frame_cache *c)
{
	uint64_t frame = 0;
	uint32_t count;

	if (frame_cache_count(c) == 0)
		return 0;
	lock_acquire(&c->lock);
	count = frame_cache_count(c);
	if (count > 0) {
		frame = c->frames[count - 1];
		set_count(c, count - 1);
	}
	lock_release(&c->lock);
	return frame;
}

size_t frame_cache_take_some(struct frame_cache *c, uint64_t *frames, size_t wanted)
{
	uint32_t count;
	size_t n;

	lock_acquire(&c->lock);
	count = frame_cache_count(c);
	n = wanted < count ? wanted : count;
	for (size_t i = 0; i < n; i++)
		frames[i] = c->frames[count - n + i];
	set_count(c, count - (uint32_t)n);
	lock_release(&c->lock);
	return n;
}

void frame_cache_fill(struct frame_cache *c, const uint32_t *frames, size_t n)
{
	uint32_t count;

	lock_acquire(&c->lock);
	count = frame_cache_count(c);
	ASSERT_INVARIANT(count + n <= FRAME_CACHE_SIZE);
	for (size_t i = 0; i < n; i++)
		c->frames[count + i] = frames[i];
	set_count(c, count + (uint32_t)n);
	lock_release(&c->lock);
}

size_t frame_cache_spill(struct frame_cache *c, uint32_t *frames)
{
	size_t n = 0;
	uint32_t count;

	lock_acquire(&c->lock);
	for (count = frame_cache_count(c); count > FRAME_CACHE_SIZE / 2; count--)
		frames[n++] = c->frames[count - 1];
	set_count(c, count);
	lock_release(&c->lock);
	return n;
}
