/* SPDX-License-Identifier: MIT */
/* The ring of pages in a pipe: bytes in, bytes out, another size. */
#include "fs/pipe_ring.h"
#include "abi/errno.h"
#include "core/memory.h"

bool ring_init(struct pipe_ring *r, size_t capacity)
{
	r->pages = heap_alloc(capacity / EXO_PAGE_SIZE * sizeof(*r->pages));
	r->capacity = capacity;
	r->start = r->used = 0;
	return r->pages != NULL;
}

void ring_empty(struct pipe_ring *r)
{
	for (size_t i = 0; i < r->capacity / EXO_PAGE_SIZE; i++) {
		if (r->pages[i])
			pages_free(r->pages[i], 1);
		r->pages[i] = NULL;
	}
	r->start = r->used = 0;
}

void ring_destroy(struct pipe_ring *r)
{
	ring_empty(r);
	heap_free(r->pages);
}

/* Bytes from a place in the ring to the end of its page. */
static size_t piece_at(size_t place)
{
	return EXO_PAGE_SIZE - place % EXO_PAGE_SIZE;
}

size_t ring_read(struct pipe_ring *r, struct io_buffer to, size_t n, size_t *faulted)
{
	size_t done = 0;

	if (n > r->used)
		n = r->used;
	while (done < n) {
		size_t place = (r->start + done) % r->capacity, piece = piece_at(place);

		if (piece > n - done)
			piece = n - done;
		if (io_put(to, done, r->pages[place / EXO_PAGE_SIZE] + place % EXO_PAGE_SIZE,
			   piece)) {
			*faulted = piece;
			break;
		}
		done += piece;
	}
	r->used -= done;
	/* As in ring_read_piece(). */
	r->start = r->used ? (r->start + done) % r->capacity : 0;
	return done;
}

long ring_write(struct pipe_ring *r, struct io_buffer from, size_t at, size_t n, bool whole,
		size_t *faulted)
{
	size_t done = 0;
	long error = 0;

	if (n > r->capacity - r->used)
		n = r->capacity - r->used;
	while (done < n) {
		size_t place = (r->start + r->used + done) % r->capacity, piece = piece_at(place);
		uint8_t **page = &r->pages[place / EXO_PAGE_SIZE];

		if (!*page)
			*page = pages_alloc(1);
		if (!*page) {
			error = -ENOMEM;
			break;
		}
		if (piece > n - done)
			piece = n - done;
		if (io_get(*page + place % EXO_PAGE_SIZE, from, at + done, piece)) {
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

/*
 * The pages are turned so that the ring starts in the first.  If the data goes round so far that
 * its end lies in the page where it starts, that end moves to the spare page.
 */
uint8_t **ring_change(struct pipe_ring *r, uint8_t **pages, size_t capacity, uint8_t **spare)
{
	size_t old_count = r->capacity / EXO_PAGE_SIZE, count = capacity / EXO_PAGE_SIZE;
	size_t first = r->start / EXO_PAGE_SIZE, offset = r->start % EXO_PAGE_SIZE;
	size_t needed = r->used ? (offset + r->used + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE : 0;
	uint8_t **old = r->pages;

	if (needed > count)
		return NULL;
	for (size_t i = 0; i < old_count; i++) {
		uint8_t *page = old[(first + i) % old_count];

		if (i < count)
			pages[i] = page;
		else if (page)
			pages_free(page, 1);
	}
	if (needed > old_count) {
		memcpy(*spare, pages[0], offset);
		pages[old_count] = *spare;
		*spare = NULL;
	}
	r->pages = pages;
	r->capacity = capacity;
	r->start = r->used ? offset : 0;
	return old;
}
