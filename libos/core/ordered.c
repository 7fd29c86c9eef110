/* SPDX-License-Identifier: MIT */
/* The leftist heap of libos/ordered.h.  Pure: also built for the host. */
#include <libos/ordered.h>

static bool before(const struct ordered_node *a, const struct ordered_node *b)
{
	if (a->key != b->key)
		return (int64_t)(a->key - b->key) < 0;
	return (int64_t)(a->sequence - b->sequence) < 0;
}

static uint32_t rank_of(const struct ordered_node *n)
{
	return n ? n->rank : 0;
}

/* The longer way down goes left.  Returns whether the rank of n changed. */
static bool balance(struct ordered_node *n)
{
	uint32_t rank;

	if (rank_of(n->left) < rank_of(n->right)) {
		struct ordered_node *left = n->left;

		n->left = n->right;
		n->right = left;
	}
	rank = rank_of(n->right) + 1;
	if (rank == n->rank)
		return false;
	n->rank = rank;
	return true;
}

/* One heap out of two; its root's parent is left to the caller. */
static struct ordered_node *merge(struct ordered_node *a, struct ordered_node *b)
{
	struct ordered_node *root, *at, *above;

	if (!a || !b)
		return a ? a : b;
	/* Down: thread both right edges into one, in order. */
	if (before(b, a)) {
		root = b;
		b = a;
	} else {
		root = a;
	}
	at = root;
	while (at->right) {
		struct ordered_node *next = at->right;

		if (before(b, next)) {
			at->right = b;
			b->parent = at;
			b = next;
			next = at->right;
		}
		at = next;
	}
	at->right = b;
	b->parent = at;
	/* Up: every node on the way has a new right child. */
	for (;; at = above) {
		above = at->parent;
		balance(at);
		if (at == root)
			return root;
	}
}

void ordered_insert(struct ordered_heap *h, struct ordered_node *n, uint64_t key)
{
	n->left = n->right = NULL;
	n->key = key;
	n->sequence = h->sequence++;
	n->rank = 1;
	h->root = merge(h->root, n);
	h->root->parent = NULL;
	h->count++;
}

void ordered_remove(struct ordered_heap *h, struct ordered_node *n)
{
	struct ordered_node *above = n->parent;
	struct ordered_node *rest = merge(n->left, n->right);

	if (rest)
		rest->parent = above;
	if (!above)
		h->root = rest;
	else if (above->left == n)
		above->left = rest;
	else
		above->right = rest;
	/* Ranks above may have fallen; where one has not, those further up have not either.  A fall
	 * of rank on a left edge stops at once, so this is O(log n) as well. */
	while (above && balance(above))
		above = above->parent;
	n->left = n->right = n->parent = NULL;
	n->rank = 0;
	h->count--;
}

struct ordered_node *ordered_next(const struct ordered_node *n)
{
	if (n->left)
		return n->left;
	if (n->right)
		return n->right;
	while (n->parent) {
		const struct ordered_node *above = n->parent;

		if (above->left == n && above->right)
			return above->right;
		n = above;
	}
	return NULL;
}

bool ordered_is_sound(const struct ordered_heap *h)
{
	size_t count = 0;

	if (h->root && h->root->parent)
		return false;
	for (const struct ordered_node *n = h->root; n; n = ordered_next(n), count++) {
		if (n->rank != rank_of(n->right) + 1 || rank_of(n->left) < rank_of(n->right))
			return false;
		if (n->left && (n->left->parent != n || before(n->left, n)))
			return false;
		if (n->right && (n->right->parent != n || before(n->right, n)))
			return false;
	}
	return count == h->count;
}
