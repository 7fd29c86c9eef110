/* SPDX-License-Identifier: MIT */
/*
 * An intrusive priority queue: a leftist heap.
 *
 *	      key 3                 A parent is never after its children, and the shortest way down
 *	     /     \                is always the right one, at most log2(n + 1) nodes long.  Two
 *	  key 5   key 4             heaps are merged along their right edges, and inserting, taking
 *	  /                         the first and removing any node are all such merges: O(log n) in
 *	key 9                       the worst case, which is what a section with upcalls masked needs.
 *
 * Nodes with equal keys keep the order in which they were inserted.  Keys are compared modulo
 * 2^64, so they may wrap as long as those in one heap span less than 2^63.  No locking, no memory:
 * the caller provides both.
 */
#ifndef LIBOS_ORDERED_H
#define LIBOS_ORDERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ordered_node {
	struct ordered_node *left, *right, *parent;
	uint64_t key, sequence;
	uint32_t rank; /* nodes on the shortest way down, this one included; 0: in no heap */
};

struct ordered_heap {
	struct ordered_node *root;
	uint64_t sequence; /* of the next insertion */
	size_t count;
};

static inline struct ordered_node *ordered_first(const struct ordered_heap *h)
{
	return h->root;
}

static inline bool ordered_is_queued(const struct ordered_node *n)
{
	return n->rank != 0;
}

/* n must be in no heap. */
void ordered_insert(struct ordered_heap *h, struct ordered_node *n, uint64_t key);
/* n must be in h. */
void ordered_remove(struct ordered_heap *h, struct ordered_node *n);
/* The node visited after n, parents before children, otherwise in no useful order; or NULL. */
struct ordered_node *ordered_next(const struct ordered_node *n);
/* Every promise above holds (for assertions and tests; visits all nodes). */
bool ordered_is_sound(const struct ordered_heap *h);

#endif
