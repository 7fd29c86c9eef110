/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a ring of bytes in pages that are allocated as they are first written, but for the first few.
 *
 *	start          start + used
 *	  v                v
 *	[.####][######][###...][      ]     capacity = all pages
 *
 * Bytes are copied between a program and the ring under the pipe's spin lock, in batches, so a
 * transfer is one piece with respect to others and no data is copied twice.  Under the lock a
 * fault on the program's memory cannot be served: the lock is dropped, the page touched, and the
 * state of the pipe looked at afresh (core/usercopy.h).  `used` changes only after the bytes of a
 * batch are in place; whatever ends a writer, the ring holds whole batches.
 */
#include "fs/pipe.h"
#include "fs/descriptor.h"
#include "fs/io_buffer.h"
#include "fs/pipe_ring.h"
#include "fs/poll.h"
#include "proc/signal.h"

#define SIGPIPE 13
/* Copied under one hold of the lock: some microseconds of masked time. */
#define BATCH_BYTES 16384
/* A page that was touched may be gone again before the copy, if the program unmaps it meanwhile. */
#define TOUCHES_MAX 16

static size_t room(const struct pipe *p)
{
	return p->ring.capacity - p->ring.used;
}

static void wake_pollers(struct pipe *p, uint32_t events)
{
	if (!list_empty(&p->poll_wait.waiters))
		wake_all(&p->poll_wait, events);
}

/*
 * Under the lock, when it is dropped: whom the state now concerns.  A task that was woken and leaves without
 * using what it was woken for hands the wake on this way.  Pollers have all been woken when there was news:
 * for them there is none in a wake that is handed on, and epolls would take it for some.
 */
static __attribute__((noinline)) void wake_a_reader(struct pipe *p, bool donate)
{
	if (!p->ring.used && p->writers)
		return;
	if (donate)
		wake_one_donate(&p->read_wait, WAKE_ANY, DONATION_PIPE);
	else
		wake_one(&p->read_wait, WAKE_ANY);
}

static inline void wake_readers(struct pipe *p, bool donate)
{
	if (!list_empty(&p->read_wait.waiters))
		wake_a_reader(p, donate);
}

/* Writers are woken when there is room for an atomic write, not for every byte read. */
static __attribute__((noinline)) void wake_a_writer(struct pipe *p)
{
	if (room(p) >= PIPE_BUF || !p->readers)
		wake_one(&p->write_wait, WAKE_ANY);
}

static inline void wake_writers(struct pipe *p)
{
	if (!list_empty(&p->write_wait.waiters))
		wake_a_writer(p);
}

/* Under the same hold of the lock: so many bytes have come, or gone. */
static inline void tell_of_data(struct pipe *p, long moved)
{
	if (moved > 0)
		wake_pollers(p, POLLIN | POLLRDNORM);
}

static inline void tell_of_room(struct pipe *p, size_t moved)
{
	if (room(p) >= PIPE_BUF && room(p) - moved < PIPE_BUF)
		wake_pollers(p, POLLOUT | POLLWRNORM);
}

/* A task whose memory turned out bad leaves: what it was woken for may concern another. */
static long hand_on(struct pipe *p)
{
	lock_acquire(&p->lock);
	wake_readers(p, false);
	wake_writers(p);
	lock_release(&p->lock);
	return -EFAULT;
}

/* Waits under the lock until there is something to read.  1, 0 at end of file, or -errno. */
static long await_data(struct pipe *p, struct file *f)
{
	while (!p->ring.used) {
		if (!p->writers)
			return 0;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		p->calm = false;
		if (wait_on(&p->read_wait, &p->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR &&
		    !p->ring.used)
			return -ERESTARTSYS;
	}
	return 1;
}

/* begun: something has been read by this call. */
static __attribute__((noinline)) long read_slowly(struct pipe *p, struct file *f, uint64_t user,
						  size_t n, bool begun)
{
	size_t done = 0, moved;
	unsigned touches = 0;
	long result = n ? 1 : 0;

	while (result > 0 && done < n) {
		size_t want = n - done < BATCH_BYTES ? n - done : BATCH_BYTES;
		size_t faulted = 0;

		lock_acquire(&p->lock);
		/* What has been read is not waited upon. */
		result = (begun || done) && !p->ring.used ? 0 : await_data(p, f);
		if (result > 0) {
			moved = ring_read(&p->ring, io_user(user + done), want, &faulted);
			done += moved;
			if (moved)
				touches = 0;
			tell_of_room(p, moved);
		}
		wake_writers(p);
		if (done == n || result <= 0)
			wake_readers(p, false);
		lock_release(&p->lock);
		if (faulted && (touches++ == TOUCHES_MAX || user_touch(user + done, faulted, true)))
			result = hand_on(p);
	}
	return done ? (long)done : result;
}

/* While there is a reader: is there nobody to wake? */
static inline bool look_around(struct pipe *p)
{
	p->calm = list_empty(&p->read_wait.waiters) && list_empty(&p->write_wait.waiters) &&
		  list_empty(&p->poll_wait.waiters);
	return p->calm;
}

/* Under the lock, which it drops. */
static __attribute__((noinline)) long read_on(struct pipe *p, struct file *f, uint64_t user, size_t n)
{
	long moved = 0;

	if (p->ring.used || (n && await_data(p, f) > 0))
		moved = ring_read_piece(&p->ring, io_user(user), n);
	if (moved > 0 && !look_around(p)) {
		tell_of_room(p, (size_t)moved);
		wake_writers(p);
		wake_readers(p, false);
	}
	lock_release(&p->lock);
	return moved > 0 ? moved : read_slowly(p, f, user, n, false);
}

/* What is there, or comes, and lies in one page is handed over at once, with nothing more to be done if
 * nobody waits; the rest takes the long way, and so does who finds that nothing will come. */
static long pipe_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct pipe *p = f->private;
	long moved;

	lock_acquire(&p->lock);
	moved = p->calm ? ring_read_piece(&p->ring, io_user(user), n) : 0;
	if (!moved)
		return read_on(p, f, user, n);
	lock_release_keeping(&p->lock);
	return moved;
}

static long pipe_read_more(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return read_slowly(f->private, f, user, n, true);
}

/* Waits under the lock until `need` bytes have room.  1 or -errno. */
static long await_room(struct pipe *p, struct file *f, size_t need)
{
	for (;;) {
		if (!p->readers)
			return -EPIPE;
		if (room(p) >= need)
			return 1;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		/* It will sleep: the reader may as well have the rest of the slice. */
		wake_readers(p, true);
		p->calm = false;
		if (wait_on(&p->write_wait, &p->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR &&
		    p->readers && room(p) < need)
			return -ERESTARTSYS;
	}
}

/* One hold of the lock: moves a batch, or fewer; *faulted: the program's memory must be touched. */
static long write_batch(struct pipe *p, struct file *f, struct io_buffer from, size_t n,
			size_t *done, size_t *faulted)
{
	/* A write of up to PIPE_BUF bytes is one piece; a longer one takes what room there is. */
	bool whole = n <= PIPE_BUF;
	size_t want = n - *done < BATCH_BYTES ? n - *done : BATCH_BYTES;
	long result;

	lock_acquire(&p->lock);
	result = await_room(p, f, whole ? n : 1);
	if (result > 0)
		result = ring_write(&p->ring, from, *done, want, whole, faulted);
	tell_of_data(p, result);
	if (result > 0)
		*done += (size_t)result;
	else if (result == 0 && *faulted)
		result = 1;
	wake_readers(p, *done == n);
	if (*done == n || result < 0)
		wake_writers(p);
	lock_release(&p->lock);
	return result;
}

static __attribute__((noinline)) long write_slowly(struct pipe *p, struct file *f,
						   struct io_buffer from, size_t n)
{
	size_t done = 0, before;
	unsigned touches = 0;
	long result = n ? 1 : 0;

	while (result > 0 && done < n) {
		size_t faulted = 0;

		before = done;
		result = write_batch(p, f, from, n, &done, &faulted);
		if (done > before)
			touches = 0;
		if (faulted && n <= PIPE_BUF)
			faulted = n;
		if (faulted &&
		    (touches++ == TOUCHES_MAX || user_touch(from.address + done, faulted, false)))
			result = hand_on(p);
	}
	if (result == -EPIPE)
		signal_raise(SIGPIPE);
	return done ? (long)done : result;
}

/* Under the lock, which it drops. */
static __attribute__((noinline)) long write_on(struct pipe *p, struct file *f,
					       struct io_buffer from, size_t n)
{
	bool written = p->readers && ring_write_piece(&p->ring, from, n);

	if (written && !look_around(p)) {
		tell_of_data(p, (long)n);
		wake_readers(p, true);
		wake_writers(p);
	}
	lock_release(&p->lock);
	return written ? (long)n : write_slowly(p, f, from, n);
}

/* What finds room in one page goes there at once; the rest takes the long way. */
__attribute__((always_inline)) static inline long write_from(struct file *f, struct io_buffer from, size_t n)
{
	struct pipe *p = f->private;

	lock_acquire(&p->lock);
	if (!p->calm || !ring_write_piece(&p->ring, from, n))
		return write_on(p, f, from, n);
	lock_release_keeping(&p->lock);
	return (long)n;
}

static long pipe_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return write_from(f, io_user(user), n);
}

static long pipe_write_kernel(struct file *f, const void *data, size_t n, uint64_t *pos)
{
	return write_from(f, io_kernel(data), n);
}

/* Has a writer been there since the file was opened?  A fifo that nobody has opened for writing yet is not at
 * its end, even if others have read what earlier writers wrote. */
static bool saw_writer(const struct pipe *p, const struct file *f)
{
	return f->position != p->writer_opens;
}

/* What happens at the other end only. */
static uint32_t not_of(const struct file *f)
{
	return (file_is_readable(f) ? 0 : POLLIN | POLLRDNORM) |
	       (file_is_writable(f) ? 0 : POLLOUT | POLLWRNORM);
}

static uint32_t pipe_poll(struct file *f, struct poll_waiter *w)
{
	struct pipe *p = f->private;
	uint32_t events = 0;

	lock_acquire(&p->lock);
	if (w) {
		p->calm = false;
		w->key &= ~not_of(f);
		poll_wait(w, &p->poll_wait, &p->lock);
	}
	if (file_is_readable(f)) {
		if (p->ring.used)
			events |= POLLIN | POLLRDNORM;
		if (!p->writers && saw_writer(p, f))
			events |= POLLHUP;
	}
	if (file_is_writable(f)) {
		if (room(p) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			events |= POLLERR;
	}
	lock_release(&p->lock);
	return events;
}

static long pipe_ioctl(struct file *f, unsigned command, uint64_t argument)
{
	struct pipe *p = f->private;
	int used;

	if (command != FIONREAD)
		return -ENOTTY;
	lock_acquire(&p->lock);
	used = (int)p->ring.used;
	lock_release(&p->lock);
	return copy_to_user(argument, &used, sizeof(used));
}

const struct file_ops pipe_file_ops = {
	.read = pipe_read,
	.read_more = pipe_read_more,
	.write = pipe_write,
	.write_kernel = pipe_write_kernel,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

struct pipe *pipe_of_file(struct file *f)
{
	return f->ops == &pipe_file_ops ? f->private : NULL;
}
