/* SPDX-License-Identifier: MIT */
/* What only the debug build does: in the others these are nothing, and their files are not compiled. */
#ifndef EXO_DEBUG_DEBUG_H
#define EXO_DEBUG_DEBUG_H

#include <stdint.h>
#include "invariant.h"

/* entry_time.c, poison.c */
void entry_begins(uint64_t vector);
void entry_ends(void);
void frame_poison(uint64_t frame);

/* This CPU has entered the kernel, or has something to do again after it was idle.  `vector` is that
 * of the entry, for the report. */
static inline void debug_entry_begins(uint64_t vector)
{
	if (EXO_DEBUG)
		entry_begins(vector);
}

/* It leaves the kernel, or is idle. */
static inline void debug_entry_ends(void)
{
	if (EXO_DEBUG)
		entry_ends();
}

/* An object's frame is about to be given back: whoever still reads it finds no pointer in it. */
static inline void debug_poison(uint64_t frame)
{
	if (EXO_DEBUG)
		frame_poison(frame);
}

#endif
