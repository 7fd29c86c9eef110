/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: a small cache on each CPU over one bitmap.
 *
 *	frame_alloc / frame_free -> cache of this CPU (masked, no lock)
 *	                              | empty, full: half of it at once
 *	                            bitmap (RANK_FRAMES)
 *	frames_retire -> batches that wait for their epoch -> bitmap
 */
#include <exo/abi.h>
#include <stdatomic.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frame_bitmap.h"
#include "core/frames.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/vcore.h"

#define CACHE_FRAMES 64
#define BATCH_FRAMES 60
#define BATCHES 128

/* The bitmap stands at the start of the dynamic region, the heap after it (heap.c). */
#define BITMAP_BASE EXO_DYNAMIC_BASE

/* Used by its own CPU only, masked. */
struct frame_cache {
	uint32_t count;
	uint32_t frames[CACHE_FRAMES];
} __attribute__((aligned(64)));

/* Frames whose last mapping is gone, but maybe not from every TLB. */
struct batch {
	struct batch *next;
	exo_handle space;
	uint64_t epoch;
	uint32_t count;
	uint32_t frames[BATCH_FRAMES];
};

static struct frame_cache caches[EXO_CPUS_MAX];

static struct lock frames_lock = LOCK_INIT("frames", RANK_FRAMES);
/* Under frames_lock. */
static struct frame_bitmap bitmap;
static struct batch batches[BATCHES], *batch_free, *retired_first, **retired_last = &retired_first;
static uint64_t retired_count;

/* Written once at start-up. */
static uint64_t total;

static void put_back(uint64_t frame)
{
	bool ok = frame_bitmap_put(&bitmap, frame);

	if (!ok)
		libos_panic("frame %lx was freed twice", frame);
}

/* A space that no longer exists is loaded on no CPU, so no TLB holds anything of it. */
static bool epoch_passed(exo_handle space, uint64_t epoch)
{
	return epoch == 0 || exo_tlb_poll(space, epoch, 0) != 0;
}

/* Moves batches whose epoch has passed to the bitmap; under frames_lock. */
static void reap_retired(void)
{
	while (retired_first && epoch_passed(retired_first->space, retired_first->epoch)) {
		struct batch *b = retired_first;

		for (uint32_t i = 0; i < b->count; i++)
			put_back(b->frames[i]);
		retired_count -= b->count;
		retired_first = b->next;
		if (!retired_first)
			retired_last = &retired_first;
		b->next = batch_free;
		batch_free = b;
	}
}

/*
 * An empty cache.  Frames on their way back are waited for: else memory would seem to be exhausted
 * while most of it is free.  As in batch_take() waiting ends, masked or not; here it holds no lock.
 */
static void refill(struct frame_cache *c)
{
	bool more;

	do {
		lock_acquire(&frames_lock);
		if (retired_first)
			reap_retired();
		c->count = (uint32_t)frame_bitmap_take(&bitmap, c->frames, CACHE_FRAMES / 2);
		more = retired_first != NULL;
		lock_release(&frames_lock);
		if (c->count == 0)
			__builtin_ia32_pause();
	} while (c->count == 0 && more);
}

uint64_t frame_take(void)
{
	uint64_t frame = 0;

	upcalls_mask();
	struct frame_cache *c = &caches[this_vcore()->cpu];

	if (c->count == 0)
		refill(c);
	if (c->count > 0)
		frame = c->frames[--c->count];
	upcalls_unmask();
	return frame;
}

void frame_free(uint64_t frame)
{
	ASSERT_INVARIANT(frame != 0 && frame_maps(frame) == 0); /* I9, I10 */
	upcalls_mask();
	struct frame_cache *c = &caches[this_vcore()->cpu];

	if (c->count == CACHE_FRAMES) {
		lock_acquire(&frames_lock);
		while (c->count > CACHE_FRAMES / 2)
			put_back(c->frames[--c->count]);
		lock_release(&frames_lock);
	}
	c->frames[c->count++] = (uint32_t)frame;
	upcalls_unmask();
}

/* An empty batch; under frames_lock.  Waiting for the oldest cannot deadlock: acknowledging an
 * epoch is the kernel's work on each CPU, done on an IPI even where upcalls are masked. */
static struct batch *batch_take(void)
{
	reap_retired();
	while (!batch_free)
		reap_retired();
	struct batch *b = batch_free;

