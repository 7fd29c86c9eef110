/* SPDX-License-Identifier: MIT */
/*
 * Names come and go: link, unlink, rename.
 *
 * Each function checks and allocates first, under tree_mutex alone, and then changes everything
 * in one hold of tree_lock, so that a lookup on another CPU sees the tree before or after.
 */
#include "core/memory.h"
#include "fs/directory.h"
#include "fs/memfs.h"
#include "fs/path_cache.h"
#include "fs/space.h"

/* What the directory needs beside it, it charges itself. */
static uint64_t entry_bytes(size_t length)
{
	return sizeof(struct directory_entry) + length;
}

struct directory_entry *memfs_find(struct inode *dir, const char *name, size_t length)
{
	return directory_find(dir->directory, name, length);
}

static struct directory_entry *entry_create(const char *name, size_t length, int *error)
{
	struct directory_entry *e;

	*error = -ENOSPC;
	if (!space_charge(entry_bytes(length)))
		return NULL;
	e = directory_entry_create(name, length);
	*error = -ENOMEM;
	if (!e)
		space_uncharge(entry_bytes(length));
	return e;
}

static void entry_free(struct directory_entry *e)
{
	space_uncharge(entry_bytes(e->length));
	heap_free(e);
}

/* Both under tree_lock.  A directory's links: its name, its "." and the ".." of those in it. */
static void entry_attach(struct directory_entry *e, struct inode *i)
{
	e->inode = i;
	list_push_back(&i->entries, &e->inode_link);
	i->links++;
	if (inode_is_directory(i)) {
		i->links++;
		e->directory->links++;
		if (i != root_inode)
			i->parent = inode_get(e->directory);
	}
}

/* Returns the reference that the directory's ".." had, to be put when the lock is dropped. */
static struct inode *entry_detach(struct directory_entry *e, bool keep_parent)
{
	struct inode *i = e->inode, *parent = NULL;

	path_cache_name_goes(e->directory, i);
	list_remove(&e->inode_link);
	i->links--;
	if (inode_is_directory(i)) {
		i->links--;
		e->directory->links--;
		/* A removed directory keeps its "..", for those who still stand in it. */
		if (!keep_parent) {
			parent = i->parent;
			i->parent = NULL;
		}
	}
	e->inode = NULL;
	return parent;
}

int memfs_link(struct inode *dir, const char *name, size_t length, struct inode *i)
{
	struct directory_entry *e;
	int error;

	if (dir->links == 0)
		return -ENOENT;
	e = entry_create(name, length, &error);
	if (!e)
		return error;
	e->directory = dir;
	lock_acquire(&tree_lock);
	error = directory_insert(dir->directory, e);
	if (!error)
		entry_attach(e, inode_get(i));
	lock_release(&tree_lock);
	if (error) {
		entry_free(e);
		return error;
	}
	inode_touch(i, TIME_CHANGE);
	inode_touch(dir, TIME_CHANGE | TIME_MODIFY);
	return 0;
}

int memfs_unlink(struct directory_entry *e)
{
	struct inode *i = e->inode, *dir = e->directory;

	if (inode_is_directory(i) && memfs_directory(i) && i->directory->count)
		return -ENOTEMPTY;
	lock_acquire(&tree_lock);
	directory_remove(dir->directory, e);
	entry_detach(e, true);
	lock_release(&tree_lock);
	inode_touch(i, TIME_CHANGE);
	inode_touch(dir, TIME_CHANGE | TIME_MODIFY);
	entry_free(e);
	inode_put(i);
	return 0;
}

bool memfs_is_below(struct inode *directory, const struct inode *above)
{
	for (struct inode *i = directory; i; i = i->parent) {
		if (i == above)
			return true;
		if (i == root_inode)
			break;
	}
	return false;
}

static int check_replace(struct inode *old, struct inode *victim)
{
	if (inode_is_directory(old) && !inode_is_directory(victim))
		return -ENOTDIR;
	if (!inode_is_directory(old) && inode_is_directory(victim))
		return -EISDIR;
	if (inode_is_directory(victim)) {
		if (!memfs_directory(victim))
			return -EBUSY;
		if (victim->directory->count)
			return -ENOTEMPTY;
	}
	return 0;
}

int memfs_rename(struct directory_entry *from, struct inode *to_dir, const char *name,
		 size_t length, struct inode **replaced)
{
	struct inode *i = from->inode, *from_dir = from->directory, *old_parent = NULL;
	struct directory_entry *to = directory_find(to_dir->directory, name, length);
	bool is_new = !to;
	int error = 0;

	*replaced = NULL;
	if (to_dir->links == 0)
		return -ENOENT;
	if (to && to->inode == i)
		return 0;
	if (to)
		error = check_replace(i, to->inode);
	else
		to = entry_create(name, length, &error);
	if (!to || (!is_new && error))
		return error;

	lock_acquire(&tree_lock);
	error = 0;
	if (is_new) {
		to->directory = to_dir;
		error = directory_insert(to_dir->directory, to);
	} else {
		*replaced = to->inode;
		entry_detach(to, true);
	}
	if (!error) {
		directory_remove(from_dir->directory, from);
		old_parent = entry_detach(from, false);
		entry_attach(to, i);
	}
	lock_release(&tree_lock);
	if (error) {
		entry_free(to);
		return error;
	}
	inode_put(old_parent);
	inode_touch(i, TIME_CHANGE);
	inode_touch(from_dir, TIME_CHANGE | TIME_MODIFY);
	inode_touch(to_dir, TIME_CHANGE | TIME_MODIFY);
	if (*replaced)
		inode_touch(*replaced, TIME_CHANGE);
	entry_free(from);
	return 0;
}

/* The two entries stay where they are and change inodes. */
void memfs_exchange(struct directory_entry *a, struct directory_entry *b)
{
	struct inode *a_inode = a->inode, *b_inode = b->inode, *a_parent, *b_parent;

	lock_acquire(&tree_lock);
	a_parent = entry_detach(a, false);
	b_parent = entry_detach(b, false);
	entry_attach(a, b_inode);
	entry_attach(b, a_inode);
	lock_release(&tree_lock);
	inode_put(a_parent);
	inode_put(b_parent);
	inode_touch(a_inode, TIME_CHANGE);
	inode_touch(b_inode, TIME_CHANGE);
	inode_touch(a->directory, TIME_CHANGE | TIME_MODIFY);
	inode_touch(b->directory, TIME_CHANGE | TIME_MODIFY);
}
