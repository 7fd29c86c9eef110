/* SPDX-License-Identifier: MIT */
/*
 * Memory that processes share without a file: MAP_SHARED | MAP_ANONYMOUS, and System V's segments.
 *
 *	shared_memory -> chunk[] -> page[] (heap pages)
 *
 * Its pages are heap pages, so they stay mapped in the shared region, and no unmap by a process
 * reports their frames as free.  A slot goes from empty to full once and stays so, by
 * compare-and-swap: faults of several processes need no common lock, and the loser of a race gives
 * its page back.
 */
#include "vm/space.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "vm/segment.h"

#define CHUNK_PAGES 512

struct chunk {
	void *_Atomic page[CHUNK_PAGES];
};

struct shared_memory {
	_Atomic uint32_t references;
	uint64_t pages, number; /* fixed */
	struct segment
		*segment; /* that it is the memory of, or NULL; fixed once others can find it */
	struct chunk *_Atomic chunk[];
};

static _Atomic uint64_t last_number;

static uint64_t chunks_of(uint64_t pages)
{
	return (pages + CHUNK_PAGES - 1) / CHUNK_PAGES;
}

struct shared_memory *shared_memory_create(uint64_t pages)
{
	/* More could never be there at once, and the table for them is made now. */
	if (pages > frames_total_count())
		return NULL;
	struct shared_memory *s = heap_alloc(sizeof(*s) + chunks_of(pages) * sizeof(s->chunk[0]));

	if (s) {
		atomic_store_explicit(&s->references, 1, memory_order_relaxed);
		s->pages = pages;
		s->number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1;
	}
	return s;
}

void shared_memory_get(struct shared_memory *s)
{
	atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
}

uint64_t shared_memory_number(const struct shared_memory *s)
{
	return s->number;
}

void shared_memory_name(struct shared_memory *s, struct segment *g)
{
	s->segment = g;
}

bool shared_memory_is_segment(const struct shared_memory *s)
{
	return s->segment != NULL;
}

uint64_t shared_memory_pages(const struct shared_memory *s)
{
	return s->pages;
}

uint32_t shared_memory_references(const struct shared_memory *s)
{
	return atomic_load_explicit(&s->references, memory_order_relaxed);
}

static bool was_last(struct shared_memory *s)
{
	if (s->segment)
		return segment_let_go(s->segment, &s->references);
	return atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1;
}

void shared_memory_put(struct shared_memory *s)
{
	if (!was_last(s))
		return;
	for (uint64_t c = 0; c < chunks_of(s->pages); c++) {
		struct chunk *chunk = s->chunk[c];

		for (unsigned i = 0; chunk && i < CHUNK_PAGES; i++)
			if (chunk->page[i])
				pages_free(chunk->page[i], 1);
		heap_free(chunk);
	}
	heap_free(s);
}

/* Release publishes the zeroed contents with the pointer; the loads below acquire. */
static struct chunk *chunk_of(struct shared_memory *s, uint64_t page)
{
	struct chunk *_Atomic *slot = &s->chunk[page / CHUNK_PAGES];
	struct chunk *have = atomic_load_explicit(slot, memory_order_acquire), *fresh;

	if (have)
		return have;
	fresh = heap_alloc(sizeof(*fresh));
	if (!fresh || atomic_compare_exchange_strong_explicit(slot, &have, fresh,
							      memory_order_acq_rel,
							      memory_order_acquire))
		return fresh;
	heap_free(fresh);
	return have;
}

long shared_memory_frame(struct shared_memory *s, uint64_t page)
{
	if (page >= s->pages)
		return 0;
	struct chunk *chunk = chunk_of(s, page);

	if (!chunk)
		return -ENOMEM;
	void *_Atomic *slot = &chunk->page[page % CHUNK_PAGES];
	void *have = atomic_load_explicit(slot, memory_order_acquire), *fresh;

	if (have)
		return (long)frame_of_page(have);
	fresh = pages_alloc(1);
	if (!fresh)
		return -ENOMEM;
	if (atomic_compare_exchange_strong_explicit(slot, &have, fresh, memory_order_acq_rel,
						    memory_order_acquire))
		return (long)frame_of_page(fresh);
	pages_free(fresh, 1);
	return (long)frame_of_page(have);
}
