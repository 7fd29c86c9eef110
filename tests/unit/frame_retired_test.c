/* SPDX-License-Identifier: MIT */
/* libos/core/frame_retired.c */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "core/frame_retired.h"

#define SPACES 4
#define FRAMES 65536

static struct retired_frames r;
static uint64_t passed_in[SPACES]; /* the last epoch that has passed in each space */
static unsigned asked;
static bool is_back[FRAMES];
static unsigned back;
static struct { exo_handle space; uint64_t epoch; } needs[FRAMES]; /* of the random case */

static bool passed(exo_handle space, uint64_t epoch)
{
	asked++;
	return epoch <= passed_in[space];
}

static void put(uint64_t frame)
{
	CHECK(!is_back[frame]);
	CHECK(needs[frame].epoch <= passed_in[needs[frame].space]);
	is_back[frame] = true;
	back++;
}

static void reset(void)
{
	retired_init(&r);
	memset(passed_in, 0, sizeof(passed_in));
	memset(is_back, 0, sizeof(is_back));
	memset(needs, 0, sizeof(needs));
	asked = back = 0;
}

static void retire_one(exo_handle space, uint64_t epoch, uint64_t frame)
{
	CHECK_EQ(retired_put(&r, space, epoch, &frame, 1), 1);
}

static void reap(void)
{
	retired_reap(&r, passed, put);
}

static void frames_wait_for_their_epoch(void)
{
	reset();
	retire_one(1, 10, 100);
	reap();
	CHECK_EQ(back, 0);
	passed_in[1] = 9;
	reap();
	CHECK_EQ(back, 0);
	passed_in[1] = 10;
	reap();
	CHECK(is_back[100]);
	CHECK_EQ(r.count, 0);
}

static void one_space_does_not_hold_up_another(void)
{
	reset();
	retire_one(1, 10, 100);
	retire_one(2, 11, 101);
	retire_one(3, 12, 102);
	passed_in[2] = 11;
	reap();
	CHECK(is_back[101]);
	CHECK_EQ(r.count, 2);
	/* What is put now comes behind those that stayed. */
	retire_one(2, 13, 103);
	passed_in[3] = 12;
	reap();
	CHECK(is_back[102]);
	passed_in[1] = passed_in[2] = 13;
	reap();
	CHECK_EQ(back, 4);
	CHECK(r.first == NULL && r.last == NULL);
}

static void a_space_that_waits_is_asked_once(void)
{
	uint64_t frames[RETIRED_BATCH_FRAMES];

	reset();
	for (uint64_t b = 0; b < 10; b++) {
		for (uint64_t i = 0; i < RETIRED_BATCH_FRAMES; i++)
			frames[i] = b * RETIRED_BATCH_FRAMES + i;
		CHECK_EQ(retired_put(&r, 1, 10 + b, frames, RETIRED_BATCH_FRAMES),
			 RETIRED_BATCH_FRAMES);
	}
	reap();
	CHECK_EQ(asked, 1);
}

static void single_frames_of_a_space_share_a_batch(void)
{
	reset();
	for (uint64_t i = 0; i < RETIRED_BATCHES * RETIRED_BATCH_FRAMES; i++)
		retire_one(1, 10 + i, i);
	CHECK_EQ(r.count, RETIRED_BATCHES * RETIRED_BATCH_FRAMES);
	/* The batch that the frame of epoch 10 shares passes as a whole. */
	passed_in[1] = 10 + RETIRED_BATCH_FRAMES - 2;
	reap();
	CHECK_EQ(back, 0);
	passed_in[1]++;
	reap();
	CHECK_EQ(back, RETIRED_BATCH_FRAMES);
}

static void a_full_list_takes_nothing(void)
{
	uint64_t frames[RETIRED_BATCH_FRAMES] = { 0 };

	reset();
	for (uint64_t i = 0; i < RETIRED_BATCHES; i++)
		retire_one(1 + i % 2, 10, i);
	CHECK_EQ(retired_put(&r, 3, 10, frames, RETIRED_BATCH_FRAMES), 0);
	passed_in[2] = 10;
	reap();
	CHECK_EQ(back, RETIRED_BATCHES / 2);
	CHECK_EQ(retired_put(&r, 3, 10, frames, RETIRED_BATCH_FRAMES), RETIRED_BATCH_FRAMES);
}

static bool is_odd(uint64_t frame)
{
	return frame % 2;
}

static void those_that_are_gone_do_not_come_back(void)
{
	reset();
	for (unsigned i = 0; i < 10; i++)
		retire_one(1 + i % 3, 10, i);
	CHECK_EQ(retired_forget(&r, is_odd), 5);
	CHECK_EQ(r.count, 5);
	CHECK_EQ(retired_forget(&r, is_odd), 0);
	passed_in[1] = passed_in[2] = passed_in[3] = 10;
	reap();
	CHECK_EQ(back, 5);
	CHECK_EQ(r.count, 0);
}

static void random_use_loses_no_frame(void)
{
	uint64_t epoch = 1, frames[100];
	unsigned given = 0;

	reset();
	srand(1);
	while (given + 100 < FRAMES) {
		exo_handle space = (exo_handle)rand() % SPACES;
		size_t n = (size_t)rand() % 100;

		epoch += (uint64_t)rand() % 3;
		for (size_t i = 0; i < n; i++)
			frames[i] = given + i;
		n = retired_put(&r, space, epoch, frames, n);
		for (size_t i = 0; i < n; i++) {
			needs[given + i].space = space;
			needs[given + i].epoch = epoch;
		}
		given += (unsigned)n;
		if (rand() % 4 == 0)
			passed_in[rand() % SPACES] = epoch - 1;
		if (rand() % 3 == 0 || n == 0)
			reap();
		CHECK_EQ(r.count + back, given);
	}
	for (int s = 0; s < SPACES; s++)
		passed_in[s] = epoch;
	reap();
	CHECK_EQ(back, given);
}

int main(void)
{
	RUN(frames_wait_for_their_epoch);
	RUN(one_space_does_not_hold_up_another);
	RUN(a_space_that_waits_is_asked_once);
	RUN(single_frames_of_a_space_share_a_batch);
	RUN(a_full_list_takes_nothing);
	RUN(those_that_are_gone_do_not_come_back);
	RUN(random_use_loses_no_frame);
	return check_result();
}
