/* SPDX-License-Identifier: MIT */
/*
 * The ring of a pipe against a plain array: pieces and batches in and out, and sizes that change meanwhile.
 * libos/fs/pipe_ring.c */
#include "libos_shim.h"
#include "check.h"
#include "fs/pipe_ring.h"

#define ROUNDS 400000
#define PAGES_MAX 4
#define BYTES_MAX (PAGES_MAX * EXO_PAGE_SIZE)

static uint64_t random_state = 1;

/* What should be in the ring, the oldest byte first. */
static uint8_t model[BYTES_MAX];
static size_t model_used;
static uint8_t next_byte;

static size_t below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % n;
}

/* Mostly messages about as long as the head, sometimes as long as pages. */
static size_t random_size(void)
{
	return 1 + (below(4) ? below(RING_HEAD + 20) : below(BYTES_MAX));
}

static void put_in_model(const uint8_t *bytes, size_t n)
{
	memcpy(model + model_used, bytes, n);
	model_used += n;
}

static void take_from_model(const uint8_t *bytes, size_t n)
{
	CHECK(n <= model_used && memcmp(model, bytes, n) == 0);
	model_used -= n;
	memmove(model, model + n, model_used);
}

static void write_some(struct pipe_ring *r)
{
	static uint8_t bytes[BYTES_MAX];
	size_t n = random_size(), faulted = 0, room = r->capacity - r->used;
	long moved;

	for (size_t i = 0; i < n; i++)
		bytes[i] = next_byte++;
	if (below(2)) {
		moved = ring_write_piece(r, io_user((uint64_t)bytes), n) ? (long)n : 0;
	} else {
		moved = ring_write(r, io_user((uint64_t)bytes), 0, n, n <= room, &faulted);
		CHECK_EQ(moved, (long)(n < room ? n : room));
	}
	CHECK_EQ(faulted, 0);
	put_in_model(bytes, (size_t)moved);
}

static void read_some(struct pipe_ring *r)
{
	static uint8_t bytes[BYTES_MAX];
	/* Often just to the end of a page, which may be the ring's. */
	size_t n = below(3) ? random_size() : EXO_PAGE_SIZE - r->start % EXO_PAGE_SIZE, faulted = 0;
	size_t there = n < model_used ? n : model_used;
	size_t moved;

	if (below(2)) {
		moved = (size_t)ring_read_piece(r, io_user((uint64_t)bytes), n);
		CHECK(moved == there || moved == 0);
	} else {
		moved = ring_read(r, io_user((uint64_t)bytes), n, &faulted);
		CHECK_EQ(moved, there);
	}
	CHECK_EQ(faulted, 0);
	take_from_model(bytes, moved);
}

static void change_size(struct pipe_ring *r)
{
	size_t capacity = EXO_PAGE_SIZE << below(3);
	uint8_t **pages = heap_alloc(capacity / EXO_PAGE_SIZE * sizeof(*pages)), *spare = pages_alloc(1);
	uint8_t **old = ring_change(r, pages, capacity, &spare);

	CHECK(old || model_used > capacity - EXO_PAGE_SIZE);
	CHECK(!old || r->capacity == capacity);
	heap_free(old ? old : pages);
	if (spare)
		pages_free(spare, 1);
}

static void what_goes_in_comes_out(void)
{
	struct pipe_ring r = { 0 };

	CHECK(ring_init(&r, EXO_PAGE_SIZE));
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* By turns it runs full and empty. */
		if (below(10) < (round / 1000 % 2 ? 6u : 4u))
			write_some(&r);
		else
			read_some(&r);
		if (below(20) == 0)
			change_size(&r);
		CHECK_EQ(r.used, model_used);
	}
	ring_destroy(&r);
	model_used = 0;
}

/* A page is only taken by what does not fit into the head; and who sends more begins behind it. */
static void small_messages_need_no_page(void)
{
	static uint8_t bytes[RING_HEAD + 1];
	struct pipe_ring r = { 0 };
	size_t faulted = 0;

	CHECK(ring_init(&r, 2 * EXO_PAGE_SIZE));
	for (unsigned i = 0; i < 100; i++) {
		CHECK(ring_write_piece(&r, io_user((uint64_t)bytes), RING_HEAD));
		CHECK_EQ(ring_read_piece(&r, io_user((uint64_t)bytes), RING_HEAD), RING_HEAD);
	}
	CHECK(!r.pages[0] && !r.pages[1]);
	CHECK(!ring_write_piece(&r, io_user((uint64_t)bytes), RING_HEAD + 1));
	CHECK_EQ(ring_write(&r, io_user((uint64_t)bytes), 0, RING_HEAD + 1, true, &faulted), RING_HEAD + 1);
	CHECK(r.pages[0] && !r.pages[1]);
	CHECK_EQ(ring_read(&r, io_user((uint64_t)bytes), RING_HEAD + 1, &faulted), RING_HEAD + 1);
	CHECK_EQ(r.start, EXO_PAGE_SIZE);
	ring_destroy(&r);
}

/* As after a write that found no memory behind the head: what has come around to the head goes along. */
static void a_change_finds_the_head_without_a_page(void)
{
	static uint8_t bytes[EXO_PAGE_SIZE + 100], copy[sizeof(bytes)];
	uint8_t **pages = heap_alloc(4 * sizeof(*pages)), *spare = pages_alloc(1), **old;
	struct pipe_ring r = { 0 };
	size_t faulted = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	CHECK(ring_init(&r, 2 * EXO_PAGE_SIZE));
	CHECK(ring_write_piece(&r, io_user((uint64_t)bytes), 10));
	shim_fail_after = 1;
	CHECK_EQ(ring_write(&r, io_user((uint64_t)bytes), 0, RING_HEAD, true, &faulted),
		 -12); /* ENOMEM */
	shim_fail_after = 0;
	CHECK_EQ(ring_read_piece(&r, io_user((uint64_t)copy), 10), 10);
	CHECK_EQ(ring_write(&r, io_user((uint64_t)bytes), 0, sizeof(bytes), true, &faulted),
		 sizeof(bytes));
	CHECK(r.start == EXO_PAGE_SIZE && !r.pages[0]);
	old = ring_change(&r, pages, 4 * EXO_PAGE_SIZE, &spare);
	CHECK(old && !spare);
	heap_free(old);
	CHECK_EQ(ring_read(&r, io_user((uint64_t)copy), sizeof(copy), &faulted), sizeof(copy));
	CHECK_EQ(memcmp(copy, bytes, sizeof(bytes)), 0);
	ring_destroy(&r);
}

static void run(void)
{
	RUN(what_goes_in_comes_out);
	RUN(small_messages_need_no_page);
	RUN(a_change_finds_the_head_without_a_page);
	CHECK_EQ(shim_blocks, 0);
}

int main(void)
{
	shim_run(run);
	return check_result();
}
