/* SPDX-License-Identifier: MIT */
/* What heap.c, which cuts pages into blocks, needs of the heap's pages. */
#ifndef LIBOS_HEAP_PAGES_H
#define LIBOS_HEAP_PAGES_H

#include <exo/abi.h>
#include <stdint.h>
#include "core/lock.h"
#include "core/log.h"
#include "core/page_runs.h"
#include "core/region_map.h"

extern struct lock heap_lock;
/* Under heap_lock. */
extern struct page_runs heap_runs;

static inline void *heap_page(uint32_t page)
{
	return (void *)(HEAP_BASE + page * EXO_PAGE_SIZE);
}

/* Of memory of the heap: the table of pages only grows. */
static inline uint32_t heap_page_index(const void *p)
{
	uint64_t offset = (uint64_t)p - HEAP_BASE;

	if ((uint64_t)p < HEAP_BASE || offset / EXO_PAGE_SIZE >= heap_runs.count)
		libos_panic("heap: %p is not a heap address", p);
	return (uint32_t)(offset / EXO_PAGE_SIZE);
}

/* Blocks that CPUs keep for reuse are not in use (heap.c). */
void heap_subtract_kept(struct page_usage *usage);

/* Under heap_lock, like all below: a run of 2^order pages, mapped, not zeroed; RUN_NONE: out of memory. */
uint32_t heap_run_take(unsigned order);
void heap_run_put(uint32_t page);
void heap_pages_init(void);
/* Any context, without the lock: as pages_alloc(), but not zeroed. */
void *pages_alloc_uncleared(size_t count);

#endif
