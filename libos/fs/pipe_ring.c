/* SPDX-License-Identifier: MIT */
/* The ring of pages in a pipe: bytes in, bytes out, another size. */
#include "fs/pipe_ring.h"
#include "abi/errno.h"
#include "core/log.h"
#include "core/memory.h"

bool ring_init(struct pipe_ring *r, size_t capacity)
{
	r->pages = heap_alloc(capacity / EXO_PAGE_SIZE * sizeof(*r->pages));
	r->capacity = capacity;
	r->start = r->used = r->restart = 0;
	return r->pages != NULL;
}

void ring_trim(struct pipe_ring *r, size_t kept)
{
	for (size_t i = kept / EXO_PAGE_SIZE; i < r->capacity / EXO_PAGE_SIZE; i++) {
		if (r->pages[i])
			pages_free(r->pages[i], 1);
		r->pages[i] = NULL;
	}
}

void ring_empty(struct pipe_ring *r)
{
	ring_trim(r, 0);
	r->start = r->used = r->restart = 0;
}

void ring_destroy(struct pipe_ring *r)
{
	ring_empty(r);
	heap_free(r->pages);
}

size_t ring_read(struct pipe_ring *r, struct io_buffer to, size_t n, size_t *faulted)
{
	size_t done = 0;

	if (n > r->used)
		n = r->used;
	while (done < n) {
		size_t place = (r->start + done) % r->capacity, piece;
		const uint8_t *at = ring_at(r, place, &piece);

		if (piece > n - done)
			piece = n - done;
		if (io_put(to, done, at, piece)) {
			*faulted = piece;
			break;
		}
		done += piece;
	}
	ring_skip(r, done);
	return done;
}

/* As ring_at(), and makes the page; NULL: out of memory.  More than the head has room for comes where the
 * pages are: the next time the ring is empty, it begins with the first whole one. */
static uint8_t *room_at(struct pipe_ring *r, size_t place, size_t n, size_t *piece)
{
	uint8_t **page = &r->pages[place / EXO_PAGE_SIZE];

	if (place >= RING_HEAD && !*page)
		*page = pages_alloc(1);
	else if (place < RING_HEAD && n > RING_HEAD - place)
		r->restart = r->capacity > EXO_PAGE_SIZE ? EXO_PAGE_SIZE : RING_HEAD;
	return ring_at(r, place, piece);
}

long ring_write(struct pipe_ring *r, struct io_buffer from, size_t at, size_t n, bool whole,
		size_t *faulted)
{
	size_t done = 0;
	long error = 0;

	if (n > r->capacity - r->used)
		n = r->capacity - r->used;
	while (done < n) {
		size_t place = (r->start + r->used + done) % r->capacity, piece;
		uint8_t *to = room_at(r, place, n - done, &piece);

		if (!to) {
			error = -ENOMEM;
			break;
		}
		if (piece > n - done)
			piece = n - done;
		if (io_get(to, from, at + done, piece)) {
			*faulted = piece;
			break;
		}
		done += piece;
	}
	if (whole && done < n)
		return error;
	r->used += done;
	return done ? (long)done : error;
}

static void take_spare(uint8_t **page, uint8_t **spare)
{
	ASSERT_INVARIANT(*spare);
	*page = *spare;
	*spare = NULL;
}

/*
 * The pages are turned so that the ring starts in the first.  If the data goes round so far that
 * its end lies in the page where it starts, that end moves to the spare page.
 *
 * What is in the head goes to its page before they are turned, and what the first page then has there to the
 * head.  Either of that or the end may want the spare page: if the end does, the data fills all pages.
 */
uint8_t **ring_change(struct pipe_ring *r, uint8_t **pages, size_t capacity, uint8_t **spare)
{
	size_t old_count = r->capacity / EXO_PAGE_SIZE, count = capacity / EXO_PAGE_SIZE;
	size_t first = r->start / EXO_PAGE_SIZE, offset = r->start % EXO_PAGE_SIZE;
	size_t needed = r->used ? (offset + r->used + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE : 0;
	uint8_t **old = r->pages;

	if (needed > count)
		return NULL;
	if (first && r->start + r->used > r->capacity) {
		if (!old[0])
			take_spare(&old[0], spare);
		memcpy(old[0], r->head, RING_HEAD);
	}
	for (size_t i = 0; i < old_count; i++) {
		uint8_t *page = old[(first + i) % old_count];

		if (i < count)
			pages[i] = page;
		else if (page)
			pages_free(page, 1);
	}
	if (needed > old_count) {
		ASSERT_INVARIANT(pages[0]); /* the ring starts there, and is not in the head alone */
		take_spare(&pages[old_count], spare);
		memcpy(pages[old_count], pages[0], offset);
		if (!first)
			memcpy(pages[old_count], r->head, offset < RING_HEAD ? offset : RING_HEAD);
	}
	if (first && r->used)
		memcpy(r->head, pages[0], RING_HEAD);
	r->pages = pages;
	r->capacity = capacity;
	r->start = r->used ? offset : 0;
	r->restart = 0;
	return old;
}
