/* SPDX-License-Identifier: MIT */
/*
 * Bytes and datagrams in a ring: see socket_queue.h.
 *
 * A datagram is put and taken as a whole under one hold of the lock.  When a fault of the program's memory
 * ends it in the middle, or it was only to be looked at, the ring is set back to what it was: taking moves
 * its bounds and leaves the bytes, and what has been put beyond its end is not there for anybody.
 */
#include "fs/socket_queue.h"
#include "abi/errno.h"
#include "fs/linux.h"
#include "fs/socket.h"
#include "fs/socket_rights.h"

/* Where the ring is, to set it back. */
struct bounds {
	size_t start, used;
};

static struct bounds bounds_of(const struct pipe_ring *r)
{
	return (struct bounds){ r->start, r->used };
}

static void set_back(struct pipe_ring *r, struct bounds b)
{
	r->start = b.start;
	r->used = b.used;
}

/* What an empty queue keeps: as much as a pipe has.  A burst costs pages until it has been taken. */
#define KEPT_BYTES 65536

/* Something has been put.  Beyond the end of the ring is all of it. */
static void note_reach(struct socket_queue *q)
{
	size_t end = q->ring.start + q->ring.used;

	if (end > q->reach)
		q->reach = end;
}

/* Something has been taken. */
static void give_back_pages(struct socket_queue *q)
{
	if (q->ring.used || q->reach <= KEPT_BYTES)
		return;
	ring_trim(&q->ring, KEPT_BYTES);
	q->reach = 0;
}

bool socket_queue_init(struct socket_queue *q, size_t capacity)
{
	q->end_of_rights = &q->first_rights;
	return ring_init(&q->ring, capacity);
}

struct rights *socket_queue_drop(struct socket_queue *q)
{
	struct rights *rights = q->first_rights;

	q->first_rights = NULL;
	q->end_of_rights = &q->first_rights;
	q->taken += q->ring.used;
	q->heads = 0;
	q->reach = 0;
	ring_empty(&q->ring);
	return rights;
}

void socket_queue_destroy(struct socket_queue *q)
{
	ring_destroy(&q->ring);
}

/* ---------------------------------------------------------------- bytes */

/* From the message's buffers to the ring, or the other way: n bytes, fewer at a fault, or -ENOMEM. */
static long move_bytes(struct pipe_ring *r, struct socket_message *m, size_t at, size_t n, bool put)
{
	size_t done = 0, before = at, faulted = 0;
	long moved = 0;

	for (const struct iovec *v = m->vector; done < n; v++) {
		size_t piece = v->iov_len;
		struct io_buffer buffer;

		if (piece <= before) {
			before -= piece;
			continue;
		}
		buffer = (struct io_buffer){ (uint64_t)v->iov_base + before, m->is_user };
		piece -= before;
		before = 0;
		if (piece > n - done)
			piece = n - done;
		moved = put ? ring_write(r, buffer, 0, piece, false, &faulted)
			    : (long)ring_read(r, buffer, piece, &faulted);
		if (moved > 0)
			done += (size_t)moved;
		if (moved < (long)piece)
			break;
	}
	if (faulted) {
		m->touch_at = at + done;
		m->touch = faulted;
	}
	return done ? (long)done : faulted ? -EFAULT : moved;
}

/* What is to be moved as a whole has not been: then all of it is touched, before it is tried again. */
static long not_all(struct socket_queue *q, struct socket_message *m, struct bounds before,
		    size_t n)
{
	set_back(&q->ring, before);
	m->touch_at = 0;
	m->touch = n;
	return -EFAULT;
}

/* ---------------------------------------------------------------- rights */

static void put_rights(struct socket_queue *q, struct socket_message *m, uint64_t start,
		       uint64_t end)
{
	struct rights *rights = m->rights;

	if (!rights)
		return;
	m->rights = NULL;
	rights->next = NULL;
	rights->start = start;
	rights->end = end;
	*q->end_of_rights = rights;
	q->end_of_rights = &rights->next;
}

/* The first in the queue, whose bytes are being taken, or looked at. */
static void take_rights(struct socket_queue *q, struct socket_message *m)
{
	struct rights *rights = q->first_rights;

	m->rights = rights;
	if (m->flags & MSG_PEEK) {
		rights_get(rights);
		return;
	}
	q->first_rights = rights->next;
	if (!rights->next)
		q->end_of_rights = &q->first_rights;
}

/* ---------------------------------------------------------------- streams */

long socket_queue_put(struct socket_queue *q, struct socket_message *m, size_t at, size_t n)
{
	uint64_t start = q->taken + q->ring.used;
	long moved = move_bytes(&q->ring, m, at, n, true);

	if (moved > 0)
		put_rights(q, m, start, start + (size_t)moved);
	note_reach(q);
	return moved;
}

