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
	uint64_t address;
	uint32_t name;			/* offset into symbol_names */
	uint32_t padding;
};

extern const struct symbol symbol_table[];	/* ascending by address */
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
	size_t low = 0, high = symbol_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbol_table[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*offset = address - symbol_table[low - 1].address;
	return symbol_names + symbol_table[low - 1].name;
}

#endif
