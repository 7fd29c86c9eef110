/* SPDX-License-Identifier: MIT */
/* libos/core/page_runs.c */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "core/page_runs.h"

#define ARENAS 3
#define PAGES (ARENAS * ARENA_PAGES)

static struct page_run pages[PAGES];
static struct page_runs runs;

static void start(void)
{
	memset(pages, 0, sizeof(pages));
	page_runs_init(&runs, pages);
	for (int i = 0; i < ARENAS; i++)
		page_runs_add_arena(&runs);
}

static void an_empty_heap_has_nothing(void)
{
	page_runs_init(&runs, pages);
	CHECK_EQ(page_runs_take(&runs, 0), RUN_NONE);
}

static void whole_arenas_can_be_taken(void)
{
	start();
	for (int i = 0; i < ARENAS; i++)
		CHECK(page_runs_take(&runs, ARENA_ORDER) != RUN_NONE);
	CHECK_EQ(page_runs_take(&runs, 0), RUN_NONE);
	CHECK_EQ(runs.free_pages, 0);
}

static void freed_buddies_become_one_run(void)
{
	uint32_t page[ARENA_PAGES];

	start();
	for (int arena = 0; arena < ARENAS; arena++)
		for (uint32_t i = 0; i < ARENA_PAGES; i++)
			page[i] = page_runs_take(&runs, 0);
	CHECK_EQ(runs.free_pages, 0);
	for (uint32_t i = 0; i < ARENA_PAGES; i++)
		page_runs_put(&runs, page[(i * 7) % ARENA_PAGES]);
	CHECK(page_runs_take(&runs, ARENA_ORDER) != RUN_NONE);
}

static void random_runs_never_overlap(void)
{
	static unsigned char taken[PAGES];
	static uint32_t head[512];
	static unsigned order[512];
	size_t n = 0;

	srand(2);
	memset(taken, 0, sizeof(taken));
	start();
	for (int step = 0; step < 50000; step++) {
		if (n < 512 && rand() % 2) {
			unsigned o = (unsigned)rand() % 5;
			uint32_t p = page_runs_take(&runs, o);

			if (p == RUN_NONE)
				continue;
			CHECK_EQ(p % (1u << o), 0);
			for (uint32_t i = 0; i < 1u << o; i++) {
				CHECK(!taken[p + i]);
				taken[p + i] = 1;
			}
			head[n] = p;
			order[n++] = o;
		} else if (n > 0) {
			size_t i = (size_t)rand() % n;

			CHECK_EQ(page_runs_put(&runs, head[i]), order[i]);
			memset(taken + head[i], 0, 1u << order[i]);
			head[i] = head[--n];
			order[i] = order[n];
		}
	}
	while (n > 0)
		page_runs_put(&runs, head[--n]);
	CHECK_EQ(runs.free_pages, PAGES);
	for (int i = 0; i < ARENAS; i++)
		CHECK(page_runs_take(&runs, ARENA_ORDER) != RUN_NONE);
}

static void what_is_taken_is_counted(void)
{
	struct page_usage usage = { 0 };
	uint32_t at = 0, run, slab;

	start();
	page_runs_take(&runs, ARENA_ORDER);
	run = page_runs_take(&runs, 3);
	slab = page_runs_take(&runs, 0);
	runs.pages[slab].slab = 5;
	runs.pages[slab].used = 7;
	while (page_runs_count(&runs, &at, &usage))
		;
	CHECK_EQ(at, runs.count);
	CHECK_EQ(usage.pages, ARENA_PAGES + 8);
	CHECK_EQ(usage.blocks[4], 7);
	page_runs_put(&runs, run);
	at = 0;
	usage = (struct page_usage){ 0 };
	while (page_runs_count(&runs, &at, &usage))
		;
	CHECK_EQ(usage.pages, ARENA_PAGES);
}

int main(void)
{
	RUN(an_empty_heap_has_nothing);
	RUN(whole_arenas_can_be_taken);
	RUN(freed_buddies_become_one_run);
	RUN(random_runs_never_overlap);
	RUN(what_is_taken_is_counted);
	return check_result();
}
