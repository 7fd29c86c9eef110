/* SPDX-License-Identifier: MIT */
/* Names as words: hashed and compared eight bytes at a time, never read beyond their end.  Pure. */
#ifndef LIBOS_NAME_WORDS_H
#define LIBOS_NAME_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_HASH_ODD 0x9e3779b97f4a7c15ul

/* The last 1 to 7 bytes of a name as a number: other bytes, another number; of one length.  Some are in it
 * twice. */
static inline uint64_t name_tail(const char *name, size_t length)
{
	uint32_t first, last;
	uint16_t two, last_two;

	if (length >= 4) {
		__builtin_memcpy(&first, name, 4);
		__builtin_memcpy(&last, name + length - 4, 4);
		return first | (uint64_t)last << 32;
	}
	if (length == 1)
		return (uint8_t)*name;
	__builtin_memcpy(&two, name, 2);
	__builtin_memcpy(&last_two, name + length - 2, 2);
	return two | (uint32_t)last_two << 16;
}

/* The product's high half is folded in, since the low bits choose a slot and must depend on all. */
static inline uint64_t name_hash(uint64_t seed, const char *name, size_t length)
{
	uint64_t h = seed, word;

	for (; length >= 8; name += 8, length -= 8) {
		__builtin_memcpy(&word, name, 8);
		h = (h ^ word) * NAME_HASH_ODD;
		h ^= h >> 32;
	}
	h = (h ^ (length ? name_tail(name, length) : 0)) * NAME_HASH_ODD;
	return h ^ h >> 32;
}

static inline bool name_is_same(const char *name, const char *other, size_t length)
{
	uint64_t a, b;

	for (; length >= 8; name += 8, other += 8, length -= 8) {
		__builtin_memcpy(&a, name, 8);
		__builtin_memcpy(&b, other, 8);
		if (a != b)
			return false;
	}
	return length == 0 || name_tail(name, length) == name_tail(other, length);
}

#endif
