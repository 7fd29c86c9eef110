/* SPDX-License-Identifier: MIT */
/* The ends of a pipe: opening them, which may mean to wait for the other, and closing them. */
#include "core/memory.h"
#include "fs/descriptor.h"
#include "fs/fifo.h"
#include "fs/pipe.h"
#include "fs/pipe_ring.h"
#include "proc/signal.h"

/*
 * Under the lock: f is no end any more.  All sleepers look again.  The pipe itself goes with its inode, a fifo's
 * with its last end; what nobody can read any more goes now.
 */
static void detach(struct pipe *p, struct file *f)
{
	p->calm = false;
	if (file_is_readable(f))
		p->readers--;
	if (file_is_writable(f))
		p->writers--;
	wake_all(&p->read_wait, WAKE_ANY);
	wake_all(&p->write_wait, WAKE_ANY);
	wake_all(&p->poll_wait, WAKE_ANY);
	if (p->readers || p->writers)
		return;
	ring_empty(&p->ring);
	p->ring.capacity = PIPE_CAPACITY_DEFAULT; /* the array has room for that many */
}

void pipe_release(struct file *f)
{
	struct pipe *p = f->private;

	lock_acquire(&p->lock);
	detach(p, f);
	lock_release(&p->lock);
	if (p->holders) /* of a fifo: at least ours, so it does not become 0 meanwhile */
		fifo_drop(f->inode);
}

/* Fixed before anybody else has the file.  Only who opens a fifo without waiting can be without a writer. */
static void remember_writers(const struct pipe *p, struct file *f, bool is_fifo)
{
	f->position = is_fifo && !p->writers ? p->writer_opens : UINT64_MAX;
}

/*
 * For a fifo, `wait` follows POSIX's rules of open(): a reader waits for a writer and the other
 * way round, except that with O_NONBLOCK a reader does not wait and a writer fails.  What is
 * waited for is a count of openings, so a writer that opens, writes and closes while the reader
 * has not run yet still ends the reader's wait.
 */
int pipe_attach(struct pipe *p, struct file *f, bool wait)
{
	bool reads = file_is_readable(f), writes = file_is_writable(f);
	uint32_t *opens = reads ? &p->writer_opens : &p->reader_opens, before;
	int error = 0;

	if (!reads && !writes)
		return -EINVAL;
	lock_acquire(&p->lock);
	before = *opens;
	remember_writers(p, f, wait);
	p->readers += reads;
	p->reader_opens += reads;
	p->writers += writes;
	p->writer_opens += writes;
	if (wait && writes && !reads && !p->readers && (f->flags & O_NONBLOCK))
		error = -ENXIO;
	else
		wake_all(&p->open_wait, WAKE_ANY);
	if (wait && reads != writes && !(f->flags & O_NONBLOCK))
		while (!error && *opens == before && !(reads ? p->writers : p->readers))
			if (wait_on(&p->open_wait, &p->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR &&
			    *opens == before)
				error = -ERESTARTSYS;
	if (error) {
		p->writer_opens -= writes;
		detach(p, f);
	}
	lock_release(&p->lock);
	if (!error) {
		f->ops = &pipe_file_ops;
		f->private = p;
	}
	return error;
}

struct pipe *pipe_create(void)
{
	struct pipe *p = heap_alloc(sizeof(*p));

	if (!p)
		return NULL;
	if (!ring_init(&p->ring, PIPE_CAPACITY_DEFAULT)) {
		heap_free(p);
		return NULL;
	}
	lock_init(&p->lock, "pipe", RANK_PIPE);
	wait_queue_init(&p->read_wait);
	wait_queue_init(&p->write_wait);
	wait_queue_init(&p->poll_wait);
	wait_queue_init(&p->open_wait);
	return p;
}

void pipe_free(struct pipe *p)
{
	ring_destroy(&p->ring);
	heap_free(p);
}