	batch_free = b->next;
	return b;
}

void frames_retire(exo_handle space, uint64_t epoch, const uint64_t *frames, size_t n)
{
	if (n == 0)
		return;
	if (epoch_passed(space, epoch)) {
		for (size_t i = 0; i < n; i++)
			frame_free(frames[i]);
		return;
	}
	lock_acquire(&frames_lock);
	while (n > 0) {
		struct batch *b = batch_take();

		*b = (struct batch){ .space = space, .epoch = epoch };
		for (; b->count < BATCH_FRAMES && n > 0; n--)
			b->frames[b->count++] = (uint32_t)*frames++;
		retired_count += b->count;
		*retired_last = b;
		retired_last = &b->next;
	}
	lock_release(&frames_lock);
}

/* Not exact while others allocate; for statistics and limits. */
uint64_t frames_free_count(void)
{
	uint64_t n = bitmap.free + retired_count;

	for (int i = 0; i < EXO_CPUS_MAX; i++)
		n += caches[i].count;
	return n;
}

uint64_t frames_total_count(void)
{
	return total;
}

int shared_update(const struct exo_op *ops, size_t count)
{
	uint64_t freed[32];
	struct exo_update u = {
		.ops = (uint64_t)ops, .op_count = (uint32_t)count,
		.freed = (uint64_t)freed, .freed_max = 32,
	};
	exo_handle shared = EXO_HANDLE(EXO_SLOT_SHARED);
	uint64_t epoch = 0;

	for (;;) {
		u.freed_count = 0;
		int64_t r = exo_update(shared, &u);

		frames_retire(shared, u.epoch, freed, u.freed_count);
		if (u.epoch > epoch)
			epoch = u.epoch;
		if (r == 0)
			break;
		if (r == 1)
			continue;
		if (r != -ENOMEM)
			return (int)r;
		uint64_t table = frame_take();

		if (!table)
			return -ENOMEM;
		r = exo_space_feed(shared, &table, 1);
		if (r < 0) {
			frame_free(table);
			return (int)r;
		}
	}
	/* What was taken away may be mapped to other frames next, and no CPU may still see the old
	 * ones then.  As in batch_take(), masked or not, waiting ends. */
	while (!epoch_passed(shared, epoch))
		__builtin_ia32_pause();
	return 0;
}

/* Maps the bitmap's own pages with the first frames of the first ranges. */
static uint64_t map_bitmap(const struct exo_info *info, size_t pages, struct exo_range *left)
{
	uint64_t va = BITMAP_BASE, end = va + pages * EXO_PAGE_SIZE, used = 0;
	exo_handle shared = EXO_HANDLE(EXO_SLOT_SHARED);
	uint32_t i = 0;

	*left = info->ranges[0];
	while (va < end) {
		while (left->count == 0 && ++i < info->range_count)
			*left = info->ranges[i];
		if (left->count == 0)
			libos_panic("not enough memory for the bitmap of free frames");
		struct exo_op op = { .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE,
				     .count = 1, .va = va, .frame = left->first };
		struct exo_update u = { .ops = (uint64_t)&op, .op_count = 1 };
		uint64_t frame = left->first;
		int64_t r = exo_update(shared, &u);

		if (r == -ENOMEM)
			r = exo_space_feed(shared, &frame, 1);
		else
			va += EXO_PAGE_SIZE;
		if (r < 0)
			libos_panic("cannot map the bitmap of free frames: error %ld", (long)r);
		left->first++;
		left->count--;
		used++;
	}
	return i;
}

void frames_init(const struct exo_info *info)
{
	size_t words = (info->frame_end + 63) / 64;
	size_t pages = (words * 8 + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	struct exo_range rest;
	uint64_t at = map_bitmap(info, pages, &rest);

	frame_bitmap_init(&bitmap, (uint64_t *)BITMAP_BASE, words);
	for (uint64_t i = at; i < info->range_count; i++) {
		const struct exo_range *r = i == at ? &rest : &info->ranges[i];

		frame_bitmap_put_range(&bitmap, r->first, r->count);
	}
	total = bitmap.free;
	for (int i = 0; i < BATCHES; i++) {
		batches[i].next = batch_free;
		batch_free = &batches[i];
	}
}
