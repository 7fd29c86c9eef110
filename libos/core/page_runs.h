/* SPDX-License-Identifier: MIT */
/*
 * Binary buddies over the heap's virtual pages.  Pure: the caller locks, and the host tests it.
 *
 *	arena: 1024 pages, one struct page_run each (kept outside of the pages themselves, which may
 *	be unmapped while they are free)
 *
 *	free run of order 2:  [head order=2 FREE][PART][PART][PART]
 *	taken run of order 1: [head order=1 TAKEN][PART]
 *
 * A run of 2^order pages starts at a multiple of its size; its buddy is the other half of the
 * run of the next order, and two free buddies become one run again.
 */
#ifndef LIBOS_PAGE_RUNS_H
#define LIBOS_PAGE_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#define ARENA_ORDER 10
#define ARENA_PAGES (1u << ARENA_ORDER)
#define RUN_NONE 0xffffffffu

enum run_state { RUN_PART, RUN_FREE, RUN_TAKEN };

struct page_run {
	uint8_t state;  /* enum run_state */
	uint8_t order;  /* of a head */
	uint8_t mapped; /* this page has a frame */
	uint8_t slab;   /* size class + 1 when the page is cut into blocks, 0 = not */
	uint16_t used;  /* blocks handed out of a slab page */
	uint16_t first_free; /* offset of its first free block, in units of 16 bytes */
	uint32_t next, prev; /* free runs of one order; slab pages with room of one class */
};

struct page_runs {
	struct page_run *pages; /* grows by whole arenas */
	uint32_t count;
	uint32_t free[ARENA_ORDER + 1]; /* heads of the free lists */
	uint64_t free_pages;
};

void page_runs_init(struct page_runs *r, struct page_run *pages);
/* pages[count .. count + ARENA_PAGES) have been made readable and are zero. */
void page_runs_add_arena(struct page_runs *r);
/* Index of the first page of a run of 2^order pages, or RUN_NONE. */
uint32_t page_runs_take(struct page_runs *r, unsigned order);
/* The run's order; the run must be TAKEN. */
unsigned page_runs_put(struct page_runs *r, uint32_t page);

#define PAGE_CLASSES 14

/* What is taken: blocks of each class of pages that are cut into such, and whole pages. */
struct page_usage {
	uint64_t blocks[PAGE_CLASSES], pages;
};

/* Adds the arena that begins at page *at, and goes on to the next; false: there is none. */
bool page_runs_count(const struct page_runs *r, uint32_t *at, struct page_usage *sum);

/* Doubly linked lists threaded through the pages. */
void page_list_push(struct page_runs *r, uint32_t *head, uint32_t page);
void page_list_remove(struct page_runs *r, uint32_t *head, uint32_t page);

#endif
