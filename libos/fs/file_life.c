/* SPDX-License-Identifier: MIT */
/* The life time of open files. */
#include "core/memory.h"
#include "fs/epoll.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/read_write.h"
#include "fs/record_lock.h"

struct file *file_alloc(const struct file_ops *ops, struct inode *inode, void *private,
			uint32_t flags)
{
	struct file *f = heap_alloc_uncleared(sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->inode = inode;
	f->private = private;
	atomic_init(&f->read_at_once, file_read_first);
	atomic_init(&f->write_at_once, file_write_first);
	atomic_init(&f->references, 1);
	atomic_init(&f->flags, flags);
	mutex_init(&f->position_mutex, "file position", MUTEX_POSITION);
	f->position_mutex.below = NULL;
	f->position = 0;
	atomic_init(&f->watches, NULL);
	return f;
}

/* Relaxed: whoever takes a reference has one, or holds the lock of the table that does. */
void file_get(struct file *f)
{
	atomic_fetch_add_explicit(&f->references, 1, memory_order_relaxed);
}

/* For who knows a file that may be gone at any time, but keeps its memory there meanwhile (fs/epoll.c). */
bool file_try_get(struct file *f)
{
	uint32_t n = atomic_load_explicit(&f->references, memory_order_relaxed);

	while (n > 0)
		if (atomic_compare_exchange_weak_explicit(&f->references, &n, n + 1, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	return false;
}

static bool is_watched(const struct file *f)
{
	return atomic_load_explicit(&f->watches, memory_order_relaxed);
}

/* Release our uses of the file, acquire everybody else's before it is freed.  Epolls know what they watch
 * without counting it: so who makes the count zero has the file, and file_try_get() fails from there on.
 * Was it we? */
static inline bool drop_reference(struct file *f)
{
	if (atomic_fetch_sub_explicit(&f->references, 1, memory_order_acq_rel) != 1)
		return false;
	if (is_watched(f))
		epoll_forget(f);
	return true;
}

static __attribute__((noinline, cold)) bool drop_only_reference(struct file *f)
{
	return drop_reference(f);
}

void file_put(struct file *f)
{
	/* If ours is the only reference, and the file has not been watched until then, nobody can take
	 * another: who has one has it counted, and no table has the file. */
	if (atomic_load_explicit(&f->references, memory_order_acquire) != 1) {
		if (!drop_reference(f))
			return;
	} else if (is_watched(f) && !drop_only_reference(f)) {
		return;
	}
	if (f->ops->release)
		f->ops->release(f);
	if (f->inode)
		record_lock_release(f->inode, f);
	inode_put(f->inode);
	heap_free(f);
}
