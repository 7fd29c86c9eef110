/* SPDX-License-Identifier: MIT */
/* read, write and their relatives with one buffer; lseek, getdents64, fsync. */
#include "fs/read_write.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/inode.h"

/* Of a stream the second buffer has what is there by then: nobody waits with bytes in hand. */
static inline long transfer_one(struct file *f, bool write, bool begun, uint64_t user, size_t n,
				uint64_t *pos)
{
	bool more = begun && !file_has_position(f);
	file_transfer_op op = write ? f->ops->write : more ? f->ops->read_more : f->ops->read;

	return op ? op(f, user, n, pos) : -EINVAL;
}

static long transfer_all(struct file *f, bool write, const struct iovec *vector, unsigned count,
			 uint64_t *pos)
{
	size_t total = 0;

	for (unsigned i = 0; i < count; i++) {
		size_t n = vector[i].iov_len;
		long done;

		if (n > IO_BYTES_MAX - total)
			n = IO_BYTES_MAX - total;
		if (!n && count > 1)
			continue;
		done = transfer_one(f, write, total != 0, (uint64_t)vector[i].iov_base, n, pos);
		if (done < 0)
			return total ? (long)total : done;
		total += (size_t)done;
		/* A short transfer: there is no more now; to wait for more is the caller's choice. */
		if ((size_t)done < n)
			break;
	}
	return (long)total;
}

/* As Linux has it, who asks for more than can have a place gets nothing, also where there is less. */
static long transfer_placed(struct file *f, bool write, const struct iovec *vector, unsigned count,
			    uint64_t *pos)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < count; i++)
		total += vector[i].iov_len;
	if (total > INT64_MAX - *pos)
		return -EINVAL;
	if (write && count > 1 && f->ops->write_vector)
		return f->ops->write_vector(f, vector, count, pos);
	return transfer_all(f, write, vector, count, pos);
}

static long write_gathered(struct file *f, const struct iovec *vector, unsigned count, size_t total)
{
	uint8_t *bytes = heap_alloc(total);
	long result = bytes ? 0 : -ENOMEM;
	size_t at = 0;

	for (unsigned i = 0; i < count && !result; at += vector[i++].iov_len)
		result =
			copy_from_user(bytes + at, (uint64_t)vector[i].iov_base, vector[i].iov_len);
	if (!result)
		result = f->ops->write_kernel(f, bytes, total, NULL);
	heap_free(bytes);
	return result;
}

/* POSIX, write(): up to PIPE_BUF bytes are not mixed with others, from however many buffers they come. */
static long transfer_stream(struct file *f, bool write, const struct iovec *vector, unsigned count)
{
	unsigned filled = 0;
	size_t total = 0;

	if (f->ops->read_vector)
		return (write ? f->ops->write_vector : f->ops->read_vector)(f, vector, count, NULL);
	for (unsigned i = 0; i < count && total <= PIPE_BUF; i++) {
		filled += vector[i].iov_len != 0;
		total += vector[i].iov_len;
	}
	if (write && filled > 1 && total <= PIPE_BUF && f->ops->write_kernel)
		return write_gathered(f, vector, count, total);
	return transfer_all(f, write, vector, count, NULL);
}

long file_transfer(struct fd_ref r, bool write, const struct iovec *vector, unsigned count,
		   uint64_t *offset)
{
	struct file *f = r.file;
	bool shared;
	long result;

	if (!file_has_position(f))
		return offset && !f->ops->seek ? -ESPIPE : transfer_stream(f, write, vector, count);
	if (offset)
		return transfer_placed(f, write, vector, count, offset);
	shared = position_is_shared(r);
	if (shared)
		mutex_lock(&f->position_mutex);
	result = transfer_placed(f, write, vector, count, &f->position);
	if (shared)
		mutex_unlock(&f->position_mutex);
	return result;
}

/* One buffer, which is what most calls have: the same without the array. */
static long transfer_positioned(struct fd_ref r, bool write, uint64_t buf, uint64_t n)
{
	struct iovec one = { .iov_base = (void *)buf, .iov_len = n };

	return file_transfer(r, write, &one, 1, NULL);
}

static inline long transfer_buffer(struct fd_ref r, bool write, uint64_t buf, uint64_t n)
{
	if (file_has_position(r.file))
		return transfer_positioned(r, write, buf, n);
	return transfer_one(r.file, write, false, buf, n < IO_BYTES_MAX ? n : IO_BYTES_MAX, NULL);
}

static long transfer_at(int fd, bool write, uint64_t buf, uint64_t n, int64_t offset)
{
	struct iovec one = { .iov_base = (void *)buf, .iov_len = n };
	uint64_t at = (uint64_t)offset;
	struct fd_ref r;
	long result;

	if (offset < 0)
		return -EINVAL;
	r = fd_borrow_for(fd, write);
	if (!r.file)
		return -EBADF;
	result = file_transfer(r, write, &one, 1, &at);
	fd_return(r);
	return result;
}

static __attribute__((noinline)) long transfer(int fd, bool write, uint64_t buf, uint64_t n)
{
	struct fd_ref r = fd_borrow_for(fd, write);
	long result;

	if (!r.file)
		return -EBADF;
	result = transfer_buffer(r, write, buf, n);
	fd_return(r);
	return result;
}

