/* SPDX-License-Identifier: MIT */
/* readv, writev and their relatives with offsets. */
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/read_write.h"

/* RWF_HIPRI, RWF_DSYNC and RWF_SYNC ask for what is always so. */
#define RWF_HARMLESS 0x7

/* The sum of the lengths must be a positive ssize_t. */
static int check_lengths(const struct iovec *vector, int count)
{
	uint64_t total = 0;

	for (int i = 0; i < count; i++)
		if (__builtin_add_overflow(total, vector[i].iov_len, &total) || total > INT64_MAX)
			return -EINVAL;
	return 0;
}

int io_vector_fetch(struct io_vector *v, uint64_t user, unsigned count)
{
	v->buffers =
		count > VECTOR_ON_STACK ? heap_alloc(count * sizeof(*v->buffers)) : v->on_stack;
	if (!v->buffers)
		return -ENOMEM;
	if (copy_from_user(v->buffers, user, count * sizeof(*v->buffers)))
		return -EFAULT;
	return check_lengths(v->buffers, (int)count);
}

void io_vector_drop(struct io_vector *v)
{
	if (v->buffers != v->on_stack)
		heap_free(v->buffers);
}

static long transfer_vector(int fd, bool write, uint64_t user, int count, uint64_t *offset)
{
	struct io_vector v;
	struct fd_ref r;
	long result;

	if (count < 0 || count > UIO_MAXIOV)
		return -EINVAL;
	r = fd_borrow_for(fd, write);
	if (!r.file)
		return -EBADF;
	result = io_vector_fetch(&v, user, (unsigned)count)
			 ?: file_transfer(r, write, v.buffers, (unsigned)count, offset);
	io_vector_drop(&v);
	fd_return(r);
	return result;
}

long sys_readv(int fd, uint64_t vector, int count)
{
	return transfer_vector(fd, false, vector, count, NULL);
}

long sys_writev(int fd, uint64_t vector, int count)
{
	return transfer_vector(fd, true, vector, count, NULL);
}

static long transfer_at(int fd, bool write, uint64_t vector, int count, int64_t offset)
{
	uint64_t at = (uint64_t)offset;

	return offset < 0 ? -EINVAL : transfer_vector(fd, write, vector, count, &at);
}

/* Linux passes the offset's halves in two arguments; on 64-bit machines the first has it all. */
long sys_preadv(int fd, uint64_t vector, int count, int64_t offset)
{
	return transfer_at(fd, false, vector, count, offset);
}

long sys_pwritev(int fd, uint64_t vector, int count, int64_t offset)
{
	return transfer_at(fd, true, vector, count, offset);
}

long sys_preadv2(int fd, uint64_t vector, int count, int64_t offset, uint64_t high, int flags)
{
	if (flags & ~RWF_HARMLESS)
		return -EOPNOTSUPP;
	return offset == -1 ? sys_readv(fd, vector, count) : sys_preadv(fd, vector, count, offset);
}

long sys_pwritev2(int fd, uint64_t vector, int count, int64_t offset, uint64_t high, int flags)
{
	if (flags & ~RWF_HARMLESS)
		return -EOPNOTSUPP;
	return offset == -1 ? sys_writev(fd, vector, count)
			    : sys_pwritev(fd, vector, count, offset);
}
