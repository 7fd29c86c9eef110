/* SPDX-License-Identifier: MIT */
/* eventfd(2): a counter that can be waited for. */
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "fs/poll.h"
#include "proc/signal.h"

#define EFD_SEMAPHORE 1
#define COUNT_MAX (UINT64_MAX - 1)

struct event_counter {
	bool semaphore;   /* fixed: a read takes 1 and not all */
	struct lock lock; /* RANK_PIPE; guards: */
	uint64_t count;
	/* Pollers and sleepers share one queue (fs/poll.h): sleepers are woken at every change, pollers by
	 * what it is. */
	struct wait_queue wait;
};

/* Under the lock, until it may go on: 0, or -errno. */
static int await_change(struct event_counter *c, struct file *f)
{
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_on(&c->wait, &c->lock, WAIT_INTERRUPTIBLE, 0) == -EINTR ? -ERESTARTSYS : 0;
}

static long eventfd_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct event_counter *c = f->private;
	uint64_t value = 0;
	int error = 0;

	if (n < sizeof(value))
		return -EINVAL;
	lock_acquire(&c->lock);
	while (!c->count && !error)
		error = await_change(c, f);
	if (c->count) {
		error = 0;
		value = c->semaphore ? 1 : c->count;
		c->count -= value;
		wake_all(&c->wait, POLLOUT | POLLWRNORM);
	}
	lock_release(&c->lock);
	if (!error)
		error = copy_to_user(user, &value, sizeof(value));
	return error ? error : (long)sizeof(value);
}

static long eventfd_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct event_counter *c = f->private;
	uint64_t value;
	int error = 0;

	if (n < sizeof(value))
		return -EINVAL;
	if (copy_from_user(&value, user, sizeof(value)))
		return -EFAULT;
	if (value > COUNT_MAX)
		return -EINVAL;
	lock_acquire(&c->lock);
	while (value > COUNT_MAX - c->count && !error)
		error = await_change(c, f);
	if (!error) {
		c->count += value;
		wake_all(&c->wait, POLLIN | POLLRDNORM);
	}
	lock_release(&c->lock);
	return error ? error : (long)sizeof(value);
}

static uint32_t eventfd_poll(struct file *f, struct poll_waiter *w)
{
	struct event_counter *c = f->private;
	uint32_t events = 0;

	lock_acquire(&c->lock);
	if (w)
		poll_wait(w, &c->wait, &c->lock);
	if (c->count)
		events |= POLLIN | POLLRDNORM;
	if (c->count < COUNT_MAX)
		events |= POLLOUT | POLLWRNORM;
	lock_release(&c->lock);
	return events;
}

static void eventfd_release(struct file *f)
{
	heap_free(f->private);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.name = "[eventfd]",
	.release = eventfd_release,
};

long sys_eventfd2(unsigned count, int flags)
{
	struct event_counter *c;
	struct file *f;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	c = heap_alloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	lock_init(&c->lock, "eventfd", RANK_PIPE);
	wait_queue_init(&c->wait);
	c->count = count;
	c->semaphore = flags & EFD_SEMAPHORE;
	f = file_alloc(&eventfd_ops, NULL, c, O_RDWR | (flags & O_NONBLOCK));
	if (!f) {
		heap_free(c);
		return -ENOMEM;
	}
	return fd_install(f, 0, flags & O_CLOEXEC);
}

long sys_eventfd(unsigned count)
{
	return sys_eventfd2(count, 0);
}
