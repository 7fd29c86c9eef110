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

struct vcore_area vcore_areas[EXO_CPUS_MAX];
unsigned vcore_count = 1;

void lock_take_checked(struct lock *l) {}
void lock_drop_checked(struct lock *l) {}
void upcalls_mask(void) {}
void upcalls_unmask(void) {}
static uint64_t frames_out;
uint64_t frame_take(void) { return ++frames_out; }
void frame_free(uint64_t frame) { frames_out--; }
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

static uint64_t blocks_in_use(void)
{
	struct page_usage usage;
	uint64_t sum = 0;

	heap_usage(&usage);
	for (unsigned c = 0; c < PAGE_CLASSES; c++)
		sum += usage.blocks[c];
	return sum;
}

/* What a CPU keeps of the blocks that were freed on it is bounded, is had again first, and counts as free. */
static void blocks_are_kept_for_the_next(void)
{
	uint64_t before = blocks_in_use();
	void *blocks[2 * KEPT_SMALL], *large[2 * KEPT_SMALL];

	for (unsigned i = 0; i < 2 * KEPT_SMALL; i++) {
		blocks[i] = heap_alloc(64);
		large[i] = heap_alloc(1000);
	}
	CHECK_EQ(blocks_in_use(), before + 4 * KEPT_SMALL);
	for (unsigned i = 0; i < 2 * KEPT_SMALL; i++) {
		heap_free(blocks[i]);
		heap_free(large[i]);
	}
	CHECK_EQ(blocks_in_use(), before);
	CHECK_EQ(vcore_of(0)->kept_count[class_of(64)], KEPT_SMALL);
	CHECK_EQ(vcore_of(0)->kept_count[class_of(1000)], KEPT_LARGE);
	for (unsigned i = KEPT_SMALL; i-- > 0;)
		CHECK_EQ((uint64_t)heap_alloc(50), (uint64_t)blocks[i]);
	CHECK_EQ(vcore_of(0)->kept_count[class_of(64)], 0);
	CHECK_EQ(blocks_in_use(), before + KEPT_SMALL);
	for (unsigned i = 0; i < KEPT_SMALL; i++)
		heap_free(blocks[i]);
}

/* Those of the table too, each once. */
static void every_frame_is_counted(void)
{
	struct page_usage usage;
	uint64_t before = frames_out;
	void *pages = pages_alloc(100);

	CHECK(pages && frames_out >= before + 100);
	CHECK_EQ(heap_usage(&usage), frames_out);
	pages_free(pages, 100);
	CHECK_EQ(heap_usage(&usage), frames_out);
}

static void no_handler_allocates(void)
{
	vcore_of(0)->in_event = true;
	CHECK_PANICS("in_event", heap_alloc(64));
	vcore_of(0)->in_event = false;
}

static void a_block_is_freed_once(void)
{
	char *kept = heap_alloc(512), *block = heap_alloc(512);

	heap_free(block);
	CHECK_PANICS("is freed twice", heap_free(block));
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
	RUN(blocks_are_kept_for_the_next);
	RUN(every_frame_is_counted);
	RUN(no_handler_allocates);
	return check_result();
}
