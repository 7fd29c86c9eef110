/* SPDX-License-Identifier: MIT */
/* Transfers on an open file, for the calls that are made of them. */
#ifndef LIBOS_READ_WRITE_H
#define LIBOS_READ_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include "fs/descriptor.h"

/*
 * Moves the buffers of an array one after the other, as one transfer: with position_mutex held
 * from the first to the last byte when the file's own position is used (offset NULL), which then
 * moves on.  Returns bytes, or -errno if none.
 */
long file_transfer(struct fd_ref r, bool write, const struct iovec *vector, unsigned count,
		   uint64_t *offset);

#define VECTOR_ON_STACK 8

/* The program's array of buffers, of which few need no memory. */
struct io_vector {
	struct iovec *buffers; /* NULL: there is none */
	struct iovec on_stack[VECTOR_ON_STACK];
};

/* Of up to UIO_MAXIOV buffers; the sum of their lengths is an ssize_t.  0, -EFAULT, -EINVAL or -ENOMEM; to be
 * dropped in any case. */
int io_vector_fetch(struct io_vector *v, uint64_t user, unsigned count);
void io_vector_drop(struct io_vector *v);

/* struct file's read_at_once and write_at_once of a file that nobody has read, or written, yet. */
long file_read_first(struct file *f, uint64_t buf, size_t n, uint64_t *unused);
long file_write_first(struct file *f, uint64_t buf, size_t n, uint64_t *unused);

/*
 * Is position_mutex needed?  Not if the caller's descriptor is the only way to the file and
 * nobody else has the descriptor; as Linux's fdget_pos() decides it.
 */
static inline bool position_is_shared(struct fd_ref r)
{
	return r.counted || atomic_load_explicit(&r.file->references, memory_order_relaxed) > 1;
}

#endif
