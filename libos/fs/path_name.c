/* SPDX-License-Identifier: MIT */
/* From an inode back to its path, for getcwd, /proc/PID/exe and the like. */
#include "core/string.h"
#include "fs/directory.h"
#include "fs/inode.h"

/* The path is put together from its end; `at` is where it starts in the buffer. */
struct backwards {
	char *buf;
	size_t at;
	bool full; /* there would be more */
};

static bool prepend(struct backwards *b, const char *name, size_t length)
{
	b->full = b->at < length + 1;
	if (b->full)
		return false;
	b->at -= length;
	memcpy(b->buf + b->at, name, length);
	b->buf[--b->at] = '/';
	return true;
}

/* The name of i in the directory that it returns, under tree_lock; NULL: it has none, or no room. */
static struct inode *prepend_name(struct backwards *b, struct inode *i)
{
	struct directory_entry *e;
	char name[NAME_MAX];
	size_t length;

	if (!list_empty(&i->entries)) {
		e = list_entry(i->entries.next, struct directory_entry, inode_link);
		return prepend(b, e->name, e->length) ? e->directory : NULL;
	}
	if (!i->ops->print_name || !i->parent)
		return NULL;
	length = i->ops->print_name(i, name, sizeof(name));
	return length && prepend(b, name, length) ? i->parent : NULL;
}

/*
 * Only tree_lock: callers may hold the mutex of an address space.  Each step prepends two bytes
 * at least, so the buffer's size bounds the time under the lock.
 */
long inode_path(struct inode *i, struct inode *root, char *buf, size_t size)
{
	struct backwards b = { .buf = buf, .at = size };
	size_t length;

	if (size < 2)
		return -ENAMETOOLONG;
	buf[--b.at] = 0;
	lock_acquire(&tree_lock);
	while (i && i != root)
		i = i == root_inode ? NULL : prepend_name(&b, i);
	lock_release(&tree_lock);
	if (!i)
		return b.full ? -ENAMETOOLONG : -ENOENT;
	if (b.at == size - 1)
		buf[--b.at] = '/';
	length = size - 1 - b.at;
	memmove(buf, buf + b.at, length + 1);
	return (long)length;
}

long inode_path_shown(struct inode *i, struct inode *root, char *buf, size_t size)
{
	long length = inode_path(i, root, buf, size);

	return length == -ENOENT ? (long)string_copy(buf, "(deleted)", size) : length;
}
