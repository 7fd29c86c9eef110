/* SPDX-License-Identifier: MIT */
/*
 * Blocks of the heap: a page (heap_pages.c) is cut into equal blocks of one class of sizes, and the free
 * ones hold the list of themselves.
 *
 *	page of blocks of 1008 bytes:  [taken][free: 3][taken][free: none][rest]      first_free: 1
 *
 * Pages that have a free block are in the list of their class; a page of nothing but free blocks goes back.
 */
#include <exo/abi.h>
#include "core/heap.h"
#include "core/heap_pages.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/page_runs.h"
#include "core/string.h"
#include "core/vcore.h"
#include "debug/inject.h"

/* Block sizes; the last is half a page.  Larger requests take whole pages. */
#define BLOCK_MAX 2048
static const uint16_t class_size[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1008, 1344,
				       BLOCK_MAX };
#define CLASSES (sizeof(class_size) / sizeof(class_size[0]))
#define BLOCK_UNIT 16
_Static_assert(CLASSES <= PAGE_CLASSES_MAX, "all can be counted");

#define POISON 0x5a /* of free blocks, in debug builds */
#define BLOCK_NONE 0xffff

/* Under heap_lock. */
static uint32_t slabs[CLASSES]; /* pages of each class that have a free block */

/* By size in units, rounded up; filled in once. */
static uint8_t class_by_units[BLOCK_MAX / BLOCK_UNIT + 1];

static unsigned class_of(size_t size)
{
	return class_by_units[(size + BLOCK_UNIT - 1) / BLOCK_UNIT];
}

/* Cut a fresh page into blocks, each free one holding the place of the next in its first bytes. */
static uint32_t slab_create(unsigned c)
{
	uint32_t page = heap_run_take(0);

	if (page == RUN_NONE)
		return RUN_NONE;
	char *base = heap_page(page);
	size_t size = class_size[c], n = EXO_PAGE_SIZE / size;

	if (EXO_DEBUG)
		memset(base, POISON, EXO_PAGE_SIZE);
	for (size_t i = 0; i < n; i++)
		*(uint16_t *)(base + i * size) =
			i + 1 < n ? (uint16_t)((i + 1) * size / BLOCK_UNIT) : BLOCK_NONE;
	heap_runs.pages[page].slab = (uint8_t)(c + 1);
	heap_runs.pages[page].used = 0;
	heap_runs.pages[page].first_free = 0;
	page_list_push(&heap_runs, &slabs[c], page);
	return page;
}

/* A free block holds the place of the next one, and poison: who has written to it since had no right to
 * it any more. */
static void check_poison(const char *block, size_t size)
{
	for (size_t i = sizeof(uint16_t); i < size; i++)
		if (block[i] != POISON)
			libos_panic("heap: a free block of %lu bytes at %p was written to", size, block);
}

static void *block_take(unsigned c)
{
	uint32_t page = slabs[c];

	if (page == RUN_NONE)
		page = slab_create(c);
	if (page == RUN_NONE)
		return NULL;
	struct page_run *p = &heap_runs.pages[page];
	char *block = (char *)heap_page(page) + p->first_free * BLOCK_UNIT;

	p->first_free = *(uint16_t *)block;
	if (EXO_DEBUG)
		check_poison(block, class_size[c]);
	p->used++;
	if (p->first_free == BLOCK_NONE)
		page_list_remove(&heap_runs, &slabs[c], page);
	return block;
}

static void block_put(uint32_t page, void *block)
{
	struct page_run *p = &heap_runs.pages[page];
	unsigned c = p->slab - 1u;
	size_t offset = (uint64_t)block % EXO_PAGE_SIZE;

	if (p->used == 0 || offset % class_size[c] != 0)
		libos_panic("heap: %p is not a block of %u bytes in use", block, class_size[c]);
	if (EXO_DEBUG)
		memset(block, POISON, class_size[c]);
	*(uint16_t *)block = p->first_free;
	if (p->first_free == BLOCK_NONE)
		page_list_push(&heap_runs, &slabs[c], page);
	p->first_free = (uint16_t)(offset / BLOCK_UNIT);
	if (--p->used == 0) {
		page_list_remove(&heap_runs, &slabs[c], page);
		p->slab = 0;
		heap_run_put(page);
	}
}

void *heap_alloc(size_t size)
{
	if (size > BLOCK_MAX)
		return pages_alloc((size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE);
	unsigned c = class_of(size);

	if (fault_injected(FAULT_HEAP))
		return NULL;
	lock_acquire(&heap_lock);
	ASSERT_INVARIANT(!this_vcore()->in_event);
	void *block = block_take(c);

	lock_release(&heap_lock);
	if (block)
		memset(block, 0, class_size[c]);
	return block;
}

void heap_free(void *p)
{
	if (!p)
		return;
	lock_acquire(&heap_lock);
	uint32_t page = heap_page_index(p);

	if (heap_runs.pages[page].slab)
		block_put(page, p);
	else if (heap_runs.pages[page].state == RUN_TAKEN)
		heap_run_put(page);
	else
		libos_panic("heap: %p is not in use", p);
	lock_release(&heap_lock);
}

size_t heap_class_size(unsigned c)
{
	return c < CLASSES ? class_size[c] : 0;
}

void heap_init(void)
{
	heap_pages_init();
	for (size_t i = 0; i < CLASSES; i++)
		slabs[i] = RUN_NONE;
	for (unsigned c = 0, units = 0; c < CLASSES; c++)
		while (units <= class_size[c] / BLOCK_UNIT)
			class_by_units[units++] = (uint8_t)c;
}
