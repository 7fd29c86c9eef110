/* SPDX-License-Identifier: MIT */
/*
 * Things found by a 64-bit key; several may have the same one, and stand in the order in which they
 * came, but for those that were put before another.  Intrusive, pure, and locked by whoever has it.
 *
 *	root -> [k1] --same--> [k1] --same--> [k1]      the first with a key is the tree's
 *	        /  \
 *	     [k2]  [k3]                                 0 and 1: the next bit of the key, from the top
 *
 * A digital search tree: the way down to a key follows its bits until a node has the key itself.  Why
 * this shape: no node is ever moved to balance it, and yet with keys that are spread (name_key) a way is
 * about log2(n) long, and never longer than the key has bits.
 */
#ifndef LIBOS_NAME_TREE_H
#define LIBOS_NAME_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include "core/list.h"

struct named {
	uint64_t key;
	struct named *child[2];
	struct list same; /* the others with this key */
};

/* Spreads keys that are not; two different ones stay different. */
static inline uint64_t name_key(uint64_t number)
{
	number *= 0x9e3779b97f4a7c15ul;
	return number ^ number >> 32;
}

/* name_tree.c: what is left to do when there are others. */
void named_insert_below(struct named **root, struct named *n);
void named_remove_below(struct named **root, struct named *n);
struct named *named_find_below(struct named *n, uint64_t key);

static inline void named_insert(struct named **root, struct named *n, uint64_t key)
{
	n->key = key;
	n->child[0] = n->child[1] = NULL;
	list_init(&n->same);
	if (*root)
		named_insert_below(root, n);
	else
		*root = n;
}

/* Where `next` is in the tree n comes to be, with the same key, just before it. */
void named_insert_before(struct named **root, struct named *n, struct named *next);

/* n is in this tree. */
static inline void named_remove(struct named **root, struct named *n)
{
	if (*root == n && !n->child[0] && !n->child[1] && list_empty(&n->same))
		*root = NULL;
	else
		named_remove_below(root, n);
}

/* The first with this key, or NULL. */
static inline struct named *named_find(struct named *const *root, uint64_t key)
{
	struct named *n = *root;

	return !n || n->key == key ? n : named_find_below(n, key);
}

/* Those with one key are a ring: the one behind n, and the one before it, which are n if it is alone. */
static inline struct named *named_after(const struct named *n)
{
	return list_entry(n->same.next, struct named, same);
}

static inline struct named *named_before(const struct named *n)
{
	return list_entry(n->same.prev, struct named, same);
}

/* For walking along them: the last one, to be asked for at the first; and the next one, to be asked for
 * before this one is removed. */
static inline struct named *named_last(const struct named *first)
{
	return named_before(first);
}

static inline struct named *named_next(const struct named *n, const struct named *last)
{
	return n == last ? NULL : named_after(n);
}

#endif
