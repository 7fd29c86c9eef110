/* SPDX-License-Identifier: MIT */
/* The bytes in a pipe, and struct pipe, for the files that make up pipes. */
#ifndef LIBOS_PIPE_RING_H
#define LIBOS_PIPE_RING_H

#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/lock.h"
#include "core/memory.h"
#include "core/wait.h"
#include "fs/io_buffer.h"

/*
 * The caller locks.
 *
 *	place 0    RING_HEAD            page size                 capacity
 *	  | head[]     | pages[0], from there on | pages[1] ...        |
 *
 * What is small and soon read lies with the pipe itself, and neither needs a page nor, after a change of
 * address space, another entry of the TLB.
 */
#define RING_HEAD 240

struct pipe_ring {
	/* Each NULL until first written; as many as the capacity has. */
	uint8_t **pages;
	size_t capacity;  /* bytes; whole pages */
	size_t start, used;
	size_t restart;   /* where an empty ring begins: 0, or behind the head, once that was too small */
	uint8_t head[RING_HEAD];
};

/* Where the byte at `place` lies, with *piece bytes in one piece; NULL: in a page that is not there yet. */
static inline uint8_t *ring_at(struct pipe_ring *r, size_t place, size_t *piece)
{
	uint8_t *page;

	if (place < RING_HEAD) {
		*piece = RING_HEAD - place;
		return r->head + place;
	}
	page = r->pages[place / EXO_PAGE_SIZE];
	*piece = EXO_PAGE_SIZE - place % EXO_PAGE_SIZE;
	return page ? page + place % EXO_PAGE_SIZE : NULL;
}

bool ring_init(struct pipe_ring *r, size_t capacity);
void ring_destroy(struct pipe_ring *r);
/* Drops what is in it. */
void ring_empty(struct pipe_ring *r);
/* Of an empty one: gives back the pages behind the first `kept` bytes. */
void ring_trim(struct pipe_ring *r, size_t kept);
/* Moves up to n bytes out; stops at a fault, and then sets *faulted to how many bytes were to be
 * copied next. */
size_t ring_read(struct pipe_ring *r, struct io_buffer to, size_t n, size_t *faulted);
/* Takes n bytes out, which are there. */
static inline void ring_skip(struct pipe_ring *r, size_t n)
{
	r->used -= n;
	/* As in ring_read_piece(). */
	r->start = r->used ? (r->start + n) % r->capacity : r->restart;
}

/*
 * Moves up to n bytes in, as many as there is room for; with `whole` all or none.  Returns how
 * many, or -ENOMEM if none; stops at a fault, as ring_read does.
 */
long ring_write(struct pipe_ring *r, struct io_buffer from, size_t at, size_t n, bool whole,
		size_t *faulted);

/*
 * The short ways, for small messages: ring_read_piece() moves what is there and wanted if it lies
 * in one piece, and says how much; ring_write_piece() moves n bytes, or nothing, if they fit into
 * the piece where the next byte goes.  0 or false: nothing has changed.
 */
static inline long ring_read_piece(struct pipe_ring *r, struct io_buffer to, size_t n)
{
	size_t piece;
	const uint8_t *from = ring_at(r, r->start, &piece);

	if (n > r->used)
		n = r->used;
	/* None is more than any. */
	if (n - 1 >= piece || io_put(to, 0, from, n))
		return 0;
	r->used -= n;
	r->start += n;
	/* An empty ring starts over: small messages always use the same bytes, which stay cached. */
	if (!r->used)
		r->start = r->restart;
	else if (r->start == r->capacity)
		r->start = 0;
	return (long)n;
}

static inline bool ring_write_piece(struct pipe_ring *r, struct io_buffer from, size_t n)
{
	size_t end = r->start + r->used, piece;
	uint8_t *to;

	/* What is behind the end in its piece is free, unless the ring has come around. */
	if (end >= r->capacity)
		return false;
	to = ring_at(r, end, &piece);
	if (!to || n > piece || io_get(to, from, 0, n))
		return false;
	r->used += n;
	return true;
}

/*
 * Gives the ring as many pages as the array has, which replaces its own; returns the old array,
 * or NULL if what is in the ring does not fit.  Pages that are no longer needed are freed.
 * `spare` is a page that may be used, and then *spare is NULL.
 */
uint8_t **ring_change(struct pipe_ring *r, uint8_t **pages, size_t capacity, uint8_t **spare);

struct pipe {
	struct lock lock; /* RANK_PIPE; guards the rest */
	uint32_t readers, writers; /* open ends */
	bool calm; /* there is a reader, and nobody in a queue but the last: there is nobody to wake */
	uint32_t reader_opens, writer_opens; /* so far; for those who wait for the other end */
	/* Under the lock of a fifo's inode: its ends, and who is opening one.  0: it is no fifo's. */
	uint32_t holders;
	/*
	 * Readers and writers sleep in queues of their own, and one is woken at a time; pollers
	 * have a third, and all of them are woken: a wake spent on a poller would be lost for a
	 * reader.
	 */
	struct wait_queue read_wait, write_wait, poll_wait, open_wait;
	struct pipe_ring ring;
	struct user *user; /* fixed; held: the ring's capacity counts with him (proc/user.h) */
};

/* The pages that the pipes of a user may have together, full as they may be.  Linux has 64 MiB, for others
 * than root; here it is a part of all memory. */
#define PIPE_USER_PART 8
static inline uint64_t pipe_pages_of_user(void)
{
	return frames_total_count() / PIPE_USER_PART;
}

struct file;
struct file_ops;

extern const struct file_ops pipe_file_ops; /* pipe.c: of each end */
void pipe_release(struct file *f);          /* pipe_ends.c: the end is closed */
/* NULL if f is not an end of a pipe. */
struct pipe *pipe_of_file(struct file *f);

#endif
