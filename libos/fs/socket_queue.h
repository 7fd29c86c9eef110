/* SPDX-License-Identifier: MIT */
/*
 * What has come to a socket and has not been taken: bytes in a ring of pages, as in a pipe.
 *
 *	stream      [ab][c][defg]                  one after the other, with no trace of the calls
 *	datagrams   [2|name|ab][1|name|c]          each behind its length and its sender's name
 *
 * Descriptors that were passed along are beside the ring, in the order of the bytes that they came with.  A
 * place is the number of bytes that had been put into the ring before, since it was made.
 */
#ifndef LIBOS_SOCKET_QUEUE_H
#define LIBOS_SOCKET_QUEUE_H

#include <linux/uio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "fs/pipe_ring.h"

struct rights;
struct socket_name;
struct socket_pair;

/* One call's buffers and what goes beside them.  The caller's. */
struct socket_message {
	const struct iovec *vector;
	size_t size;    /* of all buffers together */
	bool is_user;   /* whose memory: the program's, or the libos's */
	bool discards;  /* of a stream: what is taken goes nowhere */
	unsigned flags; /* MSG_DONTWAIT ... */
	unsigned came;  /* out: MSG_TRUNC */
	/* Those to be sent, until they are in the queue; or that came, which are the caller's. */
	struct rights *rights;
	/* Of a datagram.  The sender, and its name or NULL; or where the name of one that comes is to be. */
	struct socket_pair *sender;
	struct socket_name *name;
	size_t touch_at, touch; /* with -EFAULT: what has to be touched before it is tried again */
};

struct socket_queue {
	/* All under the lock of the pair. */
	struct pipe_ring ring;
	uint64_t taken;   /* place of the first byte in the ring */
	size_t reach;     /* how far into the ring bytes have come since pages were given back */
	size_t heads;     /* bytes in the ring that are no datagram's own; 0 of a stream */
	struct rights *first_rights, **end_of_rights;
};

/* What a datagram begins with. */
struct record {
	uint32_t length, name_size;
};

bool socket_queue_init(struct socket_queue *q, size_t capacity); /* false: out of memory */
/* Empties it; the rights that were in it are the caller's, to be put when no lock is held. */
struct rights *socket_queue_drop(struct socket_queue *q);
void socket_queue_destroy(struct socket_queue *q); /* of an empty one */

/*
 * All four under the lock, and none waits.  Whoever puts has seen that there is room, and whoever takes that
 * there is something; m->rights go into the queue, or come from it.  -EFAULT: nothing has changed, and
 * m->touch says what is to be touched.
 */
/* Of a stream: bytes from `at` on, up to n; how many, or -ENOMEM. */
long socket_queue_put(struct socket_queue *q, struct socket_message *m, size_t at, size_t n);
/* Up to n, and not beyond rights, which end a transfer.  With MSG_PEEK they stay, and `at` of them, which are
 * there, have been looked at already. */
long socket_queue_take(struct socket_queue *q, struct socket_message *m, size_t at, size_t n);
/* How much room a datagram needs. */
size_t socket_queue_record_size(const struct socket_message *m);
/* Its length, or -ENOMEM. */
long socket_queue_put_record(struct socket_queue *q, struct socket_message *m);
/* How many bytes were taken, or with MSG_TRUNC how many there were; the rest of it is lost. */
long socket_queue_take_record(struct socket_queue *q, struct socket_message *m);

/* Without what belongs to the queue itself; of the first datagram alone, or of all. */
size_t socket_queue_bytes(struct socket_queue *q, bool first);

#endif
