/* SPDX-License-Identifier: MIT */
/* The memory file system's inodes: making, finding, listing and freeing them. */
#include "fs/memfs.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/device_open.h"
#include "fs/directory_file.h"
#include "fs/directory.h"
#include "fs/fifo.h"
#include "fs/file_data.h"
#include "fs/space.h"

static _Atomic uint64_t last_number = 1; /* relaxed: only has to differ each time */

static struct inode *memfs_lookup(struct inode *dir, const char *name, size_t length, int *error)
{
	struct directory_entry *e;
	struct inode *found = NULL;

	lock_acquire(&tree_lock);
	e = directory_find(dir->directory, name, length);
	if (e)
		found = inode_get(e->inode);
	lock_release(&tree_lock);
	if (!found)
		*error = -ENOENT;
	return found;
}

static int memfs_list(struct inode *dir, uint64_t position, struct listing *l)
{
	struct directory *d = dir->directory;
	int error = 0;

	mutex_lock(&tree_mutex);
	if (dir->links == 0) {
		error = -ENOENT; /* removed: not even "." is there */
		goto out;
	}
	/* A file that is renamed comes to the end: who renames what he lists is not to meet it again. */
	if (position == 0 || !l->end)
		l->end = d->next_position;
	if (position < 1 && !l->add(l, ".", 1, dir->number, S_IFDIR, 1))
		goto out;
	if (position < 2 && !l->add(l, "..", 2, dir->parent ? dir->parent->number : dir->number,
				    S_IFDIR, DIRECTORY_FIRST_POSITION))
		goto out;
	for (struct directory_entry *e = directory_from(d, position); e; e = directory_next(d, e))
		if (e->position >= l->end || !l->add(l, e->name, e->length, e->inode->number,
						     e->inode->type, e->position + 1))
			break;
out:
	mutex_unlock(&tree_mutex);
	return error;
}

static void memfs_free_directory(struct inode *i)
{
	directory_free(i->directory);
	space_uncharge(sizeof(*i) + sizeof(*i->directory));
	space_count_inode(-1);
}

static const struct inode_ops directory_inode_ops = {
	.lookup = memfs_lookup,
	.list = memfs_list,
	.open = directory_open,
	.free = memfs_free_directory,
};

static uint64_t memfs_file_size(struct inode *i)
{
	return data_size(i->data);
}

static void memfs_free_file(struct inode *i)
{
	data_free(i->data);
	heap_free(i->data);
	space_uncharge(sizeof(*i) + sizeof(*i->data));
	space_count_inode(-1);
}

static const struct inode_ops file_inode_ops = {
	.size = memfs_file_size,
	.open = memfs_open,
	.free = memfs_free_file,
};

static uint64_t memfs_link_size(struct inode *i)
{
	return strlen(i->target);
}

static long memfs_read_link(struct inode *i, char *buf, size_t size)
{
	size_t length = strlen(i->target);

	if (length > size)
		length = size;
	memcpy(buf, i->target, length);
	return (long)length;
}

static void memfs_free_link(struct inode *i)
{
	space_uncharge(sizeof(*i) + strlen(i->target) + 1);
	space_count_inode(-1);
	heap_free(i->target);
}

static const struct inode_ops link_inode_ops = {
	.size = memfs_link_size,
	.read_link = memfs_read_link,
	.free = memfs_free_link,
};

static void memfs_free_special(struct inode *i)
{
	space_uncharge(sizeof(*i));
	space_count_inode(-1);
}

static const struct inode_ops device_inode_ops = {
	.open = device_open,
	.free = memfs_free_special,
};

static const struct inode_ops fifo_inode_ops = {
	.open = fifo_open,
	.free = memfs_free_special,
};

/* A socket's name, a block device: they have an inode and nothing behind it. */
static int nothing_open(struct inode *i, struct file *f)
{
	return -ENXIO;
}

static const struct inode_ops nothing_inode_ops = {
	.open = nothing_open,
	.free = memfs_free_special,
};

struct directory *memfs_directory(struct inode *i)
{
	return i->ops == &directory_inode_ops ? i->directory : NULL;
}

struct file_data *memfs_data(struct inode *i)
{
	return i->ops == &file_inode_ops ? i->data : NULL;
}

/* Takes over `content`, which was allocated and counts `bytes`; frees it on failure. */
static struct inode *create_charged(const struct inode_ops *ops, uint32_t mode, void *content,
				    size_t bytes, int *error)
{
	struct inode *i = NULL;
	uint64_t number = atomic_fetch_add_explicit(&last_number, 1, memory_order_relaxed) + 1;

	*error = -ENOMEM;
	if (content || !bytes)
		i = inode_create(ops, MEMFS_DEVICE, number, mode);
	if (i && !space_charge(sizeof(*i) + bytes)) {
		heap_free(i);
		i = NULL;
		*error = -ENOSPC;
	}
	if (!i) {
		heap_free(content);
		return NULL;
	}
	i->private = content;
	space_count_inode(1);
	*error = 0;
	return i;
}

struct inode *memfs_create_over(uint32_t mode, const void *archive, uint64_t size, int *error)
{
	struct file_data *data = heap_alloc(sizeof(*data));

	if (data)
		data_init(data, archive, size);
	return create_charged(&file_inode_ops, S_IFREG | (mode & 07777), data, sizeof(*data),
			      error);
}

void memfs_set_archive(struct inode *i, const void *archive, uint64_t size)
{
	data_init(i->data, archive, size);
}

struct inode *memfs_create_link(const char *target, size_t length, int *error)
{
	char *copy = heap_alloc(length + 1);

	if (copy)
		memcpy(copy, target, length);
	return create_charged(&link_inode_ops, S_IFLNK | 0777, copy, length + 1, error);
}

struct inode *memfs_create(uint32_t mode, uint64_t rdev, int *error)
{
	const struct inode_ops *ops = &nothing_inode_ops;
	struct inode *i;

	switch (mode & S_IFMT) {
	case S_IFREG:
		return memfs_create_over(mode, NULL, 0, error);
	case S_IFDIR:
		return create_charged(&directory_inode_ops, mode, directory_create(),
				      sizeof(struct directory), error);
	case S_IFCHR:
		ops = &device_inode_ops;
		break;
	case S_IFIFO:
		ops = &fifo_inode_ops;
		break;
	case S_IFBLK:
	case S_IFSOCK:
		break;
	default:
		*error = -EINVAL;
		return NULL;
	}
	i = create_charged(ops, mode, NULL, 0, error);
	if (i)
		i->rdev = rdev;
	return i;
}
