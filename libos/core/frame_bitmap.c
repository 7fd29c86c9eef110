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

/* How many frames in a row are free from `frame` on, up to max. */
static uint64_t run_length(const struct frame_bitmap *b, uint64_t frame, uint64_t max)
{
	uint64_t n = 0;

	while (n < max && (frame + n) / 64 < b->word_count) {
		uint64_t at = frame + n, taken = ~b->words[at / 64] >> (at % 64);
		uint64_t more = taken ? (uint64_t)__builtin_ctzl(taken) : 64 - at % 64;

		n += more;
		if (taken)
			break;
	}
	return n < max ? n : max;
}

uint64_t frame_bitmap_take_run(struct frame_bitmap *b, uint64_t max, uint64_t *first)
{
	uint64_t longest = 0, end = b->word_count * 64ul, length;

	for (uint64_t frame = b->hint * 64ul; frame < end && longest < max; frame += length) {
		uint64_t rest = b->words[frame / 64] >> (frame % 64);

		if (!(rest & 1)) { /* to the next free one, or the next word */
			length = rest ? (uint64_t)__builtin_ctzl(rest) : 64 - frame % 64;
			continue;
		}
		length = run_length(b, frame, max);
		if (length > longest) {
			longest = length;
			*first = frame;
		}
	}
	for (uint64_t i = 0; i < longest; i++)
		b->words[(*first + i) / 64] &= ~(1ul << ((*first + i) % 64));
	b->free -= longest;
	return longest;
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

size_t frame_bitmap_forget(struct frame_bitmap *b, uint64_t first, size_t count,
			   bool (*gone)(uint64_t frame))
{
	size_t n = 0;

	for (size_t w = first / 64; w < b->word_count && w < (first + count) / 64; w++) {
		for (uint64_t bits = b->words[w]; bits; bits &= bits - 1) {
			if (!gone(w * 64 + (uint64_t)__builtin_ctzl(bits)))
				continue;
			b->words[w] &= ~(bits & -bits);
			n++;
		}
	}
	b->free -= n;
	return n;
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
