/* SPDX-License-Identifier: MIT */
/* libos/vm/region.c, against a model: an array of pages, used or not */
#include <stdint.h>
#include <stdlib.h>
#include "../../libos/vm/region.h"
#include "check.h"

#define PAGE 4096ul
#define PAGES 512

static uint64_t random_state = 0x9e3779b97f4a7c15ul;

static unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 11) % n);
}

static struct region *make(unsigned first, unsigned count)
{
	struct region *r = calloc(1, sizeof(*r));

	r->start = first * PAGE;
	r->end = (first + count) * PAGE;
	return r;
}

static void free_all(struct region_tree *t)
{
	struct region *r;

	while ((r = t->root)) {
		region_remove(t, r);
		free(r);
	}
	CHECK_EQ(t->count, 0);
}

/* Page 0 is never used, as in a program's address space. */
struct model {
	struct region *owner[PAGES];
};

static uint64_t model_gap(const struct model *m, unsigned low, unsigned high, unsigned size)
{
	for (unsigned at = high >= size ? high - size : 0; at >= low && at > 0; at--) {
		unsigned n = 0;

		while (n < size && !m->owner[at + n])
			n++;
		if (n == size && at + size <= high)
			return at * PAGE;
	}
	return 0;
}

static struct region *model_find(const struct model *m, unsigned page)
{
	for (; page < PAGES; page++)
		if (m->owner[page])
			return m->owner[page];
	return NULL;
}

static struct region *model_before(const struct model *m, unsigned page)
{
	for (unsigned i = page; i > 0; i--)
		if (m->owner[i - 1])
			return m->owner[i - 1];
	return NULL;
}

/* region_touching() of the region at `page`, if there is one. */
static void check_touching(struct region_tree *t, const struct model *m, unsigned page)
{
	struct region *r = m->owner[page], *beside[2];

	if (!r)
		return;
	uint64_t end = r->end / PAGE;

	region_touching(t, r, beside);
	CHECK(beside[0] == m->owner[r->start / PAGE - 1]);
	CHECK(beside[1] == (end < PAGES ? m->owner[end] : NULL));
}

static void model_set(struct model *m, const struct region *r, struct region *to)
{
	for (uint64_t page = r->start / PAGE; page < r->end / PAGE; page++)
		m->owner[page] = to;
}

static void change_at_random(struct region_tree *t, struct model *m)
{
	unsigned page = 1 + random_below(PAGES - 1);
	struct region *r = m->owner[page];

	if (!r) {
		unsigned count = 0, most = 1 + random_below(8);

		while (count < most && page + count < PAGES && !m->owner[page + count])
			count++;
		r = make(page, count);
		region_insert(t, r);
		model_set(m, r, r);
	} else if (random_below(2)) {
		model_set(m, r, NULL);
		region_remove(t, r);
		free(r);
	} else if (random_below(2) && r->end < PAGES * PAGE && !m->owner[r->end / PAGE]) {
		region_resize(t, r, r->start, r->end + PAGE);
		model_set(m, r, r);
	} else if (r->end - r->start > PAGE) {
		unsigned how = random_below(3);

		model_set(m, r, NULL);
		if (how == 0) {
			unsigned pages = (unsigned)((r->end - r->start) / PAGE);
			unsigned at = (unsigned)(r->start / PAGE) + 1 + random_below(pages - 1);
			struct region *upper = make(at, 1);

			region_split(t, r, upper, at * PAGE);
			model_set(m, upper, upper);
		} else if (how == 1)
			region_resize(t, r, r->start + PAGE, r->end);
		else
			region_resize(t, r, r->start, r->end - PAGE);
		model_set(m, r, r);
	}
}

static void random_changes_match_the_model(void)
{
	for (int round = 0; round < 40; round++) {
		struct region_tree t = { 0 };
		struct model m = { 0 };

		for (int step = 0; step < 1500; step++) {
			change_at_random(&t, &m);
			CHECK(region_tree_ok(&t));
			unsigned page = random_below(PAGES);
			unsigned low = 1 + random_below(PAGES - 1), size = 1 + random_below(12);
			unsigned high = low + random_below(PAGES - low + 1);

			CHECK(region_find(&t, page * PAGE) == model_find(&m, page));
			CHECK(region_before(&t, page * PAGE) == model_before(&m, page));
			check_touching(&t, &m, page);
			CHECK_EQ(region_gap_below(&t, low * PAGE, high * PAGE, size * PAGE),
				 model_gap(&m, low, high, size));
		}
		free_all(&t);
	}
}

static void an_empty_tree_is_one_hole(void)
{
	struct region_tree t = { 0 };

	CHECK(!region_find(&t, 0));
	CHECK(!region_before(&t, ~0ul));
	CHECK_EQ(region_gap_below(&t, PAGE, 100 * PAGE, PAGE), 99 * PAGE);
	CHECK_EQ(region_gap_below(&t, PAGE, 100 * PAGE, 99 * PAGE), PAGE);
	CHECK_EQ(region_gap_below(&t, PAGE, 100 * PAGE, 100 * PAGE), 0);
}

static void ascending_and_descending_insertion_stay_balanced(void)
{
	for (int descending = 0; descending < 2; descending++) {
		struct region_tree t = { 0 };

		for (unsigned i = 1; i <= 4096; i++)
			region_insert(&t, make((descending ? 5000 - i : i) * 2, 1));
		CHECK(region_tree_ok(&t));
		CHECK(t.root->height <= 14);
		free_all(&t);
	}
}

static void a_walk_visits_all_in_order(void)
{
	struct region_tree t = { 0 };
	struct region_walk walk;
	unsigned n = 0;

	CHECK(region_walk_begin(&walk, &t) == NULL);
	for (unsigned i = 0; i < 100; i++)
		region_insert(&t, make((i * 37 % 100 + 1) * 3, 2));
	for (struct region *r = region_walk_begin(&walk, &t); r; r = region_walk_next(&walk)) {
		CHECK_EQ(r->start, (++n) * 3 * PAGE);
		CHECK(region_find(&t, r->start) == r);
	}
	CHECK_EQ(n, 100);
	free_all(&t);
}

int main(void)
{
	RUN(an_empty_tree_is_one_hole);
	RUN(ascending_and_descending_insertion_stay_balanced);
	RUN(a_walk_visits_all_in_order);
	RUN(random_changes_match_the_model);
	return check_result();
}