/* Those n bytes are had from the ring, without the message where they are not wanted. */
static long move_out(struct socket_queue *q, struct socket_message *m, size_t at, size_t n)
{
	if (!m->discards)
		return move_bytes(&q->ring, m, at, n, false);
	ring_skip(&q->ring, n);
	return (long)n;
}

long socket_queue_take(struct socket_queue *q, struct socket_message *m, size_t at, size_t n)
{
	const struct rights *rights = q->first_rights;
	struct bounds before = bounds_of(&q->ring);
	size_t seen = m->flags & MSG_PEEK ? at : 0;
	long moved;

	if (n > q->ring.used - seen)
		n = q->ring.used - seen;
	if (rights && n > rights->end - q->taken - seen)
		n = rights->end - q->taken - seen;
	if (seen)
		ring_skip(&q->ring, seen);
	moved = move_out(q, m, at, n);
	if (rights && moved > 0 && seen + (size_t)moved > rights->start - q->taken)
		take_rights(q, m);
	if (m->flags & MSG_PEEK)
		set_back(&q->ring, before);
	else if (moved > 0)
		q->taken += (size_t)moved;
	give_back_pages(q);
	return moved;
}

/* ---------------------------------------------------------------- datagrams */

static struct record record_of(const struct socket_message *m)
{
	return (struct record){ (uint32_t)m->size, m->name ? m->name->size : 0 };
}

static size_t size_of(struct record r)
{
	return sizeof(r) + r.name_size + r.length;
}

size_t socket_queue_record_size(const struct socket_message *m)
{
	return size_of(record_of(m));
}

/* What comes before its bytes; false: out of memory. */
static bool put_head(struct socket_queue *q, struct record *r, struct socket_message *m)
{
	return ring_write(&q->ring, io_kernel(r), 0, sizeof(*r), true, NULL) > 0 &&
	       (!r->name_size ||
		ring_write(&q->ring, io_kernel(m->name->bytes), 0, r->name_size, true, NULL) > 0);
}

long socket_queue_put_record(struct socket_queue *q, struct socket_message *m)
{
	struct record r = record_of(m);
	struct bounds before = bounds_of(&q->ring);
	uint64_t start = q->taken + q->ring.used;
	long moved = put_head(q, &r, m) ? 0 : -ENOMEM;

	if (!moved && r.length)
		moved = move_bytes(&q->ring, m, 0, r.length, true);
	if (moved < (long)r.length) {
		bool faulted = m->touch;

		not_all(q, m, before, r.length);
		return faulted ? -EFAULT : -ENOMEM;
	}
	note_reach(q);
	put_rights(q, m, start, start + size_of(r));
	q->heads += sizeof(r) + r.name_size;
	return (long)r.length;
}

static struct record take_head(struct socket_queue *q, struct socket_message *m)
{
	struct record r = { 0 };
	size_t none;

	ring_read(&q->ring, io_kernel(&r), sizeof(r), &none);
	if (m->name) {
		*m->name = (struct socket_name){ .size = r.name_size };
		if (r.name_size)
			ring_read(&q->ring, io_kernel(m->name->bytes), r.name_size, &none);
	} else {
		ring_skip(&q->ring, r.name_size);
	}
	return r;
}

long socket_queue_take_record(struct socket_queue *q, struct socket_message *m)
{
	struct bounds before = bounds_of(&q->ring);
	struct record r = take_head(q, m);
	size_t n = r.length < m->size ? r.length : m->size;
	long moved = n ? move_bytes(&q->ring, m, 0, n, false) : 0;

	if (moved < (long)n)
		return not_all(q, m, before, n);
	if (q->first_rights && q->first_rights->start == q->taken)
		take_rights(q, m);
	if (m->flags & MSG_PEEK) {
		set_back(&q->ring, before);
	} else {
		ring_skip(&q->ring, r.length - n);
		q->taken += size_of(r);
		q->heads -= sizeof(r) + r.name_size;
		give_back_pages(q);
	}
	if (n < r.length)
		m->came |= MSG_TRUNC;
	return (long)(m->flags & MSG_TRUNC ? r.length : n);
}

size_t socket_queue_bytes(struct socket_queue *q, bool first)
{
	struct bounds before = bounds_of(&q->ring);
	struct record r = { 0 };
	size_t none;

	if (!first)
		return q->ring.used - q->heads;
	ring_read(&q->ring, io_kernel(&r), sizeof(r), &none);
	set_back(&q->ring, before);
	return r.length;
}
