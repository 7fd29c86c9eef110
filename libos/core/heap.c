/* SPDX-License-Identifier: MIT */
/*
 * The libos heap: memory in the shared region, at the same address in every process.
 *
 *	HEAP_TABLE  struct page_run for each page, mapped arena by arena
 *	HEAP_BASE   the pages: runs of 2^n (page_runs.c); single pages are cut into equal blocks
 *
 * Pages stay mapped when they are freed, since mapping again costs a kernel entry and unmapping a
 * TLB epoch.  They give up their frames (heap_trim) when memory is short, and when there are more of
 * them than what goes on anyhow is likely to want.
 */
#include <exo/abi.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/heap.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/page_runs.h"
#include "core/string.h"
#include "core/vcore.h"
#include "debug/inject.h"

#define HEAP_TABLE (EXO_DYNAMIC_BASE + 0x10000000ul)
#define HEAP_BASE (EXO_DYNAMIC_BASE + 0x1000000000ul)
#define HEAP_PAGES_MAX (16u << 20) /* 64 GiB of addresses */

/* Block sizes; the last is half a page.  Larger requests take whole pages. */
#define BLOCK_MAX 2048
static const uint16_t class_size[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1008, 1344,
				       BLOCK_MAX };
#define CLASSES (sizeof(class_size) / sizeof(class_size[0]))
#define BLOCK_UNIT 16
_Static_assert(CLASSES <= PAGE_CLASSES_MAX, "all can be counted");

#define IDLE_PAGES_MAX 1024u /* free and mapped: 4 MiB */
#define TRIM_PAGES 256u     /* at once, under the lock */

#define POISON 0x5a /* of free blocks, in debug builds */
#define BLOCK_NONE 0xffff

static struct lock heap_lock = LOCK_INIT("heap", RANK_HEAP);
/* Under heap_lock. */
static struct page_runs runs;
static uint32_t slabs[CLASSES]; /* pages of each class that have a free block */
static size_t table_pages;      /* of HEAP_TABLE, mapped so far */
static size_t mapped_pages;     /* of HEAP_BASE */

static void *page_address(uint32_t page)
{
	return (void *)(HEAP_BASE + page * EXO_PAGE_SIZE);
}

static uint32_t page_index(const void *p)
{
	uint64_t offset = (uint64_t)p - HEAP_BASE;

	if ((uint64_t)p < HEAP_BASE || offset / EXO_PAGE_SIZE >= runs.count)
		libos_panic("heap: %p is not a heap address", p);
	return (uint32_t)(offset / EXO_PAGE_SIZE);
}

/* The table of a whole arena may have gone with its last page. */
static bool is_mapped(const void *page)
{
	return (EXO_PDPTE(page) & EXO_PTE_PRESENT) && (EXO_PDE(page) & EXO_PTE_PRESENT) &&
	       (EXO_PTE(page) & EXO_PTE_PRESENT);
}

/* Give a frame to each of `count` pages at va that has none; marks those that got one.  EPERM: one of the
 * frames has just been taken from the domain. */
static int map_some(uint64_t va, size_t count, struct page_run *mark)
{
	struct exo_op ops[EXO_UPDATE_OPS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (mark[i].mapped)
			continue;
		uint64_t frame = frame_take();

		if (!frame) {
			while (n > 0)
				frame_free(ops[--n].frame);
			return -ENOMEM;
		}
		ops[n++] = (struct exo_op){ .code = EXO_OP_MAP, .prot = EXO_PROT_READ | EXO_PROT_WRITE,
					    .count = 1, .va = va + i * EXO_PAGE_SIZE, .frame = frame };
	}
	if (n == 0)
		return 0;
	int r = shared_update(ops, n);

	if (r < 0 && r != -ENOMEM && r != -EPERM)
		libos_panic("heap: cannot map at %lx: error %d", va, r);
	for (size_t i = 0; i < n; i++) {
		bool mapped = r == 0 || is_mapped((void *)ops[i].va);

		if (!mapped)
			frame_free(ops[i].frame);
		mark[(ops[i].va - va) / EXO_PAGE_SIZE].mapped = mapped;
		mapped_pages += mapped && va >= HEAP_BASE;
	}
	return r;
}

static int map_new(uint64_t va, size_t count, struct page_run *mark)
{
	int r;

	do
		r = map_some(va, count, mark);
	while (r == -EPERM);
	return r;
}

