/* SPDX-License-Identifier: MIT */
/* rename(2): what it checks; the tree's part is memfs_rename(). */
#include "fs/calls.h"
#include "fs/directory.h"
#include "fs/memfs.h"
#include "fs/name.h"
#include "fs/path.h"

#define RENAME_FLAGS (RENAME_NOREPLACE | RENAME_EXCHANGE)

/* A directory that moves has another ".." afterwards: that is writing it. */
static int may_move(struct inode *from_dir, struct inode *i, struct inode *to_dir)
{
	int error = name_may_remove(from_dir, i);

	if (!error && from_dir != to_dir && inode_is_directory(i))
		error = inode_access(i, W_OK);
	if (!error && inode_is_directory(i) && !memfs_directory(i))
		error = -EBUSY; /* /proc */
	return error;
}

/* Under tree_mutex: the two names as they are now. */
static int check(struct path *from, struct directory_entry *a, struct path *to,
		 struct directory_entry *b, unsigned flags)
{
	int error;

	if (!a || (!b && (flags & RENAME_EXCHANGE)))
		return -ENOENT;
	if (b && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!inode_is_directory(a->inode) &&
	    (from->trailing_slash || (to->trailing_slash && !(flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if ((flags & RENAME_EXCHANGE) && !inode_is_directory(b->inode) && to->trailing_slash)
		return -ENOTDIR;
	/* No directory goes below itself. */
	if (memfs_is_below(to->parent, a->inode))
		return -EINVAL;
	if (b && memfs_is_below(from->parent, b->inode))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	error = may_move(from->parent, a->inode, to->parent)
			?: inode_access(to->parent, W_OK | X_OK);
	if (!error && b)
		error = flags & RENAME_EXCHANGE ? may_move(to->parent, b->inode, from->parent)
						: name_may_remove(to->parent, b->inode);
	return error;
}

static int rename_locked(struct path *from, struct path *to, unsigned flags,
			 struct inode **replaced)
{
	struct directory_entry *a, *b;
	int error;

	if (!memfs_directory(from->parent) || !memfs_directory(to->parent))
		return from->parent->device == to->parent->device ? -EPERM : -EXDEV;
	a = memfs_find(from->parent, from->name, from->length);
	b = memfs_find(to->parent, to->name, to->length);
	error = check(from, a, to, b, flags);
	if (error)
		return error;
	if (!(flags & RENAME_EXCHANGE))
		return memfs_rename(a, to->parent, to->name, to->length, replaced);
	if (a->inode != b->inode)
		memfs_exchange(a, b);
	return 0;
}

long sys_renameat2(int from_dirfd, uint64_t from, int to_dirfd, uint64_t to, unsigned flags)
{
	struct inode *replaced = NULL;
	struct path source, target;
	int error;

	if ((flags & ~RENAME_FLAGS) || flags == RENAME_FLAGS)
		return -EINVAL;
	error = path_at(from_dirfd, from, PATH_PARENT, &source);
	if (error)
		return error;
	error = path_at(to_dirfd, to, PATH_PARENT, &target);
	if (error) {
		path_release(&source);
		return error;
	}
	if (source.last != LAST_NAME) {
		error = -EBUSY;
	} else if (target.last != LAST_NAME) {
		error = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	} else {
		mutex_lock(&tree_mutex);
		error = rename_locked(&source, &target, flags, &replaced);
		mutex_unlock(&tree_mutex);
	}
	inode_put(replaced);
	path_release(&source);
	path_release(&target);
	return error;
}

long sys_renameat(int from_dirfd, uint64_t from, int to_dirfd, uint64_t to)
{
	return sys_renameat2(from_dirfd, from, to_dirfd, to, 0);
}

long sys_rename(uint64_t from, uint64_t to)
{
	return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
