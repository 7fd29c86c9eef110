/* SPDX-License-Identifier: MIT */
/* The leftist heap against a sorted array, under random insertions and removals. */
#include <libos/ordered.h>
#include <stdlib.h>
#include <string.h>
#include "../../libos/core/ordered.c"
#include "check.h"

#define NODES 400

static void equal_keys_keep_their_order(void)
{
	struct ordered_heap h = { 0 };
	struct ordered_node n[NODES];

	memset(n, 0, sizeof(n));
	for (int i = 0; i < NODES; i++)
		ordered_insert(&h, &n[i], 7);
	for (int i = 0; i < NODES; i++) {
		CHECK(ordered_first(&h) == &n[i]);
		ordered_remove(&h, &n[i]);
	}
	CHECK_EQ(h.count, 0);
}

static void keys_may_wrap(void)
{
	struct ordered_heap h = { 0 };
	struct ordered_node early = { 0 }, late = { 0 };

	ordered_insert(&h, &late, 5);
	ordered_insert(&h, &early, UINT64_MAX - 5);
	CHECK(ordered_first(&h) == &early);
}

static struct ordered_node *smallest(struct ordered_node *n)
{
	struct ordered_node *best = NULL;

	for (int i = 0; i < NODES; i++)
		if (ordered_is_queued(&n[i]) && (!best || before(&n[i], best)))
			best = &n[i];
	return best;
}

static void random_operations_leave_a_sound_heap(void)
{
	struct ordered_heap h = { 0 };
	struct ordered_node n[NODES];

	memset(n, 0, sizeof(n));
	srand(1);
	for (int step = 0; step < 20000; step++) {
		struct ordered_node *at = &n[rand() % NODES];

		if (ordered_is_queued(at))
			ordered_remove(&h, at);
		else
			ordered_insert(&h, at, (uint64_t)(rand() % 50));
		if (step % 16 == 0) {
			CHECK(ordered_is_sound(&h));
			CHECK(ordered_first(&h) == smallest(n));
		}
	}
}

static void ascending_and_descending_insertions_stay_shallow(void)
{
	struct ordered_heap h = { 0 };
	struct ordered_node n[NODES];

	memset(n, 0, sizeof(n));
	for (int i = 0; i < NODES; i++)
		ordered_insert(&h, &n[i], (uint64_t)(i % 2 ? i : NODES - i));
	CHECK(ordered_is_sound(&h));
	CHECK(h.root->rank <= 9); /* log2(401) */
}

int main(void)
{
	RUN(equal_keys_keep_their_order);
	RUN(keys_may_wrap);
	RUN(random_operations_leave_a_sound_heap);
	RUN(ascending_and_descending_insertions_stay_shallow);
	return check_result();
}
