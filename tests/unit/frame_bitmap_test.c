/* SPDX-License-Identifier: MIT */
/* libos/core/frame_bitmap.c */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "core/frame_bitmap.h"

#define WORDS 16
#define FRAMES (WORDS * 64)

static uint64_t words[WORDS];
static struct frame_bitmap b;

static void a_new_bitmap_is_empty(void)
{
	uint32_t frame;

	frame_bitmap_init(&b, words, WORDS);
	CHECK_EQ(frame_bitmap_take(&b, &frame, 1), 0);
	CHECK_EQ(b.free, 0);
}

static void frames_come_in_rising_order(void)
{
	uint32_t frames[200];

	frame_bitmap_init(&b, words, WORDS);
	frame_bitmap_put_range(&b, 3, 150);
	CHECK_EQ(b.free, 150);
	CHECK_EQ(frame_bitmap_take(&b, frames, 200), 150);
	for (uint32_t i = 0; i < 150; i++)
		CHECK_EQ(frames[i], 3 + i);
}

static void a_run_is_the_first_that_is_long_enough_or_the_longest(void)
{
	uint64_t first;

	frame_bitmap_init(&b, words, WORDS);
	CHECK_EQ(frame_bitmap_take_run(&b, 10, &first), 0);
	frame_bitmap_put_range(&b, 5, 20);
	frame_bitmap_put_range(&b, 60, 140);
	frame_bitmap_put_range(&b, 1000, 24); /* up to the end of the bitmap */
	CHECK_EQ(frame_bitmap_take_run(&b, 20, &first), 20);
	CHECK_EQ(first, 5);
	CHECK_EQ(frame_bitmap_take_run(&b, 500, &first), 140);
	CHECK_EQ(first, 60);
	CHECK_EQ(frame_bitmap_take_run(&b, 500, &first), 24);
	CHECK_EQ(first, 1000);
	CHECK_EQ(b.free, 0);
	CHECK_EQ(frame_bitmap_take_run(&b, 1, &first), 0);
	frame_bitmap_put_range(&b, 60, 140);
	CHECK_EQ(b.free, 140);
}

static void a_second_put_is_refused(void)
{
	frame_bitmap_init(&b, words, WORDS);
	CHECK(frame_bitmap_put(&b, 77));
	CHECK(!frame_bitmap_put(&b, 77));
	CHECK(!frame_bitmap_put(&b, FRAMES));
	CHECK_EQ(b.free, 1);
}

static bool is_odd(uint64_t frame)
{
	return frame % 2;
}

static void those_that_are_gone_are_forgotten(void)
{
	uint32_t frames[FRAMES];

	frame_bitmap_init(&b, words, WORDS);
	frame_bitmap_put_range(&b, 0, FRAMES);
	CHECK_EQ(frame_bitmap_forget(&b, 64, 128, is_odd), 64);
	CHECK_EQ(b.free, FRAMES - 64);
	CHECK_EQ(frame_bitmap_forget(&b, 64, 128, is_odd), 0);
	CHECK_EQ(frame_bitmap_forget(&b, FRAMES - 64, 4096, is_odd), 32); /* not beyond the end */
	CHECK_EQ(frame_bitmap_take(&b, frames, FRAMES), FRAMES - 96);
	for (unsigned i = 0; i < FRAMES - 96; i++)
		CHECK(!is_odd(frames[i]) || frames[i] < 64 ||
		      (frames[i] >= 192 && frames[i] < FRAMES - 64));
}

static void random_use_matches_a_model(void)
{
	static char model[FRAMES];
	uint64_t model_free = 0;

	srand(1);
	memset(model, 0, sizeof(model));
	frame_bitmap_init(&b, words, WORDS);
	for (int step = 0; step < 20000; step++) {
		if (rand() % 2) {
			uint32_t frame = (uint32_t)rand() % FRAMES;

			CHECK_EQ(frame_bitmap_put(&b, frame), !model[frame]);
			model_free += !model[frame];
			model[frame] = 1;
		} else {
			uint32_t frames[8];
			size_t n = frame_bitmap_take(&b, frames, (size_t)(rand() % 8));

			for (size_t i = 0; i < n; i++) {
				CHECK(model[frames[i]]);
				model[frames[i]] = 0;
			}
			model_free -= n;
		}
		CHECK_EQ(b.free, model_free);
	}
}

int main(void)
{
	RUN(a_new_bitmap_is_empty);
	RUN(frames_come_in_rising_order);
	RUN(a_run_is_the_first_that_is_long_enough_or_the_longest);
	RUN(a_second_put_is_refused);
	RUN(those_that_are_gone_are_forgotten);
	RUN(random_use_matches_a_model);
	return check_result();
}
