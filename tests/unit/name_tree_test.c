/* SPDX-License-Identifier: MIT */
/* The tree of names against an array, under random insertions and removals. */
#include <stdlib.h>
#include <string.h>
#include "../../libos/core/name_tree.c"
#include "check.h"
#include "panic.h"

#define NODES 300

static struct named nodes[NODES];
static unsigned came[NODES]; /* when it was put in; 0: it is not there */

static unsigned depth_of(const struct named *n)
{
	unsigned left, right;

	if (!n)
		return 0;
	left = depth_of(n->child[0]);
	right = depth_of(n->child[1]);
	return 1 + (left > right ? left : right);
}

/* Those with this key that are there, in the order in which they came. */
static void finds_exactly(struct named *const *root, uint64_t key)
{
	struct named *n = named_find(root, key), *end = n ? named_last(n) : NULL;
	unsigned last = 0;

	for (;;) {
		int next = -1;

		for (int i = 0; i < NODES; i++)
			if (came[i] > last && nodes[i].key == key && (next < 0 || came[i] < came[next]))
				next = i;
		CHECK(n == (next < 0 ? NULL : &nodes[next]));
		if (!n || next < 0)
			return;
		last = came[next];
		n = named_next(n, end);
	}
}

static void random_operations(uint64_t (*key_of)(unsigned))
{
	struct named *root = NULL;

	memset(came, 0, sizeof(came));
	srand(1);
	for (unsigned step = 1; step < 20000; step++) {
		unsigned i = (unsigned)rand() % NODES;

		if (came[i]) {
			named_remove(&root, &nodes[i]);
			came[i] = 0;
		} else {
			named_insert(&root, &nodes[i], key_of((unsigned)rand()));
			came[i] = step;
		}
		finds_exactly(&root, nodes[i].key);
		finds_exactly(&root, key_of((unsigned)rand()));
	}
	for (unsigned i = 0; i < NODES; i++)
		if (came[i])
			named_remove(&root, &nodes[i]);
	CHECK(root == NULL);
}

static uint64_t one_of_fifty(unsigned random)
{
	return name_key(random % 50);
}

static uint64_t small_number(unsigned random)
{
	return random % 1000; /* the upper 54 bits are alike */
}

static void what_was_put_in_is_found_in_order(void)
{
	random_operations(one_of_fifty);
}

static void keys_that_differ_late_are_told_apart(void)
{
	random_operations(small_number);
}

static void spread_keys_make_a_flat_tree(void)
{
	static struct named many[20000];
	struct named *root = NULL;

	for (unsigned i = 0; i < 20000; i++)
		named_insert(&root, &many[i], name_key(0x7f0000001000ul + i * 4));
	CHECK(depth_of(root) < 40); /* log2(20000) is 14 */
}

/* Those with the key, against the order in which they are to be. */
static void stand_in_order(struct named *const *root, uint64_t key, struct named *const *order,
			   unsigned count)
{
	struct named *n = named_find(root, key), *last = n ? named_last(n) : NULL;

	for (unsigned i = 0; i < count; i++) {
		CHECK(n == order[i]);
		n = named_next(n, last);
	}
	CHECK(n == NULL);
}

/* Among keys of whose nodes some are below them. */
static void one_can_come_before_another(void)
{
	enum { KEYS = 3, MOST = 20 };
	static struct named pool[KEYS * MOST], *order[KEYS][MOST];
	unsigned count[KEYS] = { 0 }, used = 0;
	struct named *root = NULL, *spare[KEYS * MOST];

	for (unsigned i = 0; i < KEYS * MOST; i++)
		spare[i] = &pool[i];
	srand(2);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned key = (unsigned)rand() % KEYS, *n = &count[key];
		unsigned at = *n ? (unsigned)rand() % *n : 0;
		bool comes = *n == 0 || (*n < MOST && rand() % 2);
		struct named **place = &order[key][at];

		if (!comes) {
			named_remove(&root, *place);
			spare[--used] = *place;
			memmove(place, place + 1, (--*n - at) * sizeof(*place));
		} else if (*n == 0 || rand() % 3 == 0) {
			order[key][*n] = spare[used++];
			named_insert(&root, order[key][(*n)++], key);
		} else {
			memmove(place + 1, place, ((*n)++ - at) * sizeof(*place));
			*place = spare[used++];
			named_insert_before(&root, *place, *(place + 1));
		}
		for (unsigned i = 0; i < KEYS; i++)
			stand_in_order(&root, i, order[i], count[i]);
	}
}

int main(void)
{
	RUN(what_was_put_in_is_found_in_order);
	RUN(keys_that_differ_late_are_told_apart);
	RUN(one_can_come_before_another);
	RUN(spread_keys_make_a_flat_tree);
	return check_result();
}
