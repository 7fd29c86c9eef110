/* SPDX-License-Identifier: MIT */
/*
 * sendfile and copy_file_range: from a regular file to another file, through a buffer of the
 * libos.  At no time is more than one file's mutex held, so the two may be the same file.
 */
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/memfs.h"
#include "proc/signal.h"

#define BUFFER_BYTES 65536

static long write_piece(struct file *out, const void *data, size_t n, uint64_t *offset)
{
	long result;

	if (!file_has_position(out))
		return out->ops->write_kernel(out, data, n, NULL);
	if (offset)
		return out->ops->write_kernel(out, data, n, offset);
	mutex_lock(&out->position_mutex);
	result = out->ops->write_kernel(out, data, n, &out->position);
	mutex_unlock(&out->position_mutex);
	return result;
}

/* *in_offset, and *out_offset if it is not NULL, move on by what was copied. */
static long copy_pieces(struct file *in, uint64_t *in_offset, struct file *out,
			uint64_t *out_offset, uint64_t n, void *buffer)
{
	uint64_t total = 0;

	while (total < n) {
		size_t piece = n - total < BUFFER_BYTES ? n - total : BUFFER_BYTES;
		long got = memfs_read(in->inode, io_kernel(buffer), piece, *in_offset), put;

		if (got <= 0)
			return total ? (long)total : got;
		put = write_piece(out, buffer, (size_t)got, out_offset);
		if (put < 0)
			return total ? (long)total : put;
		total += (uint64_t)put;
		*in_offset += (uint64_t)put;
		if (put < got || signal_is_pending())
			break;
	}
	return (long)total;
}

/* Where the input is read: at *given, or at the file's position, which then moves on. */
static long copy_from(struct file *in, uint64_t *given, struct file *out, uint64_t *out_offset,
		      uint64_t n)
{
	void *buffer = heap_alloc(n < BUFFER_BYTES ? n + 1 : BUFFER_BYTES);
	uint64_t offset;
	long result;

	if (!buffer)
		return -ENOMEM;
	if (n > IO_BYTES_MAX)
		n = IO_BYTES_MAX;
	if (given) {
		result = copy_pieces(in, given, out, out_offset, n, buffer);
	} else {
		/* Not held while we write: the output's position may be this very one. */
		mutex_lock(&in->position_mutex);
		offset = in->position;
		mutex_unlock(&in->position_mutex);
		result = copy_pieces(in, &offset, out, out_offset, n, buffer);
		if (result > 0) {
			mutex_lock(&in->position_mutex);
			in->position = offset;
			mutex_unlock(&in->position_mutex);
		}
	}
	heap_free(buffer);
	return result;
}

static int fetch_offset(uint64_t user, uint64_t *offset)
{
	return user ? copy_from_user(offset, user, sizeof(*offset)) : 0;
}

static int store_offset(uint64_t user, const uint64_t *offset)
{
	return user ? copy_to_user(user, offset, sizeof(*offset)) : 0;
}

long sys_sendfile(int out_fd, int in_fd, uint64_t offset_user, uint64_t n)
{
	struct file *in = fd_get_readable(in_fd), *out = fd_get_writable(out_fd);
	uint64_t offset = 0;
	long result = -EBADF;

	if (in && out) {
		result = fetch_offset(offset_user, &offset);
		if (!result && offset > INT64_MAX)
			result = -EINVAL;
		if (!result && (!in->inode || !memfs_data(in->inode) || !out->ops->write_kernel))
			result = -EINVAL;
		if (!result && (file_flags(out) & O_APPEND))
			result = -EINVAL; /* as Linux, though we could */
		if (!result)
			result = copy_from(in, offset_user ? &offset : NULL, out, NULL, n);
		if (result > 0 && store_offset(offset_user, &offset))
			result = -EFAULT;
	}
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return result;
}

/* What kind of files they are comes before what they were opened for, as with Linux. */
static int check_files(struct file *in, struct file *out)
{
	if (!in->inode || !out->inode)
		return -EINVAL;
	if (inode_is_directory(in->inode) || inode_is_directory(out->inode))
		return -EISDIR;
	if (!memfs_data(in->inode) || !memfs_data(out->inode))
		return -EINVAL;
	if (!file_is_readable(in) || !file_is_writable(out) || (out->flags & O_APPEND))
		return -EBADF;
	return 0;
}

/* How many of *n bytes are there to be copied is in *n then. */
static int check_range(struct file *in, struct file *out, uint64_t in_offset, uint64_t out_offset,
		       uint64_t *n)
{
	uint64_t size, left;

	if (in_offset > INT64_MAX || out_offset > INT64_MAX)
		return -EINVAL;
	size = file_size(in);
	left = in_offset < size ? size - in_offset : 0;
	if (*n > IO_BYTES_MAX)
		*n = IO_BYTES_MAX;
	if (*n > left)
		*n = left;
	if (in->inode == out->inode && in_offset < out_offset + *n && out_offset < in_offset + *n)
		return -EINVAL;
	return 0;
}

static uint64_t position_of(struct file *f)
{
	uint64_t position;

	mutex_lock(&f->position_mutex);
	position = f->position;
	mutex_unlock(&f->position_mutex);
	return position;
}

long sys_copy_file_range(int in_fd, uint64_t in_user, int out_fd, uint64_t out_user, uint64_t n,
			 unsigned flags)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	uint64_t in_offset, out_offset;
	long result = -EBADF;

	if (in && out && !((file_flags(in) | file_flags(out)) & O_PATH)) {
		in_offset = position_of(in);
		out_offset = position_of(out);
		result = fetch_offset(in_user, &in_offset) ?: fetch_offset(out_user, &out_offset);
	}
	if (!result)
		result = flags ? -EINVAL : check_files(in, out);
	if (!result)
		result = check_range(in, out, in_offset, out_offset, &n);
	if (!result)
		result = copy_from(in, in_user ? &in_offset : NULL, out,
				   out_user ? &out_offset : NULL, n);
	if (result > 0 &&
	    (store_offset(in_user, &in_offset) || store_offset(out_user, &out_offset)))
		result = -EFAULT;
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return result;
}
