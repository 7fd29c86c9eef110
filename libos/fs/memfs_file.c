/* SPDX-License-Identifier: MIT */
/* Open regular files of the memory file system. */
#include "fs/descriptor.h"
#include "fs/file_data.h"
#include "fs/memfs.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "vm/vm.h"

#define SIGXFSZ 25

long memfs_read(struct inode *i, struct io_buffer to, size_t n, uint64_t offset)
{
	long done;

	mutex_lock(&i->mutex);
	done = data_read(i->data, to, n, offset);
	mutex_unlock(&i->mutex);
	if (done > 0)
		inode_touch_access(i);
	return done;
}

/* How far the process may let a file grow (RLIMIT_FSIZE). */
static uint64_t size_limit(void)
{
	struct process *p = current_process();

	return p ? p->limits[RLIMIT_FSIZE][0] : UINT64_MAX;
}

int memfs_size_allowed(uint64_t size)
{
	if (size <= size_limit())
		return 0;
	signal_raise(SIGXFSZ);
	return -EFBIG;
}

/* A write by anybody but the superuser takes away the rights to run as somebody else; S_ISGID without
 * S_IXGRP is no such right, but only a member of the group may leave it there. */
static void drop_privilege_bits(struct inode *i)
{
	struct process *p = current_process();

	if (!p || p->euid == 0)
		return;
	lock_acquire(&i->lock);
	i->permissions &= ~S_ISUID;
	if ((i->permissions & S_IXGRP) || !process_is_in_group(p, i->gid))
		i->permissions &= ~S_ISGID;
	lock_release(&i->lock);
}

void memfs_modified(struct inode *i)
{
	drop_privilege_bits(i);
	inode_touch(i, TIME_CHANGE | TIME_MODIFY);
}

/* Under the inode's mutex: as much as the limit of its size lets in.  *too_large: that is nothing. */
static inline long write_held(struct inode *i, struct io_buffer from, size_t n, uint64_t *offset,
			      bool *too_large)
{
	uint64_t limit = size_limit();
	long done;

	if (n && *offset + n > limit) {
		*too_large = *offset >= limit;
		n = *too_large ? 0 : limit - *offset;
	}
	done = *too_large ? -EFBIG : data_write(i->data, from, n, *offset);
	if (done > 0)
		*offset += (uint64_t)done;
	return done;
}

static inline void end_write(struct inode *i, long done, bool too_large)
{
	mutex_unlock(&i->mutex);
	if (done > 0)
		memfs_modified(i);
	if (too_large)
		signal_raise(SIGXFSZ);
}

long memfs_write(struct inode *i, struct io_buffer from, size_t n, uint64_t *offset, bool append)
{
	bool too_large = false;
	long done;

	mutex_lock(&i->mutex);
	if (append)
		*offset = data_size(i->data);
	done = write_held(i, from, n, offset, &too_large);
	end_write(i, done, too_large);
	return done;
}

/* Under the mutex: up to the first that is not written whole. */
static long write_each(struct inode *i, const struct iovec *vector, unsigned count,
		       uint64_t *offset, bool *too_large)
{
	size_t total = 0;
	long done = 0;

	for (unsigned n = 0; n < count; n++) {
		size_t length = vector[n].iov_len;

		if (length > IO_BYTES_MAX - total)
			length = IO_BYTES_MAX - total;
		done = write_held(i, io_user((uint64_t)vector[n].iov_base), length, offset,
				  too_large);
		if (done > 0)
			total += (size_t)done;
		if (done < 0 || (size_t)done < length)
			break;
	}
	/* Only a write of nothing at all has failed, and is told so by a signal. */
	*too_large &= !total;
	return total ? (long)total : done;
}

/* All of it with nobody else's in between: POSIX, writev(). */
static long regular_write_vector(struct file *f, const struct iovec *vector, unsigned count,
				 uint64_t *pos)
{
	struct inode *i = f->inode;
	bool too_large = false;
	long done;

	mutex_lock(&i->mutex);
	if (f->flags & O_APPEND)
		*pos = data_size(i->data);
	done = write_each(i, vector, count, pos, &too_large);
	end_write(i, done, too_large);
	return done;
}

int memfs_resize(struct inode *i, uint64_t size)
{
	struct vm_cut cut = { 0 };
	int error = 0;

	if (size > FILE_SIZE_LIMIT)
		return -EFBIG;
	mutex_lock(&i->mutex);
	/* A file that is too large already may be cut to any size. */
	if (size > data_size(i->data))
		error = memfs_size_allowed(size);
	if (!error)
		data_resize(i->data, size, &cut);
	mutex_unlock(&i->mutex);
	vm_cut_end(&cut);
	if (!error)
		memfs_modified(i);
	return error;
}

