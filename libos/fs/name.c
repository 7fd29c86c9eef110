/* SPDX-License-Identifier: MIT */
/*
 * Calls that make and remove names: mkdir, mknod, link, symlink, unlink, rmdir; and readlink.
 *
 * Each walks to the directory of the last name, takes tree_mutex, and looks at the name again:
 * what the walk saw may have changed.  New inodes are allocated before, and references on old
 * ones are dropped after, so the mutex is held over nothing that is slow.
 */
#include "fs/name.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/directory.h"
#include "fs/memfs.h"
#include "fs/path.h"
#include "proc/process.h"

/* A directory has one name, no name leads to another file system, and what has lost its last name gets none
 * again: somebody may have relied on its being gone. */
static int check_linkable(struct inode *i, struct inode *directory)
{
	if (i->device != directory->device)
		return -EXDEV;
	if (inode_is_directory(i))
		return -EPERM;
	return i->links || i->may_be_linked ? 0 : -ENOENT;
}

/* Gives the inode, which may be new, the name that the walk ended before. */
static int add_name(struct path *at, struct inode *i, bool is_new)
{
	int error;

	mutex_lock(&tree_mutex);
	if (!memfs_directory(at->parent))
		error = -EPERM;
	else if (memfs_find(at->parent, at->name, at->length))
		error = -EEXIST;
	else if (at->trailing_slash && !(inode_is_directory(i) && is_new)) /* only for mkdir */
		error = -ENOENT;
	else
		error = inode_access(at->parent, W_OK | X_OK)
			?: (is_new ? 0 : check_linkable(i, at->parent))
			?: memfs_link(at->parent, at->name, at->length, i);
	if (!error)
		i->may_be_linked = false;
	mutex_unlock(&tree_mutex);
	return error;
}

/* Adds a new inode, whose reference is consumed; NULL comes with its error. */
static long add_new(struct path *at, struct inode *i, int error)
{
	if (i) {
		inode_set_owner(i, at->parent);
		error = add_name(at, i, true);
	}
	inode_put(i);
	path_release(at);
	return error;
}

/* Where the walk to the directory has ended well. */
static int expect_name(struct path *at)
{
	if (at->last == LAST_NAME)
		return 0;
	path_release(at);
	return -EEXIST;
}

static int walk_to_new(int dirfd, uint64_t path, struct path *at)
{
	int error = path_at(dirfd, path, PATH_PARENT, at);

	return error ? error : expect_name(at);
}

long sys_mkdirat(int dirfd, uint64_t path, uint32_t mode)
{
	struct inode *i;
	struct path at;
	int error = walk_to_new(dirfd, path, &at);

	if (error)
		return error;
	i = memfs_create(S_IFDIR | context_mask(mode & 01777), 0, &error);
	return add_new(&at, i, error);
}

long sys_mkdir(uint64_t path, uint32_t mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dirfd, uint64_t path, uint32_t mode, uint32_t device)
{
	uint32_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
	struct inode *i;
	struct path at;
	int error;

	if (type == S_IFDIR || type == S_IFLNK)
		return type == S_IFDIR ? -EPERM : -EINVAL;
	if ((type == S_IFCHR || type == S_IFBLK) && current_process()->euid != 0)
		return -EPERM;
	error = walk_to_new(dirfd, path, &at);
	if (error)
		return error;
	i = memfs_create(type | context_mask(mode & 07777), device, &error);
	return add_new(&at, i, error);
}

struct inode *name_make_socket(const char *path, int *error)
{
	struct inode *i;
	struct path at;

	*error = path_kernel(path, PATH_PARENT, &at);
	if (!*error)
		*error = expect_name(&at);
	if (*error)
		return NULL;
	i = memfs_create(S_IFSOCK | context_mask(0777), 0, error);
	if (i)
		inode_get(i);
	*error = (int)add_new(&at, i, *error);
	if (*error)
		inode_put(i);
	return *error ? NULL : i;
}

long sys_mknod(uint64_t path, uint32_t mode, uint32_t device)
{
	return sys_mknodat(AT_FDCWD, path, mode, device);
}

