/* SPDX-License-Identifier: MIT */
/*
 * Frames whose last mapping is gone, but maybe not from every TLB: in batches, each with the space
 * and the epoch that has to pass there.  Pure: the caller locks, and the host tests it.
 *
 *	first -> {space 5, epoch 70, frames} -> {space 9, epoch 71, frames} -> NULL
 *
 * Spaces do not wait for each other: the CPU that is late with one of them may have nothing to do
 * with the next.
 */
#ifndef LIBOS_FRAME_RETIRED_H
#define LIBOS_FRAME_RETIRED_H

#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETIRED_BATCHES 128
#define RETIRED_BATCH_FRAMES 60

struct retired_batch {
	struct retired_batch *next;
	exo_handle space;
	uint64_t epoch;
	uint32_t count;
	uint32_t frames[RETIRED_BATCH_FRAMES];
};

struct retired_frames {
	struct retired_batch batches[RETIRED_BATCHES], *unused, *first, *last;
	uint64_t count; /* frames in all of them */
};

void retired_init(struct retired_frames *r);
/* Takes some of the n frames; returns how many, 0 when every batch is in use. */
size_t retired_put(struct retired_frames *r, exo_handle space, uint64_t epoch,
		   const uint64_t *frames, size_t n);
/* Takes out those that are gone; returns how many. */
size_t retired_forget(struct retired_frames *r, bool (*gone)(uint64_t frame));
/* Calls `put` for each frame whose epoch has passed. */
void retired_reap(struct retired_frames *r, bool (*passed)(exo_handle space, uint64_t epoch),
		  void (*put)(uint64_t frame));

#endif
