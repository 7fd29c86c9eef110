/* SPDX-License-Identifier: MIT */
/*
 * The libos's own memory.
 *
 * Frames are physical pages by number.  Anonymous memory of programs lives in frames that are
 * mapped nowhere but in the program's address space.  The heap is mapped in the shared region, at
 * the same address in all processes; what it holds (structures, file data, pipe buffers) is
 * reachable from any of them.
 */
#ifndef LIBOS_MEMORY_H
#define LIBOS_MEMORY_H

#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* frames.c: 0 is never a valid frame.  Any context; leaf lock and per-CPU caches. */
uint64_t frame_alloc(void);              /* contents undefined; 0 when there is none */
void frame_free(uint64_t frame);         /* nothing maps it and no TLB holds it; or it was taken from us */
/* Frames that an update reported as freed: reusable once the space's epoch is acknowledged. */
void frames_retire(exo_handle space, uint64_t epoch, const uint64_t *frames, size_t n);
uint64_t frames_free_count(void); /* those that are retired included */
bool frames_are_few(void);        /* memory is short: a hint */
uint64_t frames_total_count(void);
/* Mappings of a frame now, from the kernel's read-only frame table. */
static inline uint32_t frame_maps(uint64_t frame)
{
	return ((const volatile struct exo_frame_info *)EXO_FRAMES_BASE)[frame].maps;
}

static inline uint16_t frame_owner(uint64_t frame)
{
	return ((const volatile struct exo_frame_info *)EXO_FRAMES_BASE)[frame].owner;
}

/* heap.c and heap_pages.c: leaf lock.  No event may allocate; the rest any context.  NULL when out of
 * memory.  Blocks are zeroed.  heap_free() takes pages, too. */
void *heap_alloc(size_t size);
void *heap_alloc_uncleared(size_t size); /* for who writes to all of it at once */
void heap_free(void *p);
/* Whole pages of heap, page aligned, zeroed; frame_of_page() gives the frame for mapping it. */
void *pages_alloc(size_t count);
void pages_free(void *p, size_t count);
uint64_t frame_of_page(const void *p); /* also for module memory */

#endif