long sys_symlinkat(uint64_t target, int dirfd, uint64_t path)
{
	char *text = heap_alloc(PATH_MAX);
	struct inode *i;
	struct path at;
	long length;
	int error;

	if (!text)
		return -ENOMEM;
	length = copy_string_from_user(text, target, PATH_MAX);
	error = length < 0 ? (int)length : length == 0 ? -ENOENT : walk_to_new(dirfd, path, &at);
	if (!error) {
		i = memfs_create_link(text, (size_t)length, &error);
		error = (int)add_new(&at, i, error);
	}
	heap_free(text);
	return error;
}

long sys_symlink(uint64_t target, uint64_t path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

long sys_linkat(int from_dirfd, uint64_t from, int to_dirfd, uint64_t to, int flags)
{
	unsigned walk = (flags & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0) |
			(flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
	struct path source, at;
	int error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = path_at(from_dirfd, from, walk, &source);
	if (error)
		return error;
	error = walk_to_new(to_dirfd, to, &at);
	if (!error) {
		error = add_name(&at, source.inode, false);
		path_release(&at);
	}
	path_release(&source);
	return error;
}

long sys_link(uint64_t from, uint64_t to)
{
	return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int name_may_remove(struct inode *directory, struct inode *victim)
{
	int error = inode_access(directory, W_OK | X_OK);

	if (error)
		return error;
	if ((inode_mode(directory) & S_ISVTX) && !inode_owned(directory) && !inode_owned(victim))
		return -EPERM;
	return 0;
}

/* Under tree_mutex.  *victim is counted when the name was there, whatever is returned. */
static int remove_locked(struct path *at, bool directory, struct inode **victim)
{
	struct directory_entry *e;
	int error;

	if (!memfs_directory(at->parent))
		return -EPERM;
	e = memfs_find(at->parent, at->name, at->length);
	if (!e)
		return -ENOENT;
	*victim = inode_get(e->inode);
	error = name_may_remove(at->parent, *victim);
	if (error)
		return error;
	if (inode_is_directory(*victim)) {
		if (!directory)
			return -EISDIR;
		if (!memfs_directory(*victim))
			return -EBUSY; /* /proc */
	} else if (directory || at->trailing_slash) {
		return -ENOTDIR;
	}
	return memfs_unlink(e);
}

/* What rmdir and unlink say of a path that does not end in a name. */
static int refuse_last(enum path_last last, bool directory)
{
	if (!directory)
		return -EISDIR;
	return last == LAST_DOT ? -EINVAL : last == LAST_DOT_DOT ? -ENOTEMPTY : -EBUSY;
}

long sys_unlinkat(int dirfd, uint64_t path, int flags)
{
	bool directory = flags & AT_REMOVEDIR;
	struct inode *victim = NULL;
	struct path at;
	int error;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	error = path_at(dirfd, path, PATH_PARENT, &at);
	if (error)
		return error;
	if (at.last != LAST_NAME) {
		error = refuse_last(at.last, directory);
	} else {
		mutex_lock(&tree_mutex);
		error = remove_locked(&at, directory, &victim);
		mutex_unlock(&tree_mutex);
	}
	/* Perhaps the last reference; then this frees the file's pages. */
	inode_put(victim);
	path_release(&at);
	return error;
}

long sys_unlink(uint64_t path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(uint64_t path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

long sys_readlinkat(int dirfd, uint64_t path, uint64_t buf, int size)
{
	struct path at;
	char *text;
	long result;

	if (size <= 0)
		return -EINVAL;
	result = path_at(dirfd, path, PATH_EMPTY, &at);
	if (result)
		return result;
	text = heap_alloc(PATH_MAX);
	if (!text)
		result = -ENOMEM;
	else if (!at.inode->ops->read_link)
		result = at.small[0] ? -EINVAL : -ENOENT; /* an empty path may name a link that is open */
	else
		result = at.inode->ops->read_link(at.inode, text, PATH_MAX);
	if (result > size)
		result = size;
	if (result > 0 && copy_to_user(buf, text, (size_t)result))
		result = -EFAULT;
	heap_free(text);
	path_release(&at);
	return result;
}

long sys_readlink(uint64_t path, uint64_t buf, int size)
{
	return sys_readlinkat(AT_FDCWD, path, buf, size);
}
