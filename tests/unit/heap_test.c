/* SPDX-License-Identifier: MIT */
/* libos/core/page_runs.c; libos/core/heap_pages.c and libos/core/heap.c included: blocks do not overlap, and
 * a debug build notices who writes to a block that is free.
 *
 * The heap's addresses are memory of the host. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "check.h"
#include "panic.h"

#define LIBOS_CPU_SELECTOR_H
#include <exo/abi.h>
static inline uint64_t cpu_selector(void)
{
	return EXO_CPU_SELECTOR;
}

#include "../../libos/core/heap_pages.c"
#include "../../libos/core/heap.c"

enum { BLOCKS = 300 };

struct vcore vcores[EXO_CPUS_MAX];

void lock_take_checked(struct lock *l) {}
void lock_drop_checked(struct lock *l) {}
uint64_t frame_take(void) { return 1; }
void frame_free(uint64_t frame) {}
int shared_update(const struct exo_op *ops, size_t count) { return 0; }

static void reserve(uint64_t address, size_t size)
{
	void *at = mmap((void *)address, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != (void *)address)
		exit(1);
}

static void blocks_do_not_overlap(void)
{
	char *blocks[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		blocks[i] = heap_alloc(1 + i * 7);
		CHECK(blocks[i] != NULL);
		for (unsigned byte = 0; byte < 1 + i * 7; byte++)
			CHECK_EQ(blocks[i][byte], 0);
		memset(blocks[i], (int)i, 1 + i * 7);
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		for (unsigned byte = 0; byte < 1 + i * 7; byte++)
			CHECK_EQ((unsigned char)blocks[i][byte], i % 256);
		heap_free(blocks[i]);
	}
}

static void a_write_to_a_free_block_is_noticed(void)
{
	char *kept = heap_alloc(64), *block = heap_alloc(64);

	heap_free(block);
	block[40] = 1;
	CHECK_PANICS("a free block of 64 bytes", heap_alloc(64));
	block[40] = POISON;
	heap_free(kept);
}

static void what_is_read_from_a_free_block_is_poison(void)
{
	char *kept = heap_alloc(64), *block = heap_alloc(64);

	memset(block, 7, 64);
	heap_free(block);
	CHECK_EQ(block[2], POISON);
	CHECK_EQ(block[63], POISON);
	heap_free(kept);
}

static void no_handler_allocates(void)
{
	vcores[0].in_event = true;
	CHECK_PANICS("in_event", heap_alloc(64));
	vcores[0].in_event = false;
}

static void a_block_is_freed_once(void)
{
	char *kept = heap_alloc(512), *block = heap_alloc(512);

	heap_free(block);
	CHECK_PANICS("is not a block", heap_free(block + 16));
	heap_free(kept);
}

int main(void)
{
	reserve(HEAP_TABLE, HEAP_PAGES_MAX * sizeof(struct page_run));
	reserve(HEAP_BASE, 64ul << 20);
	heap_init();
	RUN(blocks_do_not_overlap);
	RUN(a_write_to_a_free_block_is_noticed);
	RUN(what_is_read_from_a_free_block_is_poison);
	RUN(a_block_is_freed_once);
	RUN(no_handler_allocates);
	return check_result();
}
