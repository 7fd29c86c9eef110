/* SPDX-License-Identifier: MIT */
/*
 * libos/core/ordered.c: the heap against an unordered array that is searched.
 *
 *	input: pairs {node, key}: a node that is in the heap is taken out, another put in;
 *	node 255 takes the first out, 254 moves the keys on by 2^59, so that they wrap
 */
#include <libos/ordered.h>
#include <string.h>
#include "fuzz.h"

#define NODES 64

const struct fuzz_target fuzz_target = { "ordered", "the_first_of_a_heap_is_the_first", 6000 };

size_t fuzz_seed(unsigned number, uint8_t *out)
{
	size_t n = 0;

	if (number > 1)
		return 0;
	for (unsigned i = 0; i < NODES; i++) {
		out[n++] = (uint8_t)i;
		out[n++] = (uint8_t)(number ? i * 37 % 32 : i);
	}
	for (unsigned i = 0; i < NODES; i++) {
		out[n++] = (uint8_t)(number && i % 3 ? i : 255);
		out[n++] = 0;
		if (i % 16 == 0) {
			out[n++] = 254;
			out[n++] = 0;
		}
	}
	return n;
}

struct model {
	struct ordered_heap heap;
	struct ordered_node nodes[NODES];
	uint64_t keys[NODES], numbers[NODES]; /* of those that are in the heap */
	bool queued[NODES];
	uint64_t base, inserted;
	size_t count;
};

static struct ordered_node *first_of(struct model *m)
{
	int best = -1;

	for (int i = 0; i < NODES; i++) {
		if (!m->queued[i])
			continue;
		if (best < 0 || (int64_t)(m->keys[i] - m->keys[best]) < 0 ||
		    (m->keys[i] == m->keys[best] && m->numbers[i] < m->numbers[best]))
			best = i;
	}
	return best < 0 ? NULL : &m->nodes[best];
}

static void take_or_put(struct model *m, unsigned i, uint64_t key)
{
	if (m->queued[i]) {
		ordered_remove(&m->heap, &m->nodes[i]);
		m->count--;
	} else {
		m->keys[i] = key;
		m->numbers[i] = m->inserted++;
		ordered_insert(&m->heap, &m->nodes[i], key);
		m->count++;
	}
	m->queued[i] = !m->queued[i];
	FUZZ_CHECK(ordered_is_queued(&m->nodes[i]) == m->queued[i]);
}

/* Keys in one heap span less than 2^63: they move on only while it is empty, or from near its first. */
static void move_on(struct model *m)
{
	for (int i = 0; i < NODES; i++)
		if (m->queued[i] && m->base - m->keys[i] > 3ul << 59 && m->keys[i] - m->base > 255)
			return;
	m->base += 1ul << 59;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct model m;

	memset(&m, 0, sizeof(m));
	while (in.left >= 2) {
		uint8_t what = fuzz_byte(&in), key = fuzz_byte(&in);
		struct ordered_node *first = ordered_first(&m.heap);

		if (what == 254)
			move_on(&m);
		else if (what != 255)
			take_or_put(&m, what % NODES, m.base + key);
		else if (first)
			take_or_put(&m, (unsigned)(first - m.nodes), 0);
		FUZZ_CHECK(m.heap.count == m.count);
		FUZZ_CHECK(ordered_first(&m.heap) == first_of(&m));
		FUZZ_CHECK(ordered_is_sound(&m.heap));
	}
	return 0;
}
