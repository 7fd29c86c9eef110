/* SPDX-License-Identifier: MIT */
/* libos/fs/page_tree.c: a page is found where it was put, in no more nodes than lead to it, and what memory
 * was too little for leaves nothing behind. */
#include <stdlib.h>
#include "check.h"
#include "../../libos/fs/page_tree.c"

#define FAR 100000 /* three levels down */
#define MANY 16

static unsigned blocks, blocks_most = 100; /* allocated now, and at most */
static char pages[MANY];

void *heap_alloc(size_t size)
{
	if (blocks == blocks_most)
		return NULL;
	blocks++;
	return calloc(1, size);
}

void heap_free(void *block)
{
	blocks -= block != NULL;
	free(block);
}

static void take_all_out(struct page_tree *t, unsigned expect)
{
	void *out[MANY];

	CHECK_EQ(page_tree_detach(t, 0, PAGE_TREE_NONE, out, MANY), expect);
	CHECK_EQ(blocks, 0);
	CHECK_EQ(t->nodes, 0);
}

static void a_page_takes_the_nodes_that_lead_to_it(void)
{
	struct page_tree t = { 0 };

	CHECK_EQ(page_tree_insert(&t, 150, &pages[0]), 0);
	CHECK_EQ(blocks, 2);
	CHECK_EQ(t.nodes, 2);
	CHECK_EQ((uint64_t)page_tree_get(&t, 150), (uint64_t)&pages[0]);
	CHECK_EQ((uint64_t)page_tree_get(&t, 0), 0);
	CHECK_EQ(page_tree_next(&t, 0), 150);
	CHECK_EQ(page_tree_insert(&t, 0, &pages[1]), 0);
	CHECK_EQ(blocks, 3);
	CHECK_EQ((uint64_t)page_tree_get(&t, 0), (uint64_t)&pages[1]);
	take_all_out(&t, 2);
}

static void it_grows_over_what_it_has(void)
{
	static const uint64_t at[] = { 0, 63, 64, 4095, 4096, FAR, 1ul << 50 };
	const unsigned count = sizeof(at) / sizeof(at[0]);
	struct page_tree t = { 0 };

	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(page_tree_insert(&t, at[i], &pages[i]), 0);
	for (unsigned i = 0; i < count; i++) {
		CHECK_EQ((uint64_t)page_tree_get(&t, at[i]), (uint64_t)&pages[i]);
		CHECK_EQ(page_tree_next(&t, i > 0 ? at[i - 1] + 1 : 0), at[i]);
	}
	CHECK_EQ(page_tree_next(&t, (1ul << 50) + 1), PAGE_TREE_NONE);
	take_all_out(&t, count);
}

static void too_little_memory_leaves_nothing_behind(void)
{
	for (unsigned first = 0; first < 2; first++)
		for (blocks_most = 0; blocks_most < 100; blocks_most++) {
			struct page_tree t = { 0 };
			int error = first ? page_tree_insert(&t, 0, &pages[0]) : 0;
			bool has_first = first && error == 0;
			unsigned most = blocks_most;

			error = page_tree_insert(&t, FAR, &pages[1]);
			CHECK(error == 0 || error == -ENOMEM);
			CHECK_EQ((uint64_t)page_tree_get(&t, FAR), error ? 0 : (uint64_t)&pages[1]);
			CHECK_EQ((uint64_t)page_tree_get(&t, 0),
				 has_first ? (uint64_t)&pages[0] : 0);
			if (error)
				blocks_most = 100;
			CHECK_EQ(page_tree_insert(&t, FAR, &pages[1]), 0);
			take_all_out(&t, 1 + has_first);
			blocks_most = error ? most : 100;
		}
	blocks_most = 100;
}

int main(void)
{
	RUN(a_page_takes_the_nodes_that_lead_to_it);
	RUN(it_grows_over_what_it_has);
	RUN(too_little_memory_leaves_nothing_behind);
	return check_result();
}