/* The table's new pages may be mapped in an earlier call that then ran out of memory. */
static bool add_arena(void)
{
	size_t end = (runs.count + ARENA_PAGES) * sizeof(struct page_run) / EXO_PAGE_SIZE;

	if (runs.count >= HEAP_PAGES_MAX)
		return false;
	while (table_pages < end) {
		struct page_run mark = { .mapped = 0 };
		uint64_t va = HEAP_TABLE + table_pages * EXO_PAGE_SIZE;

		if (map_new(va, 1, &mark) < 0)
			return false;
		memset((void *)va, 0, EXO_PAGE_SIZE);
		table_pages++;
	}
	page_runs_add_arena(&runs);
	return true;
}

/* A run of 2^order pages, all mapped, not zeroed; under heap_lock. */
static uint32_t take_run(unsigned order)
{
	uint32_t page = page_runs_take(&runs, order);

	if (page == RUN_NONE && add_arena())
		page = page_runs_take(&runs, order);
	if (page == RUN_NONE)
		return RUN_NONE;
	for (uint32_t done = 0; done < 1u << order; done += EXO_UPDATE_OPS_MAX) {
		uint32_t n = (1u << order) - done;

		n = n < EXO_UPDATE_OPS_MAX ? n : EXO_UPDATE_OPS_MAX;
		if (map_new((uint64_t)page_address(page + done), n, &runs.pages[page + done]) < 0) {
			page_runs_put(&runs, page);
			return RUN_NONE;
		}
	}
	return page;
}

static size_t idle_pages(void)
{
	return mapped_pages - (runs.count - runs.free_pages);
}

/* Parts of free runs that are to be unmapped in one update, so with one wait for the other CPUs. */
struct trim {
	struct exo_op ops[EXO_UPDATE_OPS_MAX];
	size_t count, pages;
};

/* Adds what is mapped of a part; under heap_lock. */
static void trim_add(struct trim *t, uint32_t page, uint32_t count)
{
	size_t mapped = 0;

	for (uint32_t i = 0; i < count; i++)
		mapped += runs.pages[page + i].mapped;
	if (mapped == 0)
		return;
	t->ops[t->count++] = (struct exo_op){ .code = EXO_OP_UNMAP, .count = count,
					      .va = (uint64_t)page_address(page) };
	t->pages += mapped;
}

/* Large runs first: they are wanted least. */
static void trim_choose(struct trim *t)
{
	for (unsigned order = ARENA_ORDER + 1; order-- > 0;) {
		uint32_t part = 1u << order < TRIM_PAGES ? 1u << order : TRIM_PAGES;

		for (uint32_t p = runs.free[order]; p != RUN_NONE; p = runs.pages[p].next) {
			for (uint32_t at = 0; at < 1u << order; at += part) {
				if (t->pages >= TRIM_PAGES || t->count == EXO_UPDATE_OPS_MAX)
					return;
				trim_add(t, p + at, part);
			}
		}
	}
}

/* The page tables tell what is unmapped, even if the update ended early. */
static size_t trim_locked(void)
{
	struct trim t = { .count = 0 };
	size_t n = 0;

	trim_choose(&t);
	if (t.count > 0)
		shared_update(t.ops, t.count);
	for (size_t i = 0; i < t.count; i++) {
		uint32_t first = page_index((void *)t.ops[i].va);

		for (uint32_t page = first; page < first + t.ops[i].count; page++) {
			if (!runs.pages[page].mapped || is_mapped(page_address(page)))
				continue;
			runs.pages[page].mapped = 0;
			n++;
		}
	}
	mapped_pages -= n;
	return n;
}

size_t heap_trim(void)
{
	lock_acquire(&heap_lock);
	size_t n = trim_locked();

	lock_release(&heap_lock);
	return n;
}

static void put_run(uint32_t page)
{
	page_runs_put(&runs, page);
	if (idle_pages() > IDLE_PAGES_MAX)
		trim_locked();
}

static unsigned order_of(size_t count)
{
	unsigned order = 0;

	while ((1ul << order) < count)
		order++;
	return order;
}

void *pages_alloc(size_t count)
{
	unsigned order = order_of(count);

	if (count == 0 || order > ARENA_ORDER || fault_injected(FAULT_HEAP))
		return NULL;
	lock_acquire(&heap_lock);
	uint32_t page = take_run(order);

	lock_release(&heap_lock);
	if (page == RUN_NONE)
		return NULL;
	memset(page_address(page), 0, count * EXO_PAGE_SIZE);
	return page_address(page);
}

