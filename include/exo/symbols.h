/* SPDX-License-Identifier: MIT */
/*
 * The image's own function names, for backtraces.  The table is made after a
 * first link by scripts/mksymbols and linked in by a second (mk/compile.mk); the
 * kernel and the libos each have their own.
 */
#ifndef EXO_SYMBOLS_H
#define EXO_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint32_t start;			/* offset from symbol_base: an image is less than 4 GiB */
	uint32_t name;			/* offset into symbol_names */
};

extern const uint64_t symbol_base;		/* the address of the first function */
extern const struct symbol symbol_table[];	/* ascending by start */
extern const uint64_t symbol_count;
extern const char symbol_names[];

/*
 * symbol_name - the function that an address lies in
 *
 * address  any address
 * offset   receives the distance from the function's start
 *
 * Returns the name, or NULL for an address below the first function.  The
 * caller checks the upper bound: the last function has no known end.
 */
static inline const char *symbol_name(uint64_t address, uint64_t *offset)
{
	size_t low = 0, high = address < symbol_base ? 0 : symbol_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbol_table[middle].start <= address - symbol_base)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*offset = address - symbol_base - symbol_table[low - 1].start;
	return symbol_names + symbol_table[low - 1].name;
}

#endif
