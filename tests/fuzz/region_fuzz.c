/* SPDX-License-Identifier: MIT */
/*
 * libos/vm/region.c: the tree of regions against an array of pages.
 *
 *	input: triples {what, page, size}
 */
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"
#include "vm/region.h"

#define PAGE 4096ul
#define PAGES 256u

const struct fuzz_target fuzz_target = { "region", "regions_and_gaps_match_the_pages", 4000 };

enum { PUT, TAKE, SHRINK_START, SHRINK_END, GROW, FIND, GAP, KINDS };

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	size_t n = 0;

	if (number > 1)
		return 0;
	for (unsigned i = 1; i < 120; i++) {
		out[n++] = (uint8_t)(i % 5 ? PUT : i % KINDS);
		out[n++] = (uint8_t)(number ? i * 2 : i * 97);
		out[n++] = (uint8_t)(i % 7);
	}
	return n;
}

/* Page 0 is never used, as in a program's address space. */
struct model {
	struct region_tree tree;
	struct region *owner[PAGES];
	size_t count;
};

static void mark(struct model *m, const struct region *r, struct region *owner)
{
	for (uint64_t page = r->start / PAGE; page < r->end / PAGE; page++)
		m->owner[page] = owner;
}

static void put(struct model *m, unsigned page, unsigned size)
{
	unsigned n = 0;

	while (n < size && page + n < PAGES && !m->owner[page + n])
		n++;
	if (n == 0 || page == 0)
		return;
	struct region *r = calloc(1, sizeof(*r));

	FUZZ_CHECK(r != NULL);
	r->start = page * PAGE;
	r->end = (page + n) * PAGE;
	region_insert(&m->tree, r);
	mark(m, r, r);
	m->count++;
}

static void take(struct model *m, struct region *r)
{
	mark(m, r, NULL);
	region_remove(&m->tree, r);
	free(r);
	m->count--;
}

static void resize(struct model *m, struct region *r, unsigned what, unsigned size)
{
	uint64_t start = r->start, end = r->end, by = size * PAGE;

	if (what == SHRINK_START && by < end - start)
		start += by;
	else if (what == SHRINK_END && by < end - start)
		end -= by;
	else
		while (what == GROW && by > 0 && end / PAGE < PAGES && !m->owner[end / PAGE])
			end += PAGE, by -= PAGE;
	mark(m, r, NULL);
	region_resize(&m->tree, r, start, end);
	mark(m, r, r);
}

static void check_find(const struct model *m, unsigned page)
{
	unsigned after = page, before = page;

	while (after < PAGES && !m->owner[after])
		after++;
	while (before > 0 && !m->owner[before - 1])
		before--;
	FUZZ_CHECK(region_find(&m->tree, page * PAGE) == (after < PAGES ? m->owner[after] : NULL));
	FUZZ_CHECK(region_before(&m->tree, page * PAGE) == (before > 0 ? m->owner[before - 1] : NULL));
}

static void check_gap(const struct model *m, unsigned low, unsigned size)
{
	unsigned high = low + size * 3 % (PAGES - low + 1), best = 0, run = 0;

	size = size % 13 + 1;
	for (unsigned page = low; page < high; page++) {
		run = m->owner[page] ? 0 : run + 1;
		if (run >= size)
			best = page + 1 - size;
	}
	FUZZ_CHECK(region_gap_below(&m->tree, low * PAGE, high * PAGE, size * PAGE) == best * PAGE);
}

static void step(struct model *m, unsigned what, unsigned page, unsigned size)
{
	struct region *r = m->owner[page];

	switch (what) {
	case PUT:
		put(m, page, size % 16 + 1);
		break;
	case TAKE:
		if (r)
			take(m, r);
		break;
	case FIND:
		check_find(m, page);
		break;
	case GAP:
		if (page > 0)
			check_gap(m, page, size);
		break;
	default:
		if (r)
			resize(m, r, what, size % 16);
	}
	FUZZ_CHECK(region_tree_ok(&m->tree) && m->tree.count == m->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct region *r, *last = NULL;
	struct region_walk walk;
	struct model m;

	memset(&m, 0, sizeof(m));
	while (in.left >= 3) {
		unsigned what = fuzz_byte(&in) % KINDS, page = fuzz_byte(&in);

		step(&m, what, page, fuzz_byte(&in));
	}
	for (unsigned page = 0; page < PAGES; page++) {
		if (!m.owner[page] || m.owner[page] == last)
			continue;
		r = last ? region_walk_next(&walk) : region_walk_begin(&walk, &m.tree);
		FUZZ_CHECK(r == m.owner[page]);
		last = r;
	}
	while ((r = m.tree.root) != NULL)
		take(&m, r);
	FUZZ_CHECK(m.count == 0 && m.tree.root == NULL);
	return 0;
}