/* What a door goes to for a file with a position: the descriptors are the caller's alone. */
static long read_positioned(struct file *f, uint64_t buf, uint64_t n, uint64_t *unused)
{
	return transfer_positioned((struct fd_ref){ f, false }, false, buf, n);
}

static long write_positioned(struct file *f, uint64_t buf, uint64_t n, uint64_t *unused)
{
	return transfer_positioned((struct fd_ref){ f, false }, true, buf, n);
}

/*
 * What is found for a file does not change: neither its ops nor what it was opened for do.  Pipes,
 * terminals, /dev/null: with nothing to hold meanwhile, and nothing to do afterwards, the file's
 * own function is all there is to the call.
 */
long file_read_first(struct file *f, uint64_t buf, size_t n, uint64_t *unused)
{
	file_transfer_op op = file_has_position(f) ? read_positioned : f->ops->read;

	if (!file_is_readable(f))
		return -EBADF;
	if (!op)
		return -EINVAL;
	atomic_store_explicit(&f->read_at_once, op, memory_order_relaxed);
	return op(f, buf, n, NULL);
}

long file_write_first(struct file *f, uint64_t buf, size_t n, uint64_t *unused)
{
	file_transfer_op op = file_has_position(f) ? write_positioned : f->ops->write;

	if (!file_is_writable(f))
		return -EBADF;
	if (!op)
		return -EINVAL;
	atomic_store_explicit(&f->write_at_once, op, memory_order_relaxed);
	return op(f, buf, n, NULL);
}

/* By number, or at a door that does not know the descriptor (core/read_write.asm): the next time it does. */
long sys_read(int fd, uint64_t buf, uint64_t n)
{
	struct file *f = fd_peek(fd);

	if (!f || n > IO_BYTES_MAX)
		return transfer(fd, false, buf, n);
	fd_own_remember();
	return atomic_load_explicit(&f->read_at_once, memory_order_relaxed)(f, buf, n, NULL);
}

long sys_write(int fd, uint64_t buf, uint64_t n)
{
	struct file *f = fd_peek(fd);

	if (!f || n > IO_BYTES_MAX)
		return transfer(fd, true, buf, n);
	fd_own_remember();
	return atomic_load_explicit(&f->write_at_once, memory_order_relaxed)(f, buf, n, NULL);
}

long sys_pread64(int fd, uint64_t buf, uint64_t n, int64_t offset)
{
	return transfer_at(fd, false, buf, n, offset);
}

long sys_pwrite64(int fd, uint64_t buf, uint64_t n, int64_t offset)
{
	return transfer_at(fd, true, buf, n, offset);
}

static long seek(struct fd_ref r, int64_t offset, int whence)
{
	struct file *f = r.file;
	bool shared = position_is_shared(r);
	long result;

	if (f->flags & O_PATH)
		return -EBADF;
	if (!f->ops->seek)
		return -ESPIPE;
	if (shared)
		mutex_lock(&f->position_mutex);
	result = f->ops->seek(f, offset, whence);
	if (shared)
		mutex_unlock(&f->position_mutex);
	return result;
}

long sys_lseek(int fd, int64_t offset, int whence)
{
	struct fd_ref r = fd_borrow(fd);
	long result;

	if (!r.file)
		return -EBADF;
	result = seek(r, offset, whence);
	fd_return(r);
	return result;
}

long sys_getdents64(int fd, uint64_t buf, uint64_t n)
{
	struct file *f = fd_get_readable(fd);
	long result;

	if (!f)
		return -EBADF;
	if (!f->ops->read_directory) {
		result = -ENOTDIR;
	} else {
		mutex_lock(&f->position_mutex);
		result = f->ops->read_directory(f, buf, n);
		mutex_unlock(&f->position_mutex);
	}
	file_put(f);
	return result;
}

long sys_fsync(int fd)
{
	struct file *f = fd_get(fd);
	long result;

	if (!f)
		return -EBADF;
	result = f->flags & O_PATH ? -EBADF : f->ops->sync ? f->ops->sync(f) : -EINVAL;
	file_put(f);
	return result;
}

/* Files are nowhere but in memory: there is nothing to be begun, or waited for. */
long sys_sync_file_range(int fd, int64_t offset, int64_t n, unsigned flags)
{
	struct file *f = fd_get(fd);
	long result = 0;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		result = -EBADF;
	else if (flags & ~SYNC_FILE_RANGE_WRITE_AND_WAIT || offset < 0 || n < 0 ||
		 n > INT64_MAX - offset)
		result = -EINVAL;
	else if (!f->ops->seek)
		result = -ESPIPE;
	file_put(f);
	return result;
}

long sys_fdatasync(int fd)
{
	return sys_fsync(fd);
}

/* Nothing is ever written later than it is written. */
long sys_sync(void)
{
	return 0;
}

static long if_open(int fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

long sys_syncfs(int fd)
{
	return if_open(fd);
}

/* Everything is in memory already: advice changes nothing. */
long sys_fadvise64(int fd, int64_t offset, int64_t n, int advice)
{
	struct file *f = fd_get(fd);
	bool is_fifo;

	if (!f)
		return -EBADF;
	is_fifo = f->inode && f->inode->type == S_IFIFO;
	file_put(f);
	if (is_fifo)
		return -ESPIPE;
	return n < 0 || advice < 0 || advice > 5 ? -EINVAL : 0;
}

long sys_readahead(int fd, int64_t offset, uint64_t n)
{
	return if_open(fd);
}
