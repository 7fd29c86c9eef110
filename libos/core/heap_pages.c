/* SPDX-License-Identifier: MIT */
/*
 * The pages of the heap, in the shared region, at the same address in every process.
 *
 *	HEAP_TABLE  struct page_run for each page, mapped arena by arena
 *	HEAP_BASE   the pages: runs of 2^n (page_runs.c); heap.c cuts single ones into blocks
 *
 * Pages stay mapped when they are freed, since mapping again costs a kernel entry and unmapping a
 * TLB epoch.  They give up their frames (heap_trim) when memory is short, and when there are more of
 * them than what goes on anyhow is likely to want.
 */
#include <exo/abi.h>
#include "abi/errno.h"
#include "core/frames.h"
#include "core/heap.h"
#include "core/heap_pages.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/page_runs.h"
#include "core/string.h"
#include "debug/inject.h"

#define HEAP_PAGES_MAX (16u << 20) /* 64 GiB of addresses */

_Static_assert(HEAP_BASE + (uint64_t)HEAP_PAGES_MAX * EXO_PAGE_SIZE <= BITMAP_BASE &&
	       HEAP_TABLE + (uint64_t)HEAP_PAGES_MAX * sizeof(struct page_run) <= SLOTS_FAR, "region_map.h");

#define IDLE_PAGES_MAX 1024u /* free and mapped: 4 MiB */
#define TRIM_PAGES 256u     /* at once, under the lock */

struct lock heap_lock = LOCK_INIT("heap", RANK_HEAP);
struct page_runs heap_runs;
/* Under heap_lock. */
static size_t table_pages;  /* of HEAP_TABLE, mapped so far */
static size_t mapped_pages; /* of HEAP_BASE */

/* A page table may have gone with its last page. */
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
		mapped_pages += mapped && va >= HEAP_BASE && va < HEAP_TABLE;
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
	size_t end = (heap_runs.count + ARENA_PAGES) * sizeof(struct page_run) / EXO_PAGE_SIZE;

	if (heap_runs.count >= HEAP_PAGES_MAX)
		return false;
	while (table_pages < end) {
		struct page_run mark = { .mapped = 0 };
		uint64_t va = HEAP_TABLE + table_pages * EXO_PAGE_SIZE;

		if (map_new(va, 1, &mark) < 0)
			return false;
		memset((void *)va, 0, EXO_PAGE_SIZE);
		table_pages++;
	}
	page_runs_add_arena(&heap_runs);
	return true;
}

uint32_t heap_run_take(unsigned order)
{
	uint32_t page = page_runs_take(&heap_runs, order);

	if (page == RUN_NONE && add_arena())
		page = page_runs_take(&heap_runs, order);
	if (page == RUN_NONE)
		return RUN_NONE;
	for (uint32_t done = 0; done < 1u << order; done += EXO_UPDATE_OPS_MAX) {
		uint32_t n = (1u << order) - done;

		n = n < EXO_UPDATE_OPS_MAX ? n : EXO_UPDATE_OPS_MAX;
		if (map_new((uint64_t)heap_page(page + done), n, &heap_runs.pages[page + done]) < 0) {
			page_runs_put(&heap_runs, page);
			return RUN_NONE;
		}
	}
	return page;
}

static size_t idle_pages(void)
{
	return mapped_pages - (heap_runs.count - heap_runs.free_pages);
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
		mapped += heap_runs.pages[page + i].mapped;
	if (mapped == 0)
		return;
	t->ops[t->count++] = (struct exo_op){ .code = EXO_OP_UNMAP, .count = count,
					      .va = (uint64_t)heap_page(page) };
	t->pages += mapped;
}

/* Large runs first: they are wanted least. */
static void trim_choose(struct trim *t)
{
	for (unsigned order = ARENA_ORDER + 1; order-- > 0;) {
		uint32_t part = 1u << order < TRIM_PAGES ? 1u << order : TRIM_PAGES;

		for (uint32_t p = heap_runs.free[order]; p != RUN_NONE; p = heap_runs.pages[p].next) {
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
		uint32_t first = heap_page_index((void *)t.ops[i].va);

		for (uint32_t page = first; page < first + t.ops[i].count; page++) {
			if (!heap_runs.pages[page].mapped || is_mapped(heap_page(page)))
				continue;
			heap_runs.pages[page].mapped = 0;
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

void heap_run_put(uint32_t page)
{
	page_runs_put(&heap_runs, page);
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

void *pages_alloc_uncleared(size_t count)
{
	unsigned order = order_of(count);

	if (count == 0 || order > ARENA_ORDER || fault_injected(FAULT_HEAP))
		return NULL;
	lock_acquire(&heap_lock);
	uint32_t page = heap_run_take(order);

	lock_release(&heap_lock);
	return page == RUN_NONE ? NULL : heap_page(page);
}

void *pages_alloc(size_t count)
{
	void *pages = pages_alloc_uncleared(count);

	if (pages)
		memset(pages, 0, count * EXO_PAGE_SIZE);
	return pages;
}

void pages_free(void *p, size_t count)
{
	if (!p)
		return;
	lock_acquire(&heap_lock);
	uint32_t page = heap_page_index(p);

	if (heap_runs.pages[page].state != RUN_TAKEN || heap_runs.pages[page].slab ||
	    heap_runs.pages[page].order != order_of(count))
		libos_panic("heap: %p is not a run of %zu pages", p, count);
	heap_run_put(page);
	lock_release(&heap_lock);
}

uint64_t frame_of_page(const void *p)
{
	return EXO_PTE_FRAME(EXO_PTE(p));
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
		more = page_runs_count(&heap_runs, &at, usage);
		lock_release(&heap_lock);
	}
	heap_subtract_kept(usage);
	return table_pages + mapped_pages;
}

void heap_pages_init(void)
{
	page_runs_init(&heap_runs, (struct page_run *)HEAP_TABLE);
}
