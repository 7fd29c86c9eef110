/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: a small cache on each CPU over one bitmap.
 *
 *	frame_alloc / frame_free -> cache of this CPU
 *	                              | empty, full: half of it at once
 *	                            bitmap
 *	frames_retire -> batches that wait for their epoch -> bitmap
 *
 * When the bitmap is empty, what other CPUs have in their caches is taken one by one, and epochs are
 * waited for: so frame_take() fails only if there is no free frame anywhere.
 *
 * Frames can be taken from a domain that was made by another, free ones too (frames_at_risk).  From the
 * first time that this is announced on, whoever takes or frees one looks whether it is still ours.
 */
#include <exo/abi.h>
#include <stdatomic.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frame_bitmap.h"
#include "core/frame_cache.h"
#include "core/frame_retired.h"
#include "core/frames.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/region_map.h"
#include "core/vcore.h"
#include "debug/inject.h"

#define FEW_FRAMES 256u /* 1 MiB, beside what is in caches */
#define FORGET_FRAMES 4096u /* looked at under the lock */

static struct frame_cache caches[EXO_CPUS_MAX] = {
	[0 ... EXO_CPUS_MAX - 1] = FRAME_CACHE_INIT,
};

static struct lock pool_lock = LOCK_INIT("free frames", RANK_FRAMES);
/* Under pool_lock. */
static struct frame_bitmap bitmap;
static struct retired_frames retired;

/* Written once at start-up: free then, when the domain had `told` frames in all. */
static uint64_t total, told;

_Atomic bool frames_at_risk;

/*
 * Free frames on their way between the bitmap and a cache are in neither.  Any CPU: how many are at that (the
 * lower half, each of them masked), and how often some have arrived.
 */
static _Atomic uint64_t moves;

#define MOVES_ARRIVED (1ul << 32)

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

static bool is_lost(uint64_t frame)
{
	const volatile struct exo_frame_info *f =
		&((const volatile struct exo_frame_info *)EXO_FRAMES_BASE)[frame];

	return f->owner != machine()->domain_id || f->type != EXO_FRAME_USER;
}

static bool may_be_lost(uint64_t frame)
{
	return atomic_load_explicit(&frames_at_risk, memory_order_relaxed) && is_lost(frame);
}

static void put_back(uint64_t frame)
{
	bool ok = may_be_lost(frame) || frame_bitmap_put(&bitmap, frame);

	if (!ok)
		libos_panic("frame %lx was freed twice", frame);
}

/* A space that no longer exists has no epoch that has not passed: the kernel does not let it go
 * before (begin() in exo/space_destroy.c). */
bool frames_epoch_passed(exo_handle space, uint64_t epoch)
{
	return epoch == 0 || exo_tlb_poll(space, epoch, 0) != 0;
}

static void move_begins(void)
{
	atomic_fetch_add(&moves, 1);
}

static void move_ends(bool some)
{
	atomic_fetch_add(&moves, (some ? MOVES_ARRIVED : 0) - 1);
}

/* Up to `most` frames out of the bitmap.  *waiting: more will come when an epoch has passed. */
static size_t pool_take(uint32_t *frames, size_t most, bool *waiting)
{
	size_t n;

	lock_acquire(&pool_lock);
	retired_reap(&retired, frames_epoch_passed, put_back);
	n = frame_bitmap_take(&bitmap, frames, most);
	*waiting = retired.count > 0;
	lock_release(&pool_lock);
	return n;
}

/*
 * This CPU's cache and the bitmap were empty.
 *
 * Why no free frame is overlooked: what was free all the time was where we looked, or on its way.  If none
 * is on its way before, and none has arrived since, then none moved behind our back: who begins in between
 * has `moves` changed, or takes from the bitmap after we have looked.  Waiting for a move ends as
 * waiting for a lock does.
 *
 * Waiting for an epoch cannot deadlock, masked or not: acknowledging is the kernel's work on each
 * CPU, done on an interrupt that has been sent already.
 */
