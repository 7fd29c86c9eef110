/* SPDX-License-Identifier: MIT */
/* How descriptors lie in their table, for the two files that know: fs/descriptor_table.c describes it. */
#ifndef LIBOS_DESCRIPTOR_TABLE_H
#define LIBOS_DESCRIPTOR_TABLE_H

#include "fs/descriptor.h"

/* Of the bits for so many descriptors. */
static inline unsigned words_of(unsigned capacity)
{
	return (capacity + 63) / 64;
}

static inline void set_bit(uint64_t *bits, unsigned n, bool value)
{
	if (value)
		bits[n / 64] |= 1ul << n % 64;
	else
		bits[n / 64] &= ~(1ul << n % 64);
}

static inline bool get_bit(const uint64_t *bits, unsigned n)
{
	return bits[n / 64] >> n % 64 & 1;
}

/* Under the lock: the first open descriptor from `fd` on; the capacity, or more, if there is none. */
static inline unsigned next_open(const struct file_table *t, unsigned fd)
{
	while (fd < t->capacity) {
		uint64_t bits = t->open[fd / 64] >> fd % 64;

		if (bits)
			return fd + (unsigned)__builtin_ctzl(bits);
		fd = (fd | 63) + 1;
	}
	return fd;
}

/* Under the lock: room for so many descriptors, a power of two.  False: out of memory. */
bool file_table_grow(struct file_table *t, unsigned capacity);
/* Nobody has it any more, and nothing is in it. */
void file_table_free(struct file_table *t);

#endif
