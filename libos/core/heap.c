/* SPDX-License-Identifier: MIT */
/*
 * Blocks of the heap: a page (heap_pages.c) is cut into equal blocks of one class of sizes, and the free
 * ones hold the list of themselves.
 *
 *	page of blocks of 1008 bytes:  [taken][free: 3][taken][free: none][rest]      first_free: 1
 *
 * Pages that have a free block are in the list of their class; a page of nothing but free blocks goes back.
 *
 * Before that each CPU keeps a few that were freed on it, of each class: what a process, a thread or an open
 * file takes is mostly what the last one left.  They need no lock, only masking, as only their CPU takes
 * them; their pages count them as handed out.
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
_Static_assert(CLASSES == PAGE_CLASSES, "all can be counted");

/* So many of a class are kept by a CPU: 31 KiB if it is all. */
#define KEPT_SMALL VCORE_KEPT_MAX
#define KEPT_LARGE 4
#define SMALL_MAX 256u

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

/* A free block holds poison, behind the place of the next one if its page has it: who has written to it since
 * had no right to it any more. */
static void check_poison(const char *block, size_t link_size, size_t size)
{
	for (size_t i = link_size; i < size; i++)
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
		check_poison(block, sizeof(uint16_t), class_size[c]);
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

	if (p->used == 0)
		libos_panic("heap: %p is not a block of %u bytes in use", block, class_size[c]);
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

/* One that this CPU has kept, or NULL. */
static void *kept_take(unsigned c)
{
	upcalls_mask_keeping();
	struct vcore *v = this_vcore();
	unsigned n = v->kept_count[c];
	char *block = NULL;

	ASSERT_INVARIANT(!v->in_event);
	if (n > 0) {
		block = (char *)HEAP_BASE + (uint64_t)v->kept[c][n - 1] * BLOCK_UNIT;
		v->kept_count[c] = (uint8_t)(n - 1);
	}
	upcalls_unmask_keeping();
	if (EXO_DEBUG && block)
		check_poison(block, 0, class_size[c]);
	return block;
}

/* False: this CPU has enough of them. */
static bool kept_put(unsigned c, void *block)
{
	unsigned size = class_size[c];

	if ((uint64_t)block % EXO_PAGE_SIZE % size != 0)
		libos_panic("heap: %p is not a block of %u bytes", block, size);
	if (EXO_DEBUG)
		memset(block, POISON, size);
	upcalls_mask_keeping();
	struct vcore *v = this_vcore();
	uint32_t unit = (uint32_t)(((uint64_t)block - HEAP_BASE) / BLOCK_UNIT);
	unsigned n = v->kept_count[c];
	bool room = n < (size <= SMALL_MAX ? KEPT_SMALL : KEPT_LARGE);

	for (unsigned i = 0; EXO_DEBUG && i < n; i++)
		if (v->kept[c][i] == unit)
			libos_panic("heap: %p is freed twice", block);
	if (room) {
		v->kept[c][n] = unit;
		v->kept_count[c] = (uint8_t)(n + 1);
	}
	upcalls_unmask_keeping();
	return room;
}

void heap_subtract_kept(struct page_usage *usage)
{
	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		for (unsigned c = 0; c < CLASSES; c++) {
			uint64_t kept = vcore_of(cpu)->kept_count[c];

			/* It may have been kept only after the blocks were counted. */
			usage->blocks[c] -= kept < usage->blocks[c] ? kept : usage->blocks[c];
		}
}

static __attribute__((noinline)) void free_locked(void *p)
{
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

void heap_give_back(void)
{
	for (unsigned c = 0; c < CLASSES; c++)
		for (void *block = kept_take(c); block; block = kept_take(c))
			free_locked(block);
}

static void *take_locked(unsigned c)
{
	lock_acquire(&heap_lock);
	void *block = block_take(c);

	lock_release(&heap_lock);
	return block;
}

/* Blocks of another size may be all that keeps a page. */
static __attribute__((noinline)) void *alloc_locked(unsigned c)
{
	void *block = take_locked(c);

	if (block)
		return block;
	heap_give_back();
	return take_locked(c);
}

void *heap_alloc_uncleared(size_t size)
{
	if (size > BLOCK_MAX)
		return pages_alloc_uncleared((size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE);
	if (fault_injected(FAULT_HEAP))
		return NULL;
	void *block = kept_take(class_of(size));

	return block ? block : alloc_locked(class_of(size));
}

/* As far as it was asked for, in words. */
void *heap_alloc(size_t size)
{
	void *block = heap_alloc_uncleared(size);

	if (block)
		memset(block, 0, (size + 7) & ~7ul);
	return block;
}

/* The page of a block that is in use does not change what it is: it can be looked at without the lock. */
void heap_free(void *p)
{
	if (!p)
		return;
	unsigned slab = heap_runs.pages[heap_page_index(p)].slab;

	if (!slab || !kept_put(slab - 1, p))
		free_locked(p);
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
