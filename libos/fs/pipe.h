/* SPDX-License-Identifier: MIT */
/* Pipes, as far as others than fs/pipe*.c use them. */
#ifndef LIBOS_PIPE_H
#define LIBOS_PIPE_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct pipe;

#define PIPE_CAPACITY_DEFAULT 65536
#define PIPE_CAPACITY_MAX (1u << 20)
#define PIPE_CAPACITY_SMALL 8192 /* of who has many; on Linux as well two pages */

/* No ends open; NULL when out of memory.  It counts with the calling process's user, and is small if he has
 * many. */
struct pipe *pipe_create(void);
void pipe_free(struct pipe *p);
/*
 * Makes f an end of the pipe, or both, by its access mode.  For a fifo `wait` blocks until the
 * other end is there: 0, or -ERESTARTSYS, and then f is no end of it.
 */
int pipe_attach(struct pipe *p, struct file *f, bool wait);

/* F_GETPIPE_SZ and F_SETPIPE_SZ: bytes, -EBADF (no pipe), -EBUSY, -EPERM, -ENOMEM. */
long pipe_capacity(struct file *f);
long pipe_set_capacity(struct file *f, uint64_t bytes);

#endif
