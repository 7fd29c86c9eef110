/* SPDX-License-Identifier: MIT */
/* What start-up and the frame allocator need of the heap, beside core/memory.h. */
#ifndef LIBOS_HEAP_H
#define LIBOS_HEAP_H

#include <stddef.h>
#include <stdint.h>
#include "core/page_runs.h"

void heap_init(void);
/* Free pages give their frames back, a bounded number of them; returns how many. */
size_t heap_trim(void);
/* What is taken of the heap, and how many frames it has, in use or not.  Exact while nobody allocates. */
uint64_t heap_usage(struct page_usage *usage);
/* What this CPU has kept of freed blocks is free for all.  No lock held. */
void heap_give_back(void);
/* Bytes of a block of this class; 0: there is no such class. */
size_t heap_class_size(unsigned class);

#endif
