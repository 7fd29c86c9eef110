/* SPDX-License-Identifier: MIT */
/* Open files: what the libos itself does with them. */
#include "fs/file.h"
#include "core/string.h"
#include "fs/file_data.h"
#include "fs/inode.h"
#include "fs/memfs.h"
#include "fs/open.h"
#include "fs/path.h"

long file_seek_from(struct file *f, int64_t base, int64_t offset)
{
	/* Linux does not tell what is too large from what is negative. */
	if (__builtin_add_overflow(base, offset, &base) || base < 0)
		return -EINVAL;
	f->position = (uint64_t)base;
	return base;
}

long file_seek_endless(struct file *f, int64_t offset, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_seek_from(f, whence == SEEK_CUR ? (int64_t)f->position : 0, offset);
}

const struct file_data *file_map_data(const struct file *f)
{
	return f->inode ? memfs_data(f->inode) : NULL;
}

static void count_mapping(struct file *f, int change)
{
	struct file_data *data = f->inode ? memfs_data(f->inode) : NULL;

	if (data)
		data_count_mapping(data, change);
}

void file_map_get(struct file *f)
{
	file_get(f);
	count_mapping(f, 1);
}

void file_map_put(struct file *f)
{
	count_mapping(f, -1);
	file_put(f);
}

/* Devices have no such time; O_NOATIME asks for none. */
void file_touch_mapped(struct file *f)
{
	if (file_map_data(f) &&
	    !(atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NOATIME))
		inode_touch_access(f->inode);
}

struct file *file_open_kernel(const char *path, int flags, int *error)
{
	struct path at;
	struct file *f;

	*error = path_kernel(path, flags & O_NOFOLLOW ? 0 : PATH_FOLLOW, &at);
	if (*error)
		return NULL;
	f = open_inode(path_take(&at), (uint32_t)flags, error);
	path_release(&at);
	return f;
}

static long read_at(struct file *f, struct io_buffer to, size_t n, uint64_t offset)
{
	if (!f->inode || !memfs_data(f->inode))
		return -EINVAL;
	return memfs_read(f->inode, to, n, offset);
}

long file_read_kernel(struct file *f, void *buf, size_t n, uint64_t offset)
{
	return read_at(f, io_kernel(buf), n, offset);
}

long file_read_user(struct file *f, uint64_t to, size_t n, uint64_t offset)
{
	return read_at(f, io_user(to), n, offset);
}

uint64_t file_size(struct file *f)
{
	return f->inode ? inode_size(f->inode) : 0;
}

uint32_t file_mode(struct file *f)
{
	return f->inode ? inode_mode(f->inode) : 0600;
}

size_t file_path(struct file *f, char *buf, size_t size)
{
	long length = f->inode ? inode_path_shown(f->inode, root_inode, buf, size)
			       : (long)string_copy(buf, "(deleted)", size);

	return length > 0 ? (size_t)length : string_copy(buf, "(path too long)", size);
}
