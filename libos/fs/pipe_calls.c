/* SPDX-License-Identifier: MIT */
/* The calls on pipes, and fifos: pipe2, F_SETPIPE_SZ, opening a fifo. */
#include <exo/abi.h>
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/fifo.h"
#include "fs/inode.h"
#include "fs/pipe.h"
#include "fs/pipe_ring.h"
#include "proc/process.h"
#include "proc/user.h"

/* Relaxed: only has to differ each time. */
static _Atomic uint64_t last_number;

/* Through /proc/PID/fd; both ends are there or have been, so nobody waits for the other. */
static int pipe_reopen(struct inode *i, struct file *f)
{
	return pipe_attach(i->pipe, f, false);
}

static void pipe_inode_free(struct inode *i)
{
	if (i->pipe)
		pipe_free(i->pipe);
}

static const struct inode_ops pipe_inode_ops = {
	.open = pipe_reopen,
	.free = pipe_inode_free,
};

/* A nameless inode with a pipe behind it. */
static struct inode *pipe_inode(void)
{
	uint64_t number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1;
	struct pipe *p = pipe_create();
	struct inode *i;

	if (!p)
		return NULL;
	i = inode_create(&pipe_inode_ops, DEVICE_NAMELESS, number, S_IFIFO | 0600);
	if (!i) {
		pipe_free(p);
		return NULL;
	}
	i->pipe = p;
	i->links = 1; /* as if it had a name; linkat gives none to what is in no file system */
	inode_set_owner(i, NULL);
	return i;
}

/* Takes over the reference on the inode. */
static struct file *pipe_end(struct inode *i, uint32_t flags)
{
	struct file *f = file_alloc(NULL, i, NULL, flags);

	if (f)
		pipe_attach(i->pipe, f, false);
	else
		inode_put(i);
	return f;
}

static int pipe_pair(uint32_t flags, struct file **reader, struct file **writer)
{
	struct inode *i = pipe_inode();

	if (!i)
		return -ENOMEM;
	*reader = pipe_end(inode_get(i), O_RDONLY | flags);
	*writer = pipe_end(i, O_WRONLY | flags);
	if (*reader && *writer)
		return 0;
	if (*reader)
		file_put(*reader);
	if (*writer)
		file_put(*writer);
	return -ENOMEM;
}

long sys_pipe2(uint64_t user, int flags)
{
	struct file *reader, *writer;
	int fds[2], error;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	error = pipe_pair((uint32_t)flags & O_NONBLOCK, &reader, &writer);
	if (error)
		return error;
	fds[0] = fd_install(reader, 0, flags & O_CLOEXEC);
	if (fds[0] < 0) {
		file_put(writer);
		return fds[0];
	}
	fds[1] = fd_install(writer, 0, flags & O_CLOEXEC);
	error = fds[1] < 0 ? fds[1] : copy_to_user(user, fds, sizeof(fds));
	if (error) {
		sys_close(fds[0]);
		if (fds[1] >= 0)
			sys_close(fds[1]);
	}
	return error;
}

long sys_pipe(uint64_t user)
{
	return sys_pipe2(user, 0);
}

long pipe_capacity(struct file *f)
{
	struct pipe *p = pipe_of_file(f);
	long capacity;

	if (!p)
		return -EBADF;
	lock_acquire(&p->lock);
	capacity = (long)p->ring.capacity;
	lock_release(&p->lock);
	return capacity;
}

/* `spare` is a page that may be used, and then *spare is NULL.  The capacity that the pipe had, or -errno. */
static long change_capacity(struct pipe *p, uint64_t capacity, uint8_t **spare)
{
	uint8_t **pages = heap_alloc(capacity / EXO_PAGE_SIZE * sizeof(*pages)), **old;
	long before;

	if (!pages)
		return -ENOMEM;
	lock_acquire(&p->lock);
	before = (long)p->ring.capacity;
	old = ring_change(&p->ring, pages, capacity, spare);
	wake_all(&p->write_wait, WAKE_ANY);
	wake_all(&p->poll_wait, WAKE_ANY);
	lock_release(&p->lock);
	/* The array that is not in use: the new one if the change failed. */
	heap_free(old ? old : pages);
	return old ? before : -EBUSY;
}

long pipe_set_capacity(struct file *f, uint64_t bytes)
{
	struct pipe *p = pipe_of_file(f);
	uint64_t capacity = EXO_PAGE_SIZE, most = pipe_pages_of_user();
	uint8_t *spare;
	long before;

	if (!p)
		return -EBADF;
	if (bytes > PIPE_CAPACITY_MAX)
		return -EPERM;
	while (capacity < bytes)
		capacity *= 2;
	/* The new one counts before the old one goes.  To become smaller is always allowed. */
	if (capacity <= (uint64_t)pipe_capacity(f))
		most = UINT64_MAX;
	if (!user_add_pipe_pages(p->user, capacity / EXO_PAGE_SIZE, most))
		return -EPERM;
	spare = pages_alloc(1);
	before = spare ? change_capacity(p, capacity, &spare) : -ENOMEM;
	if (spare)
		pages_free(spare, 1);
	user_remove_pipe_pages(p->user, (before > 0 ? (uint64_t)before : capacity) / EXO_PAGE_SIZE);
	return before > 0 ? (long)capacity : before;
}

/* The fifo's pipe, held for the caller, who is about to open an end: *fresh if there is none, and then that
 * is NULL. */
static struct pipe *fifo_hold(struct inode *i, struct pipe **fresh)
{
	struct pipe *p;

	lock_acquire(&i->lock);
	if (!i->pipe) {
		i->pipe = *fresh;
		*fresh = NULL;
	}
	p = i->pipe;
	if (p)
		p->holders++;
	lock_release(&i->lock);
	return p;
}

void fifo_drop(struct inode *i)
{
	struct pipe *p;

	lock_acquire(&i->lock);
	p = i->pipe;
	if (--p->holders == 0)
		i->pipe = NULL; /* whoever opens it next makes another */
	else
		p = NULL;
	lock_release(&i->lock);
	if (p)
		pipe_free(p);
}

int fifo_open(struct inode *i, struct file *f)
{
	struct pipe *fresh = NULL, *p = fifo_hold(i, &fresh);
	int error;

	if (!p) {
		fresh = pipe_create();
		if (!fresh)
			return -ENOMEM;
		p = fifo_hold(i, &fresh);
	}
	if (fresh)
		pipe_free(fresh);
	error = pipe_attach(p, f, true);
	if (error)
		fifo_drop(i);
	return error;
}