static long regular_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	long done = memfs_read(f->inode, io_user(user), n, *pos);

	if (done > 0)
		*pos += (uint64_t)done;
	return done;
}

static long regular_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return memfs_write(f->inode, io_user(user), n, pos, f->flags & O_APPEND);
}

static long regular_write_kernel(struct file *f, const void *data, size_t n, uint64_t *pos)
{
	return memfs_write(f->inode, io_kernel(data), n, pos, f->flags & O_APPEND);
}

static long regular_seek(struct file *f, int64_t offset, int whence)
{
	int64_t base = 0, found;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (int64_t)f->position;
		break;
	case SEEK_END:
		base = (int64_t)data_size(f->inode->data);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (offset < 0)
			return -ENXIO;
		mutex_lock(&f->inode->mutex);
		found = data_seek(f->inode->data, (uint64_t)offset, whence == SEEK_HOLE);
		mutex_unlock(&f->inode->mutex);
		if (found >= 0)
			f->position = (uint64_t)found;
		return found;
	default:
		return -EINVAL;
	}
	return file_seek_from(f, base, offset);
}

/*
 * A shared mapping gets pages of the file's own even for reading, so that all who map it shared look at the
 * same frame, and a write goes there as well, whoever writes; a private one does of a file that is open for
 * writing.  Others may show what the archive has, whatever is written later: programs that run cost no
 * memory.  No inode mutex: see file_data.h.
 *
 * The first write to a page through a mapping is a write to the file.  Later ones are told to nobody, so a
 * time that is set after it stays.
 */
static long regular_map_frame(struct file *f, uint64_t index, bool shared, bool write)
{
	long frame = data_map_frame(f->inode->data, index, shared || file_is_writable(f));

	if (write && frame > 0)
		inode_touch(f->inode, TIME_CHANGE | TIME_MODIFY);
	return frame;
}

static int regular_sync(struct file *f)
{
	return 0;
}

/*
 * A file that may be written is not run, and one that runs is not opened to be written: `writers` is on one
 * side of zero.  One more on this side; false: it is on the other.  Relaxed: the count orders nothing but
 * itself.
 */
static bool count_user(struct file_data *d, int32_t side)
{
	int32_t now = atomic_load_explicit(&d->writers, memory_order_relaxed);

	do {
		if (side > 0 ? now < 0 : now > 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&d->writers, &now, now + side,
							memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void forget_user(struct file_data *d, int32_t side)
{
	atomic_fetch_sub_explicit(&d->writers, side, memory_order_relaxed);
}

static void written_release(struct file *f)
{
	forget_user(f->inode->data, 1);
}

static void executed_release(struct file *f)
{
	forget_user(f->inode->data, -1);
}

#define REGULAR_FILE_OPS                                                                           \
	.read = regular_read, .write = regular_write, .write_kernel = regular_write_kernel,        \
	.write_vector = regular_write_vector, .seek = regular_seek,                                \
	.map_frame = regular_map_frame, .sync = regular_sync

static const struct file_ops regular_file_ops = { REGULAR_FILE_OPS };
static const struct file_ops written_regular_file_ops = { REGULAR_FILE_OPS, .release = written_release };
static const struct file_ops executed_regular_file_ops = { REGULAR_FILE_OPS, .release = executed_release };

static __attribute__((noinline)) int open_to_write(struct inode *i, struct file *f)
{
	if (!count_user(i->data, 1))
		return -ETXTBSY;
	f->ops = &written_regular_file_ops;
	return 0;
}

int memfs_open(struct inode *i, struct file *f)
{
	if (file_is_writable(f))
		return open_to_write(i, f);
	f->ops = &regular_file_ops;
	return 0;
}

void memfs_forget_writer(struct file *f)
{
	forget_user(f->inode->data, 1);
	f->ops = &regular_file_ops;
}

int memfs_execute(struct file *f)
{
	if (f->ops != &regular_file_ops)
		return 0;
	if (!count_user(f->inode->data, -1))
		return -ETXTBSY;
	f->ops = &executed_regular_file_ops;
	return 0;
}

int memfs_truncate(struct inode *i, uint64_t size)
{
	int error;

	if (!count_user(i->data, 1))
		return -ETXTBSY;
	error = memfs_resize(i, size);
	forget_user(i->data, 1);
	return error;
}