void pages_free(void *p, size_t count)
{
	if (!p)
		return;
	lock_acquire(&heap_lock);
	uint32_t page = page_index(p);

	if (runs.pages[page].state != RUN_TAKEN || runs.pages[page].slab ||
	    runs.pages[page].order != order_of(count))
		libos_panic("heap: %p is not a run of %zu pages", p, count);
	put_run(page);
	lock_release(&heap_lock);
}

uint64_t frame_of_page(const void *p)
{
	return EXO_PTE_FRAME(EXO_PTE(p));
}

/* By size in units, rounded up; filled in once. */
static uint8_t class_by_units[BLOCK_MAX / BLOCK_UNIT + 1];

static unsigned class_of(size_t size)
{
	return class_by_units[(size + BLOCK_UNIT - 1) / BLOCK_UNIT];
}

/* Cut a fresh page into blocks, each free one holding the place of the next in its first bytes. */
static uint32_t slab_create(unsigned c)
{
	uint32_t page = take_run(0);

	if (page == RUN_NONE)
		return RUN_NONE;
	char *base = page_address(page);
	size_t size = class_size[c], n = EXO_PAGE_SIZE / size;

	if (EXO_DEBUG)
		memset(base, POISON, EXO_PAGE_SIZE);
	for (size_t i = 0; i < n; i++)
		*(uint16_t *)(base + i * size) =
			i + 1 < n ? (uint16_t)((i + 1) * size / BLOCK_UNIT) : BLOCK_NONE;
	runs.pages[page].slab = (uint8_t)(c + 1);
	runs.pages[page].used = 0;
	runs.pages[page].first_free = 0;
	page_list_push(&runs, &slabs[c], page);
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
	struct page_run *p = &runs.pages[page];
	char *block = (char *)page_address(page) + p->first_free * BLOCK_UNIT;

	p->first_free = *(uint16_t *)block;
	if (EXO_DEBUG)
		check_poison(block, class_size[c]);
	p->used++;
	if (p->first_free == BLOCK_NONE)
		page_list_remove(&runs, &slabs[c], page);
	return block;
}

static void block_put(uint32_t page, void *block)
{
	struct page_run *p = &runs.pages[page];
	unsigned c = p->slab - 1u;
	size_t offset = (uint64_t)block % EXO_PAGE_SIZE;

	if (p->used == 0 || offset % class_size[c] != 0)
		libos_panic("heap: %p is not a block of %u bytes in use", block, class_size[c]);
	if (EXO_DEBUG)
		memset(block, POISON, class_size[c]);
	*(uint16_t *)block = p->first_free;
	if (p->first_free == BLOCK_NONE)
		page_list_push(&runs, &slabs[c], page);
	p->first_free = (uint16_t)(offset / BLOCK_UNIT);
	if (--p->used == 0) {
		page_list_remove(&runs, &slabs[c], page);
		p->slab = 0;
		put_run(page);
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
	uint32_t page = page_index(p);

	if (runs.pages[page].slab)
		block_put(page, p);
	else if (runs.pages[page].state == RUN_TAKEN)
		put_run(page);
	else
		libos_panic("heap: %p is not in use", p);
	lock_release(&heap_lock);
}

uint64_t frame_alloc(void)
{
	uint64_t frame = frame_take();

	/* The frames that the heap gives up come back once their epoch has passed on all CPUs. */
	while (!frame && heap_trim() > 0)
		frame = frame_take();
	return frame;
}

/* An arena at a time, since counting a large heap takes longer than one may be masked. */
uint64_t heap_usage(struct page_usage *usage)
{
	uint32_t at = 0;
	bool more = true;

	*usage = (struct page_usage){ 0 };
	while (more) {
		lock_acquire(&heap_lock);
		more = page_runs_count(&runs, &at, usage);
		lock_release(&heap_lock);
	}
	return table_pages + mapped_pages;
}

size_t heap_class_size(unsigned c)
{
	return c < CLASSES ? class_size[c] : 0;
}

void heap_init(void)
{
	page_runs_init(&runs, (struct page_run *)HEAP_TABLE);
	for (size_t i = 0; i < CLASSES; i++)
		slabs[i] = RUN_NONE;
	for (unsigned c = 0, units = 0; c < CLASSES; c++)
		while (units <= class_size[c] / BLOCK_UNIT)
			class_by_units[units++] = (uint8_t)c;
}
