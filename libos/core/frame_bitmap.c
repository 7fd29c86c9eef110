/* SPDX-License-Identifier: MIT */
/* The set of free frames: see frame_bitmap.h. */
#include "core/frame_bitmap.h"

void frame_bitmap_init(struct frame_bitmap *b, uint64_t *words, size_t word_count)
{
	b->words = words;
	b->word_count = word_count;
	b->hint = word_count;
	b->free = 0;
	for (size_t i = 0; i < word_count; i++)
		words[i] = 0;
}

size_t frame_bitmap_take(struct frame_bitmap *b, uint32_t *frames, size_t max)
{
	size_t n = 0, w = b->hint;

	for (; n < max && w < b->word_count; w++) {
		uint64_t bits = b->words[w];

		while (bits && n < max) {
			frames[n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzl(bits));
			bits &= bits - 1;
		}
		b->words[w] = bits;
		if (bits)
			break;
	}
	b->hint = w;
	b->free -= n;
	return n;
}

bool frame_bitmap_put(struct frame_bitmap *b, uint64_t frame)
{
	size_t w = frame / 64;
	uint64_t bit = 1ul << (frame % 64);

	if (w >= b->word_count || b->words[w] & bit)
		return false;
	b->words[w] |= bit;
	b->free++;
	if (w < b->hint)
		b->hint = w;
	return true;
}

void frame_bitmap_put_range(struct frame_bitmap *b, uint64_t first, uint64_t count)
{
	while (count > 0) {
		if (first % 64 == 0 && count >= 64 && first / 64 < b->word_count) {
			b->free += 64 - (uint64_t)__builtin_popcountl(b->words[first / 64]);
			b->words[first / 64] = ~0ul;
			if (first / 64 < b->hint)
				b->hint = first / 64;
			first += 64;
			count -= 64;
		} else {
			frame_bitmap_put(b, first++);
			count--;
		}
	}
}