static uint64_t take_anywhere(void)
{
	uint64_t before;
	uint32_t one;
	bool waiting;

	do {
		before = atomic_load(&moves);
		for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
			uint64_t frame = frame_cache_take(&caches[cpu]);

			if (frame)
				return frame;
		}
		if (pool_take(&one, 1, &waiting))
			return one;
		if (waiting)
			__builtin_ia32_pause();
	} while (waiting || before % MOVES_ARRIVED != 0 || atomic_load(&moves) != before);
	return 0;
}

static uint64_t take(void)
{
	uint32_t some[FRAME_CACHE_SIZE / 2];
	bool waiting;

	upcalls_mask();
	struct frame_cache *own = &caches[this_vcore()->cpu];
	uint64_t frame = frame_cache_take(own);

	if (!frame) {
		move_begins();
		size_t n = pool_take(some, FRAME_CACHE_SIZE / 2, &waiting);

		if (n > 0) {
			frame = some[--n];
			frame_cache_fill(own, some, n);
		}
		move_ends(n > 0);
		if (!frame)
			frame = take_anywhere();
	}
	upcalls_unmask();
	return frame;
}

uint64_t frame_take(void)
{
	uint64_t frame;

	if (fault_injected(FAULT_FRAME))
		return 0;
	do
		frame = take();
	while (frame && may_be_lost(frame));
	return frame;
}

/* Out of this CPU's cache. */
static size_t cached_take(uint64_t *frames, size_t wanted)
{
	size_t n;

	upcalls_mask();
	n = frame_cache_take_some(&caches[this_vcore()->cpu], frames, wanted);
	upcalls_unmask();
	return n;
}

size_t frames_take(uint64_t *frames, size_t wanted)
{
	size_t n = 0, sound = 0;

	while (n < wanted && !fault_injected(FAULT_FRAME)) {
		size_t some = cached_take(&frames[n], wanted - n);
		uint64_t one = some > 0 ? 0 : take(); /* and the cache is filled */

		if (one)
			some = cached_take(&frames[n], wanted - n - 1);
		else if (some == 0)
			break;
		if (one)
			frames[n + some++] = one;
		n += some;
	}
	for (size_t i = 0; i < n; i++)
		if (!may_be_lost(frames[i]))
			frames[sound++] = frames[i];
	return sound;
}

/* How many of them there was room for in this CPU's cache: only we fill it, so the room can only grow. */
static size_t cached_free(const uint64_t *frames, size_t n)
{
	uint32_t sound[FRAME_CACHE_SIZE], count = 0, room;
	size_t done = 0;

	upcalls_mask();
	struct frame_cache *own = &caches[this_vcore()->cpu];

	room = FRAME_CACHE_SIZE - frame_cache_count(own);
	for (; done < n && count < room; done++) {
		if (may_be_lost(frames[done]))
			continue;
		ASSERT_INVARIANT(frame_maps(frames[done]) == 0); /* I9, I10 */
		sound[count++] = (uint32_t)frames[done];
	}
	frame_cache_fill(own, sound, count);
	upcalls_unmask();
	return done;
}

void frame_free(uint64_t frame)
{
	uint32_t some[FRAME_CACHE_SIZE / 2], one = (uint32_t)frame;

	if (may_be_lost(frame))
		return;
	ASSERT_INVARIANT(frame != 0 && frame_maps(frame) == 0); /* I9, I10 */
	upcalls_mask();
	struct frame_cache *own = &caches[this_vcore()->cpu];

	if (frame_cache_count(own) == FRAME_CACHE_SIZE) {
		move_begins();
		size_t n = frame_cache_spill(own, some);

		lock_acquire(&pool_lock);
		while (n > 0)
			put_back(some[--n]);
		lock_release(&pool_lock);
		move_ends(true);
	}
	frame_cache_fill(own, &one, 1);
	upcalls_unmask();
}

