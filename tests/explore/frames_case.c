/* SPDX-License-Identifier: MIT */
/* libos/core/frames.c, libos/core/frame_bitmap.c, libos/core/frame_cache.c, libos/core/frame_retired.c: who
 * wants a frame gets one as long as there is a free one, also if that is on its way between the bitmap and a
 * CPU's cache
 */
#include <string.h>
#include "explore.h"
#include "../../libos/core/frames.c"

#define CPUS 2
#define FRAMES 3 /* 1, 2 and 3 */

struct vcore_area vcore_areas[EXO_CPUS_MAX];
unsigned vcore_count = CPUS;

static uint64_t words[1];
static uint64_t taken[CPUS]; /* a bit for each frame that it has got */
static int looks[CPUS];      /* into the bitmap, for the frame that it wants now */

/* ---------------------------------------------------------------- what the code under test calls */

void upcalls_mask(void)
{
	vcore_of(explore_self())->mask_depth++;
}

void upcalls_unmask(void)
{
	vcore_of(explore_self())->mask_depth--;
}

static bool lock_is_free(void *l)
{
	return ((struct lock *)l)->holder == 0;
}

static bool nothing_moves(void *unused)
{
	return moves % MOVES_ARRIVED == 0;
}

/* Who has found nothing anywhere looks again while something moves, and would never let that go on. */
void lock_take(struct lock *l)
{
	uint8_t free = 0;

	upcalls_mask();
	if (explore_self() < CPUS && l == &pool_lock && ++looks[explore_self()] > 2)
		explore_wait(nothing_moves, NULL, "looks again");
	while (!atomic_compare_exchange_strong(&l->holder, &free, 1)) {
		explore_wait(lock_is_free, l, "waits for the lock");
		free = 0;
	}
}

void lock_drop(struct lock *l)
{
	atomic_store_explicit(&l->holder, 0, memory_order_release);
	upcalls_unmask();
}

/* Setup fills the bitmap itself. */
uint64_t frame_bitmap_map(const struct exo_info *info, uint64_t va, size_t pages, struct exo_range *left)
{
	return 0;
}

_Noreturn void libos_panic(const char *why, ...)
{
	explore_fail("%s", why);
}

/* ---------------------------------------------------------------- the cases */

static void setup(void)
{
	memset(taken, 0, sizeof(taken));
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		memset(vcore_of(cpu), 0, sizeof(*vcore_of(cpu)));
		vcore_of(cpu)->cpu = (int16_t)cpu;
		caches[cpu].lock.holder = 0;
		atomic_store(&caches[cpu].count, 0);
	}
	pool_lock.holder = 0;
	moves = 0;
	frame_bitmap_init(&bitmap, words, 1);
	frame_bitmap_put_range(&bitmap, 1, FRAMES);
	retired_init(&retired);
	explore_name(caches, sizeof(caches[0]) * CPUS, "caches");
	explore_name(&bitmap, sizeof(bitmap), "bitmap");
	explore_name(words, sizeof(words), "words");
	explore_name(&retired, sizeof(retired), "retired");
	explore_name(&frames_at_risk, sizeof(frames_at_risk), "frames_at_risk");
	explore_name(&moves, sizeof(moves), "moves");
	explore_name(&pool_lock, sizeof(pool_lock), "pool_lock");
}

static void take_one(unsigned cpu)
{
	uint64_t frame;

	looks[cpu] = 0;
	frame = frame_take();
	EXPLORE_CHECK(frame != 0 && !(taken[cpu] >> frame & 1));
	taken[cpu] |= 1ul << frame;
}

/* The first to come takes all there are into its cache. */
static void each_takes(unsigned cpu)
{
	take_one(cpu);
}

static void all_are_different(void)
{
	EXPLORE_CHECK(!(taken[0] & taken[1]) && frames_free_count() == FRAMES - 2);
}

/* The last that is free is in CPU 0's cache. */
static void setup_cached(void)
{
	uint32_t all[FRAMES];

	setup();
	EXPLORE_CHECK(frame_bitmap_take(&bitmap, all, FRAMES) == FRAMES);
	frame_cache_fill(&caches[0], all, 1);
}

static void one_gathers(unsigned cpu)
{
	if (cpu == 0) {
		looks[cpu] = -FRAMES; /* it looks for none */
		frames_gather();
	} else {
		take_one(cpu);
	}
}

static void one_is_gone(void)
{
	EXPLORE_CHECK(taken[1] && frames_free_count() == 0);
}

/* All are in CPU 0's cache. */
static void setup_full(void)
{
	uint32_t all[FRAMES];

	setup();
	EXPLORE_CHECK(frame_bitmap_take(&bitmap, all, FRAMES) == FRAMES);
	frame_cache_fill(&caches[0], all, FRAMES);
}

/* Several are taken, and given back, at once; the other takes one of the same cache. */
static void one_takes_two(unsigned cpu)
{
	uint64_t two[2];

	if (cpu == 1) {
		take_one(cpu);
		return;
	}
	looks[cpu] = 0;
	EXPLORE_CHECK(frames_take(two, 2) == 2 && two[0] != two[1]);
	frames_retire(0, 0, two, 2);
}

/* Had both had one of them, all would be free. */
static void two_are_back(void)
{
	EXPLORE_CHECK(taken[1] && frames_free_count() == FRAMES - 1);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "who_wants_a_frame_gets_one", CPUS, 2, 1, setup, each_takes, all_are_different, NULL },
		{ "frames_that_are_gathered_are_found", CPUS, 2, 1, setup_cached, one_gathers,
		  one_is_gone, NULL },
		{ "several_are_taken_and_given_back_at_once", CPUS, 2, 1, setup_full, one_takes_two,
		  two_are_back, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
