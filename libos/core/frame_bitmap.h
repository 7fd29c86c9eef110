/* SPDX-License-Identifier: MIT */
/*
 * One bit per frame number, set = free.  Pure: the caller locks, and the host tests it.
 *
 *	words[]  ...1111 0010 0000 1111...
 *	                 ^ hint: no set bit in any word before it
 *
 * A bitmap, because free frames are mapped nowhere and so cannot hold a list of themselves.
 */
#ifndef LIBOS_FRAME_BITMAP_H
#define LIBOS_FRAME_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_bitmap {
	uint64_t *words;
	size_t word_count;
	size_t hint;
	uint64_t free;
};

void frame_bitmap_init(struct frame_bitmap *b, uint64_t *words, size_t word_count);
/* Take up to max frames in rising order; returns how many. */
size_t frame_bitmap_take(struct frame_bitmap *b, uint32_t *frames, size_t max);
/* Take the first run of max frames in a row, or if there is none the longest one; returns its length,
 * 0 when no frame is free. */
uint64_t frame_bitmap_take_run(struct frame_bitmap *b, uint64_t max, uint64_t *first);
/* Put one back; false if it was free already or is out of range. */
bool frame_bitmap_put(struct frame_bitmap *b, uint64_t frame);
/* Takes those out of `count` frames from `first` on (a multiple of 64) that are gone; returns how many. */
size_t frame_bitmap_forget(struct frame_bitmap *b, uint64_t first, size_t count,
			   bool (*gone)(uint64_t frame));
void frame_bitmap_put_range(struct frame_bitmap *b, uint64_t first, uint64_t count);

#endif
