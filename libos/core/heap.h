/* SPDX-License-Identifier: MIT */
/* What start-up and the frame allocator need of the heap, beside core/memory.h. */
#ifndef LIBOS_HEAP_H
#define LIBOS_HEAP_H

#include <stddef.h>

void heap_init(void);
/* Free pages give their frames back, a bounded number of them; returns how many. */
size_t heap_trim(void);

#endif
