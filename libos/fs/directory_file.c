/* SPDX-License-Identifier: MIT */
/*
 * Open directories.  The position of a directory file is that of the next entry; positions are
 * the file system's and stay valid while names come and go.
 */
#include "fs/directory_file.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/inode.h"

/* Records are gathered here, since no user memory may be touched while the tree is locked. */
#define LISTING_BYTES_MAX 32768

struct record_listing {
	struct listing listing;
	char *records;
	size_t size, used;
	uint64_t next_position;
	bool refused; /* an entry did not fit */
};

static bool add_record(struct listing *l, const char *name, size_t length, uint64_t inode_number,
		       uint32_t mode, uint64_t next_position)
{
	struct record_listing *to = container_of(l, struct record_listing, listing);
	size_t size = (offsetof(struct linux_dirent64, name) + length + 1 + 7) & ~7ul;
	struct linux_dirent64 *record = (void *)(to->records + to->used);

	if (size > to->size - to->used) {
		to->refused = true;
		return false;
	}
	record->inode = inode_number;
	record->next = (int64_t)next_position;
	record->size = (uint16_t)size;
	record->type = (uint8_t)((mode & S_IFMT) >> 12);
	memcpy(record->name, name, length);
	memset(record->name + length, 0, size - length - offsetof(struct linux_dirent64, name));
	to->used += size;
	to->next_position = next_position;
	return true;
}

static long directory_read(struct file *f, uint64_t user, size_t n)
{
	struct record_listing to = {
		.listing.add = add_record,
		.listing.end = (uint64_t)f->private,
		.size = n < LISTING_BYTES_MAX ? n : LISTING_BYTES_MAX,
		.next_position = f->position,
	};
	long result;

	if (!to.size)
		return -EINVAL;
	to.records = heap_alloc(to.size);
	if (!to.records)
		return -ENOMEM;
	result = f->inode->ops->list(f->inode, f->position, &to.listing);
	if (result == 0 && to.used == 0 && to.refused)
		result = -EINVAL;
	if (result == 0)
		result = copy_to_user(user, to.records, to.used);
	if (result == 0) {
		f->position = to.next_position;
		f->private = (void *)to.listing.end; /* under position_mutex as well */
		result = (long)to.used;
		inode_touch_access(f->inode);
	}
	heap_free(to.records);
	return result;
}

static long directory_refuse(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	return -EISDIR;
}

static int directory_sync(struct file *f)
{
	return 0;
}

static const struct file_ops directory_file_ops = {
	.read = directory_refuse,
	.write = directory_refuse,
	.seek = file_seek_endless,
	.read_directory = directory_read,
	.sync = directory_sync,
};

int directory_open(struct inode *i, struct file *f)
{
	f->ops = &directory_file_ops;
	return 0;
}
