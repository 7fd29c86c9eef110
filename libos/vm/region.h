/* SPDX-License-Identifier: MIT */
/*
 * Address ranges in order: a balanced tree of disjoint regions that also knows its gaps.
 *
 * Pure: works on nodes that the caller allocates, so that it is tested on the host
 * (tests/unit/region_test.c).  All addresses are multiples of the page size.
 */
#ifndef LIBOS_REGION_H
#define LIBOS_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A node.  `start` and `end` change only through region_resize() and region_split() while it is in a tree.
 *
 *	subtree of a node:   first [left][gap][node][gap][right] last
 *	gap = the largest hole between two neighbours inside the subtree
 */
struct region {
	uint64_t start, end; /* [start, end), not empty */

	/* The tree's. */
	struct region *child[2];
	int height;
	uint64_t first, last, gap;
};

struct region_tree {
	struct region *root;
	size_t count;
	/* One that touches no other, found last; NULL when it is not known, or any has changed since. */
	const struct region *alone;
};

/* r must overlap no region of the tree. */
void region_insert(struct region_tree *t, struct region *r);
void region_remove(struct region_tree *t, struct region *r);
/* New bounds, which overlap no other region and leave the order as it is. */
void region_resize(struct region_tree *t, struct region *r, uint64_t start, uint64_t end);
/* r keeps what lies below `at`, which is inside it; `upper`, in no tree, becomes the rest. */
void region_split(struct region_tree *t, struct region *r, struct region *upper, uint64_t at);

/* The lowest region that ends after `address`: the one that contains it, else the next one. */
struct region *region_find(const struct region_tree *t, uint64_t address);
/* The highest region that starts before `address`. */
struct region *region_before(const struct region_tree *t, uint64_t address);
/* Those that touch r, of the tree: beside[0] ends where r starts, beside[1] starts where r ends.  NULL: a
 * hole. */
void region_touching(struct region_tree *t, const struct region *r, struct region *beside[2]);
/* The regions in order, while the tree does not change: begin, and next until NULL. */
#define REGION_HEIGHT_MAX 47
struct region_walk {
	unsigned depth;
	struct region *above[REGION_HEIGHT_MAX]; /* the last is where we are, the others are still to come */
};
struct region *region_walk_begin(struct region_walk *w, const struct region_tree *t);
struct region *region_walk_next(struct region_walk *w);

/* The highest address of a hole of `size` bytes in [low, high); 0 if there is none. */
uint64_t region_gap_below(const struct region_tree *t, uint64_t low, uint64_t high, uint64_t size);

/* For tests and debug builds: order, balance, the summaries and `alone` are all as they should be. */
bool region_tree_ok(const struct region_tree *t);

#endif
