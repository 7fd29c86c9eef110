/* SPDX-License-Identifier: MIT */
/*
 * A sparse array of pages, indexed by page number.
 *
 *	height 2:      root
 *	              /    \
 *	         [0..63]  [64..127] ...     64 slots per node
 *	          pages     pages
 *
 * A radix tree: a file that is written densely pays one word per page, a sparse one pays for the
 * path to what it has, and no operation depends on how many pages there are.  The caller locks.
 */
#ifndef LIBOS_PAGE_TREE_H
#define LIBOS_PAGE_TREE_H

#include <stdint.h>

#define PAGE_TREE_BITS 6
#define PAGE_TREE_SLOTS (1u << PAGE_TREE_BITS)
#define PAGE_TREE_NONE UINT64_MAX

struct page_node;

struct page_tree {
	struct page_node *root; /* NULL: empty */
	unsigned height;        /* levels of nodes */
	uint64_t nodes;         /* allocated now */
};

void *page_tree_get(const struct page_tree *t, uint64_t index);
/* 0, or -ENOMEM.  There must be no page at index yet. */
int page_tree_insert(struct page_tree *t, uint64_t index, void *page);
/* Takes up to `room` pages with first <= index < end out of the tree; returns how many. */
unsigned page_tree_detach(struct page_tree *t, uint64_t first, uint64_t end, void **out,
			  unsigned room);
/* The lowest index >= from that has a page, or PAGE_TREE_NONE. */
uint64_t page_tree_next(const struct page_tree *t, uint64_t from);

#endif
