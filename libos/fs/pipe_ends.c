/* SPDX-License-Identifier: MIT */
/* The ends of a pipe: opening them, which may mean to wait for the other, and closing them. */
#include "core/memory.h"
#include "fs/descriptor.h"
#include "fs/fifo.h"
#include "fs/pipe.h"
#include "fs/pipe_ring.h"
#include "proc/signal.h"
#include "proc/user.h"

/*
 * Under the lock: f is no end any more.  All sleepers look again.  The pipe itself goes with its inode, a
 * fifo's with its last end; what nobody can read any more goes now.
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
	if (!p->readers && !p->writers)
		ring_empty(&p->ring);
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

/* The capacity of a new pipe, which counts with u from now on.  A small one is not refused: what there is of
 * those has another bound, that of descriptors. */
static size_t count_capacity(struct user *u)
{
	if (user_add_pipe_pages(u, PIPE_CAPACITY_DEFAULT / EXO_PAGE_SIZE, pipe_pages_of_user()))
		return PIPE_CAPACITY_DEFAULT;
	user_add_pipe_pages(u, PIPE_CAPACITY_SMALL / EXO_PAGE_SIZE, UINT64_MAX);
	return PIPE_CAPACITY_SMALL;
}

static void count_no_more(struct user *u, size_t capacity)
{
	user_remove_pipe_pages(u, capacity / EXO_PAGE_SIZE);
	user_let_go(u);
}

struct pipe *pipe_create(void)
{
	struct pipe *p = heap_alloc(sizeof(*p));
	size_t capacity;

	if (!p)
		return NULL;
	p->user = user_hold_own();
	capacity = count_capacity(p->user);
	if (!ring_init(&p->ring, capacity)) {
		count_no_more(p->user, capacity);
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
	count_no_more(p->user, p->ring.capacity);
	ring_destroy(&p->ring);
	heap_free(p);
}
