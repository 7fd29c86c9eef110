/* SPDX-License-Identifier: MIT */
/* The radix tree of a file's pages; see page_tree.h for its shape. */
#include "fs/page_tree.h"
#include <stdbool.h>
#include "abi/errno.h"
#include "core/memory.h"

struct page_node {
	void *slot[PAGE_TREE_SLOTS]; /* nodes, or pages at the lowest level */
};

/* Pages below one slot of a node at this level; level 1 is the lowest. */
static uint64_t slot_span(unsigned level)
{
	return 1ul << (PAGE_TREE_BITS * (level - 1));
}

static bool covers(const struct page_tree *t, uint64_t index)
{
	/* Eleven levels cover every 64-bit index; file sizes never need more than nine. */
	return t->height * PAGE_TREE_BITS >= 64 || index >> (PAGE_TREE_BITS * t->height) == 0;
}

static unsigned slot_of(uint64_t index, unsigned level)
{
	return (index >> (PAGE_TREE_BITS * (level - 1))) % PAGE_TREE_SLOTS;
}

void *page_tree_get(const struct page_tree *t, uint64_t index)
{
	void *p = t->root;

	if (!covers(t, index))
		return NULL;
	for (unsigned level = t->height; level && p; level--)
		p = ((struct page_node *)p)->slot[slot_of(index, level)];
	return p;
}

static struct page_node *node_alloc(struct page_tree *t)
{
	struct page_node *node = heap_alloc(sizeof(*node));

	if (node)
		t->nodes++;
	return node;
}

int page_tree_insert(struct page_tree *t, uint64_t index, void *page)
{
	struct page_node *node;

	while (t->height == 0 || !covers(t, index)) {
		if (t->root) {
			node = node_alloc(t);
			if (!node)
				return -ENOMEM;
			node->slot[0] = t->root;
			t->root = node;
		}
		t->height++;
	}
	if (!t->root)
		t->root = node_alloc(t);
	if (!t->root)
		return -ENOMEM;
	node = t->root;
	for (unsigned level = t->height; level > 1; level--) {
		void **slot = &node->slot[slot_of(index, level)];

		if (!*slot)
			*slot = node_alloc(t);
		if (!*slot)
			return -ENOMEM;
		node = *slot;
	}
	node->slot[slot_of(index, 1)] = page;
	return 0;
}

static bool node_empty(const struct page_node *node)
{
	for (unsigned i = 0; i < PAGE_TREE_SLOTS; i++)
		if (node->slot[i])
			return false;
	return true;
}

/* What page_tree_detach() is doing: the range and where the pages go. */
struct detachment {
	struct page_tree *tree;
	uint64_t first, end;
	void **out;
	unsigned room, count;
};

/* `base` is the index of the node's first page.  Recursion is as deep as the tree is high. */
static void detach_below(struct detachment *d, struct page_node *node, unsigned level,
			 uint64_t base)
{
	uint64_t span = slot_span(level);
	unsigned i = d->first > base ? (d->first - base) / span : 0;

	for (; i < PAGE_TREE_SLOTS && d->count < d->room; i++) {
		if (base + i * span >= d->end)
			return;
		if (!node->slot[i])
			continue;
		if (level == 1) {
			d->out[d->count++] = node->slot[i];
			node->slot[i] = NULL;
			continue;
		}
		detach_below(d, node->slot[i], level - 1, base + i * span);
		if (node_empty(node->slot[i])) {
			heap_free(node->slot[i]);
			d->tree->nodes--;
			node->slot[i] = NULL;
		}
	}
}

unsigned page_tree_detach(struct page_tree *t, uint64_t first, uint64_t end, void **out,
			  unsigned room)
{
	struct detachment d = { .tree = t, .first = first, .end = end, .out = out, .room = room };

	if (!t->root || !covers(t, first))
		return 0;
	detach_below(&d, t->root, t->height, 0);
	if (node_empty(t->root)) {
		heap_free(t->root);
		*t = (struct page_tree){ 0 };
	}
	return d.count;
}

static uint64_t next_below(const struct page_node *node, unsigned level, uint64_t base,
			   uint64_t from)
{
	uint64_t span = slot_span(level), found;
	unsigned i = from > base ? (from - base) / span : 0;

	for (; i < PAGE_TREE_SLOTS; i++) {
		if (!node->slot[i])
			continue;
		if (level == 1)
			return base + i;
		found = next_below(node->slot[i], level - 1, base + i * span, from);
		if (found != PAGE_TREE_NONE)
			return found;
	}
	return PAGE_TREE_NONE;
}

uint64_t page_tree_next(const struct page_tree *t, uint64_t from)
{
	if (!t->root || !covers(t, from))
		return PAGE_TREE_NONE;
	return next_below(t->root, t->height, 0, from);
}