/* If every batch is in use, waits until one is not: take_anywhere() says why that ends. */
void frames_retire(exo_handle space, uint64_t epoch, const uint64_t *frames, size_t n)
{
	size_t taken;

	if (n == 0)
		return;
	if (frames_epoch_passed(space, epoch)) {
		for (size_t i = 0; i < n; i++) {
			i += cached_free(&frames[i], n - i);
			if (i < n)
				frame_free(frames[i]); /* and half of the cache is */
		}
		return;
	}
	while (n > 0) {
		lock_acquire(&pool_lock);
		taken = retired_put(&retired, space, epoch, frames, n);
		if (taken == 0)
			retired_reap(&retired, frames_epoch_passed, put_back);
		lock_release(&pool_lock);
		frames += taken;
		n -= taken;
	}
}

uint64_t frames_take_run(uint64_t max, uint64_t *first)
{
	uint64_t n;

	lock_acquire(&pool_lock);
	retired_reap(&retired, frames_epoch_passed, put_back);
	n = frame_bitmap_take_run(&bitmap, max, first);
	lock_release(&pool_lock);
	return n;
}

void frames_put_run(uint64_t first, uint64_t count)
{
	lock_acquire(&pool_lock);
	for (uint64_t i = 0; i < count; i++)
		put_back(first + i);
	lock_release(&pool_lock);
}

void frames_gather(void)
{
	for (unsigned cpu = 0; cpu < vcore_count;) {
		uint64_t frame;

		upcalls_mask();
		move_begins();
		frame = frame_cache_take(&caches[cpu]);
		if (frame)
			frames_put_run(frame, 1);
		else
			cpu++;
		move_ends(frame);
		upcalls_unmask();
	}
}

uint64_t frames_forget_lost(void)
{
	uint64_t lost = 0, end = bitmap.word_count * 64ul;

	frames_gather();
	for (uint64_t first = 0; first < end; first += FORGET_FRAMES) {
		lock_acquire(&pool_lock);
		if (first == 0)
			lost += retired_forget(&retired, is_lost);
		lost += frame_bitmap_forget(&bitmap, first, FORGET_FRAMES, is_lost);
		lock_release(&pool_lock);
	}
	return lost;
}

uint64_t frames_add(uint64_t first, uint64_t count)
{
	uint64_t added = 0;

	if (first >= machine()->frame_end || count > machine()->frame_end - first)
		return 0;
	for (uint64_t frame = first; frame < first + count; frame++) {
		if (is_lost(frame) || frame_maps(frame) != 0)
			continue;
		lock_acquire(&pool_lock);
		added += frame_bitmap_put(&bitmap, frame);
		lock_release(&pool_lock);
	}
	return added;
}

/* Not exact while others allocate; for statistics and limits. */
uint64_t frames_free_count(void)
{
	uint64_t n = bitmap.free + retired.count;

	for (int i = 0; i < EXO_CPUS_MAX; i++)
		n += frame_cache_count(&caches[i]);
	return n;
}

/* One look, which may be a little late. */
bool frames_are_few(void)
{
	return *(volatile uint64_t *)&bitmap.free < FEW_FRAMES;
}

/* Whoever has made the domain says how much memory it has now. */
uint64_t frames_total_count(void)
{
	return total + *(const volatile uint64_t *)&machine()->ram_frames - told;
}

void frames_init(const struct exo_info *info)
{
	size_t words = (info->frame_end + 63) / 64;
	size_t pages = (words * 8 + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	struct exo_range rest;
	uint64_t at = frame_bitmap_map(info, BITMAP_BASE, pages, &rest);

	frame_bitmap_init(&bitmap, (uint64_t *)BITMAP_BASE, words);
	for (uint64_t i = at; i < info->range_count; i++) {
		const struct exo_range *r = i == at ? &rest : &info->ranges[i];

		frame_bitmap_put_range(&bitmap, r->first, r->count);
	}
	total = bitmap.free;
	told = info->ram_frames;
	retired_init(&retired);
}
