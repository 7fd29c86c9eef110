/* SPDX-License-Identifier: MIT */
/*
 * The tree of regions: an AVL tree whose nodes summarise their subtrees.
 *
 *	            [R3]  first = R1.start, last = R5.end, gap = widest hole between R1 and R5
 *	        [R1]    [R5]
 *	            [R2]
 *
 * Why this shape: fault, munmap and mprotect look a region up by address, and mmap looks for the
 * highest hole that is large enough; with the summaries both are one descent.  A process may have
 * 65 thousand regions (every second page protected), so neither may be a walk along a list.
 *
 * Recursion is bounded by the height: an AVL tree of 2^32 nodes is less than 47 high.
 */
#include "region.h"

static int height_of(const struct region *r)
{
	return r ? r->height : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline __attribute__((always_inline)) void summarise(struct region *r)
{
	const struct region *left = r->child[0], *right = r->child[1];
	int lh = height_of(left), rh = height_of(right);

	r->height = 1 + (lh > rh ? lh : rh);
	r->first = left ? left->first : r->start;
	r->last = right ? right->last : r->end;
	r->gap = 0;
	if (left)
		r->gap = larger(left->gap, r->start - left->last);
	if (right)
		r->gap = larger(r->gap, larger(right->gap, right->first - r->end));
}

/* The child on side `up` becomes the root of the subtree. */
static struct region *rotate(struct region *r, int up)
{
	struct region *top = r->child[up];

	r->child[up] = top->child[!up];
	top->child[!up] = r;
	summarise(r);
	summarise(top);
	return top;
}

static struct region *balance(struct region *r)
{
	int lean = height_of(r->child[1]) - height_of(r->child[0]);

	if (lean >= -1 && lean <= 1) {
		summarise(r);
		return r;
	}
	int heavy = lean > 0;
	struct region *child = r->child[heavy];

	if (height_of(child->child[!heavy]) > height_of(child->child[heavy]))
		r->child[heavy] = rotate(child, !heavy);
	return rotate(r, heavy);
}

static struct region *insert(struct region *root, struct region *r)
{
	if (!root)
		return r;
	int side = r->start > root->start;

	root->child[side] = insert(root->child[side], r);
	return balance(root);
}

/* Takes the lowest node out of a subtree that is not empty. */
static struct region *take_first(struct region *root, struct region **first)
{
	if (!root->child[0]) {
		*first = root;
		return root->child[1];
	}
	root->child[0] = take_first(root->child[0], first);
	return balance(root);
}

static struct region *take_out(struct region *root, const struct region *r)
{
	if (root != r) {
		int side = r->start > root->start;

		root->child[side] = take_out(root->child[side], r);
		return balance(root);
	}
	if (!root->child[1])
		return root->child[0];
	struct region *next, *rest = take_first(root->child[1], &next);

	next->child[0] = root->child[0];
	next->child[1] = rest;
	return balance(next);
}

static void refresh(struct region *root, const struct region *r)
{
	if (root != r)
		refresh(root->child[r->start > root->start], r);
	summarise(root);
}

void region_insert(struct region_tree *t, struct region *r)
{
	r->child[0] = r->child[1] = NULL;
	summarise(r);
	t->root = insert(t->root, r);
	t->count++;
	t->alone = NULL;
}

void region_remove(struct region_tree *t, struct region *r)
{
	t->root = take_out(t->root, r);
	t->count--;
	t->alone = NULL;
}

/* The order of the nodes stays, so the way down to r is the same with either start. */
void region_resize(struct region_tree *t, struct region *r, uint64_t start, uint64_t end)
{
	r->start = start;
	r->end = end;
	refresh(t->root, r);
	t->alone = NULL;
}

/* upper starts behind r and before what follows r: the way down to its place leads by r, whose summaries, and
 * those above, are made anew on the way back. */
void region_split(struct region_tree *t, struct region *r, struct region *upper, uint64_t at)
{
	upper->start = at;
	upper->end = r->end;
	r->end = at;
	region_insert(t, upper);
}

struct region *region_find(const struct region_tree *t, uint64_t address)
{
	struct region *best = NULL;

	for (struct region *r = t->root; r;) {
		if (r->end > address) {
			best = r;
			r = r->child[0];
		} else {
			r = r->child[1];
		}
	}
	return best;
}

/* Down to the lowest of a subtree; in one that is empty we are where we were. */
static struct region *descend(struct region_walk *w, struct region *r)
{
	for (; r; r = r->child[0])
		w->above[w->depth++] = r;
	return w->depth > 0 ? w->above[w->depth - 1] : NULL;
}

struct region *region_walk_begin(struct region_walk *w, const struct region_tree *t)
{
	w->depth = 0;
	return descend(w, t->root);
}

struct region *region_walk_next(struct region_walk *w)
{
	return descend(w, w->above[--w->depth]->child[1]);
}

struct region *region_before(const struct region_tree *t, uint64_t address)
{
	struct region *best = NULL;

	for (struct region *r = t->root; r;) {
		if (r->start < address) {
			best = r;
			r = r->child[1];
		} else {
			r = r->child[0];
		}
	}
	return best;
}

/* The last region of a subtree on side `up`. */
static struct region *outermost(struct region *root, int up)
{
	while (root->child[up])
		root = root->child[up];
	return root;
}

/*
 * What lies beside r are the nearest of its ancestors on both sides, met on the way down to it; but if it has
 * children on a side, then the outermost of those towards r, of which the child's summary says whether it
 * touches.  So below r nothing is looked at that does not touch, and the cost is one descent as far as r.
 */
void region_touching(struct region_tree *t, const struct region *r, struct region *beside[2])
{
	struct region *near[2] = { NULL, NULL };

	for (struct region *at = t->root; at != r;) {
		int up = r->start > at->start;

		near[!up] = at;
		at = at->child[up];
	}
	if (r->child[0])
		near[0] = r->child[0]->last == r->start ? outermost(r->child[0], 1) : NULL;
	if (r->child[1])
		near[1] = r->child[1]->first == r->end ? outermost(r->child[1], 0) : NULL;
	beside[0] = near[0] && near[0]->end == r->start ? near[0] : NULL;
	beside[1] = near[1] && near[1]->start == r->end ? near[1] : NULL;
	if (!beside[0] && !beside[1])
		t->alone = r;
}

/* [hole_start, hole_end) cut to [low, high): its highest place for `size` bytes, or 0. */
static uint64_t place_in(uint64_t hole_start, uint64_t hole_end, uint64_t low, uint64_t high,
			 uint64_t size)
{
	uint64_t start = larger(hole_start, low), end = hole_end < high ? hole_end : high;

	return end > start && end - start >= size ? end - size : 0;
}

/*
 * The highest hole between neighbours inside a subtree.  Subtrees without a wide enough hole, or
 * outside [low, high), are not entered; a hole that only [low, high) makes too narrow costs one
 * further descent at each of the two ends, so the search stays within a few times the height.
 */
static uint64_t place_inside(const struct region *r, uint64_t low, uint64_t high, uint64_t size)
{
	if (!r || r->gap < size || r->first >= high || r->last <= low)
		return 0;
	const struct region *left = r->child[0], *right = r->child[1];
	uint64_t found = place_inside(right, low, high, size);

	if (!found && right)
		found = place_in(r->end, right->first, low, high, size);
	if (!found && left)
		found = place_in(left->last, r->start, low, high, size);
	return found ? found : place_inside(left, low, high, size);
}

uint64_t region_gap_below(const struct region_tree *t, uint64_t low, uint64_t high, uint64_t size)
{
	const struct region *root = t->root;

	if (!root)
		return place_in(low, high, low, high, size);
	uint64_t found = place_in(root->last, high, low, high, size);

	if (!found)
		found = place_inside(root, low, high, size);
	return found ? found : place_in(low, root->first, low, high, size);
}

static bool subtree_ok(const struct region *r, uint64_t *at, size_t *count)
{
	if (!r)
		return true;
	struct region copy = *r;

	if (!subtree_ok(r->child[0], at, count))
		return false;
	if (r->start < *at || r->end <= r->start)
		return false;
	*at = r->end;
	++*count;
	summarise(&copy);
	if (copy.height != r->height || copy.first != r->first || copy.last != r->last ||
	    copy.gap != r->gap)
		return false;
	int lean = height_of(r->child[1]) - height_of(r->child[0]);

	return lean >= -1 && lean <= 1 && subtree_ok(r->child[1], at, count);
}

/* Is what the tree says to be alone in it, and touches no other? */
static bool alone_ok(const struct region_tree *t)
{
	const struct region *r = t->alone, *before, *after;

	if (!r)
		return true;
	before = region_before(t, r->start);
	after = region_find(t, r->end);
	return region_find(t, r->start) == r && !(before && before->end == r->start) &&
	       !(after && after->start == r->end);
}

bool region_tree_ok(const struct region_tree *t)
{
	uint64_t at = 0;
	size_t count = 0;

	return subtree_ok(t->root, &at, &count) && count == t->count && alone_ok(t);
}
