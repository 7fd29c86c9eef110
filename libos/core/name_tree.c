/* SPDX-License-Identifier: MIT */
/* The digital search tree of name_tree.h.  Pure: also built for the host. */
#include "core/name_tree.h"

/* Where the pointer to the node with this key is, or would be. */
static struct named **place_of(struct named **root, uint64_t key)
{
	struct named **at = root;

	for (uint64_t bits = key; *at && (*at)->key != key; bits <<= 1)
		at = &(*at)->child[bits >> 63];
	return at;
}

void named_insert_below(struct named **root, struct named *n)
{
	struct named **at = place_of(root, n->key);

	if (*at)
		list_push_back(&(*at)->same, &n->same);
	else
		*at = n;
}

void named_insert_before(struct named **root, struct named *n, struct named *next)
{
	struct named **at = place_of(root, next->key);

	*n = (struct named){ .key = next->key };
	list_init(&n->same);
	list_push_back(&next->same, &n->same);
	if (*at != next)
		return;
	n->child[0] = next->child[0];
	n->child[1] = next->child[1];
	*at = n;
}

/* Any node below may stand here, since its key has all the bits that lead here: one without children. */
static struct named *take_leaf(struct named *n)
{
	struct named **at = &n, *leaf;

	while ((*at)->child[0] || (*at)->child[1])
		at = &(*at)->child[(*at)->child[0] == NULL];
	leaf = *at;
	*at = NULL;
	return leaf;
}

/* Who stands where n has stood: the next with its key, or else one from below; NULL: nobody. */
static struct named *heir_of(struct named *n)
{
	struct named *heir = NULL;

	if (!list_empty(&n->same))
		heir = list_entry(n->same.next, struct named, same);
	else if (n->child[0] || n->child[1])
		heir = take_leaf(n);
	if (heir) {
		heir->child[0] = n->child[0];
		heir->child[1] = n->child[1];
	}
	return heir;
}

void named_remove_below(struct named **root, struct named *n)
{
	struct named **at = place_of(root, n->key);

	if (*at == n)
		*at = heir_of(n);
	list_remove(&n->same);
}

struct named *named_find_below(struct named *n, uint64_t key)
{
	for (uint64_t bits = key; n && n->key != key; bits <<= 1)
		n = n->child[bits >> 63];
	return n;
}
