/* SPDX-License-Identifier: MIT */
/* open(2) and its relatives. */
#include "fs/open.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/directory.h"
#include "fs/memfs.h"
#include "fs/path.h"
#include "proc/process.h"
#include <linux/memfd.h>

/* Flags that stay with the file; the others only direct the opening. */
#define FLAGS_KEPT                                                                                 \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_TMPFILE | O_NOFOLLOW |           \
	 O_LARGEFILE | O_NOATIME | O_PATH | O_DIRECT)

static const struct file_ops path_only_ops;

static int check_open(struct inode *i, uint32_t flags)
{
	unsigned wanted = (flags & O_ACCMODE) == O_WRONLY ? W_OK
			: (flags & O_ACCMODE) == O_RDONLY ? R_OK : R_OK | W_OK;

	if (flags & O_TRUNC)
		wanted |= W_OK;
	if ((flags & O_DIRECTORY) && !inode_is_directory(i))
		return -ENOTDIR;
	if (inode_is_link(i))
		return -ELOOP;
	if (inode_is_directory(i) && (wanted & W_OK))
		return -EISDIR;
	if (!i->ops->open)
		return -ENXIO;
	return inode_access(i, wanted) ?: (flags & O_NOATIME) && !inode_owned(i) ? -EPERM : 0;
}

struct file *open_inode(struct inode *i, uint32_t flags, int *error)
{
	struct file *f;

	*error = check_open(i, flags);
	if (*error) {
		inode_put(i);
		return NULL;
	}
	f = file_alloc(&path_only_ops, i, NULL, flags & (FLAGS_KEPT | O_NOCTTY));
	if (!f) {
		inode_put(i);
		*error = -ENOMEM;
		return NULL;
	}
	*error = i->ops->open(i, f);
	if (!*error && f->ops->open)
		*error = f->ops->open(f);
	/* For the operation above only, and only we have it yet: it is no property of the open file. */
	if (flags & O_NOCTTY)
		atomic_store_explicit(&f->flags, file_flags(f) & ~(uint32_t)O_NOCTTY, memory_order_relaxed);
	if (*error) {
		f->ops = &path_only_ops; /* nothing to release */
		file_put(f);
		return NULL;
	}
	if ((flags & O_TRUNC) && memfs_data(i))
		*error = memfs_truncate(i, 0);
	if (*error) {
		file_put(f);
		return NULL;
	}
	return f;
}

/* O_PATH's file: it names the inode and can do nothing. */
static struct file *open_path_only(struct inode *i, uint32_t flags, int *error)
{
	struct file *f;

	*error = (flags & O_DIRECTORY) && !inode_is_directory(i) ? -ENOTDIR : 0;
	if (*error)
		return NULL;
	f = file_alloc(&path_only_ops, inode_get(i), NULL, flags & FLAGS_KEPT);
	if (!f) {
		inode_put(i);
		*error = -ENOMEM;
	}
	return f;
}

/* A new file in at's directory; *created is it, counted.  -ESTALE: the name is there by now. */
static int create_file(struct path *at, uint32_t mode, struct inode **created)
{
	int error = inode_access(at->parent, W_OK | X_OK);

	/* /proc makes what is asked for when it is looked up: if that found nothing there is nothing. */
	if (!memfs_directory(at->parent))
		return -ENOENT;
	if (error)
		return error;
	*created = memfs_create(S_IFREG | context_mask(mode & 07777), 0, &error);
	if (!*created)
		return error;
	inode_set_owner(*created, at->parent);
	mutex_lock(&tree_mutex);
	if (memfs_find(at->parent, at->name, at->length))
		error = -ESTALE;
	else
		error = memfs_link(at->parent, at->name, at->length, *created);
	mutex_unlock(&tree_mutex);
	if (error)
		inode_put(*created);
	return error;
}

static struct file *open_created(struct inode *i, uint32_t flags, int *error)
{
	struct file *f = file_alloc(&path_only_ops, i, NULL, flags & FLAGS_KEPT);

	/* Whoever creates a file may open it as it likes, whatever the mode says. */
	if (!f) {
		inode_put(i);
		*error = -ENOMEM;
		return NULL;
	}
	*error = i->ops->open(i, f);
	if (*error) { /* somebody has found it, and runs it already */
		file_put(f);
		return NULL;
	}
	return f;
}

/* O_TMPFILE: a file without a name, which linkat may give one, if it is not O_EXCL. */
static struct file *open_temporary(struct path *at, uint32_t flags, uint32_t mode, int *error)
{
	struct inode *i;

	if (!inode_is_directory(at->inode))
		*error = -ENOTDIR;
	else if (!memfs_directory(at->inode))
		*error = -EOPNOTSUPP;
	else if ((flags & O_ACCMODE) == O_RDONLY)
		*error = -EINVAL;
	else
		*error = inode_access(at->inode, W_OK | X_OK);
	if (*error)
		return NULL;
	i = memfs_create(S_IFREG | context_mask(mode & 07777), 0, error);
	if (!i)
		return NULL;
	inode_set_owner(i, at->inode);
	i->may_be_linked = !(flags & O_EXCL);
	return open_created(i, flags, error);
}

/*
 * Finding and creating are two steps, and another process may create the name, or remove it,
 * between them; then *error is -ESTALE, and the caller begins again.
 */
static struct file *open_once(int dirfd, uint64_t path, uint32_t flags, uint32_t mode, int *error)
{
	bool temporary = (flags & O_TMPFILE) == O_TMPFILE;
	bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	bool follow = !exclusive && !(flags & O_NOFOLLOW);
	struct file *f = NULL;
	struct path at;

	*error = path_at(dirfd, path, (follow ? PATH_FOLLOW : 0) |
			 (flags & O_CREAT ? PATH_CREATE : 0), &at);
	if (*error)
		return NULL;
	if (flags & O_PATH) {
		f = open_path_only(at.inode, flags, error);
	} else if (temporary) {
		f = open_temporary(&at, flags, mode, error);
	} else if (!at.inode) {
		struct inode *created;

		*error = create_file(&at, mode, &created);
		if (!*error)
			f = open_created(created, flags, error);
	} else if (exclusive) {
		*error = -EEXIST;
	} else if ((flags & O_CREAT) && inode_is_directory(at.inode)) {
		*error = -EISDIR;
	} else {
		f = open_inode(path_take(&at), flags, error);
	}
	path_release(&at);
	return f;
}

/* What the descriptor was reserved for has come to its end. */
static long settle(int fd, struct file *f, int error, uint32_t flags)
{
	if (f)
		return fd_fill(fd, f, flags & O_CLOEXEC);
	fd_unreserve(fd);
	return error;
}

/* Nothing is created, cut or waited for without a descriptor to give back. */
static __attribute__((noinline)) long open_specially(int dirfd, uint64_t path, int flags, uint32_t mode)
{
	struct file *f;
	int fd, error;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	/* O_TMPFILE, which creates without it, has O_DIRECTORY in it. */
	if ((flags & O_CREAT) && (flags & O_DIRECTORY))
		return -EINVAL;
	/* Two bits make O_TMPFILE; the one alone means nothing, and what nobody can write is no use. */
	if ((flags & O_TMPFILE & ~O_DIRECTORY) &&
	    (!(flags & O_DIRECTORY) || (flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	fd = fd_reserve();
	if (fd < 0)
		return fd;
	do {
		f = open_once(dirfd, path, (uint32_t)flags, mode, &error);
	} while (!f && error == -ESTALE && (flags & O_CREAT));
	return settle(fd, f, error, (uint32_t)flags);
}

/* A fifo or a device, which may wait, or do what it is for; takes over the reference. */
static __attribute__((noinline)) long open_active(struct inode *i, uint32_t flags)
{
	struct file *f;
	int fd = fd_reserve(), error;

	if (fd < 0) {
		inode_put(i);
		return fd;
	}
	f = open_inode(i, flags, &error);
	return settle(fd, f, error, flags);
}

/* With any of these an opening may be more than a walk to a file that is there. */
#define FLAGS_SPECIAL (O_PATH | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* To open a regular file or a directory changes nothing: it may find out afterwards that it has no
 * descriptor. */
static long open_existing(int dirfd, uint64_t path, uint32_t flags)
{
	struct path at;
	struct inode *i;
	struct file *f;
	int error = path_at(dirfd, path, flags & O_NOFOLLOW ? 0 : PATH_FOLLOW, &at);
	long fd;

	if (error)
		return error;
	i = path_take(&at);
	if (inode_is_regular(i) || inode_is_directory(i)) {
		f = open_inode(i, flags, &error);
		fd = f ? fd_install(f, 0, flags & O_CLOEXEC) : error;
	} else {
		fd = open_active(i, flags);
	}
	path_release(&at);
	return fd;
}

long sys_openat(int dirfd, uint64_t path, int flags, uint32_t mode)
{
	if (!(flags & FLAGS_SPECIAL))
		return open_existing(dirfd, path, (uint32_t)flags);
	return open_specially(dirfd, path, flags, mode);
}

long sys_open(uint64_t path, int flags, uint32_t mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(uint64_t path, uint32_t mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* The name is only for people to read, and nothing here shows it. */
long sys_memfd_create(uint64_t name, unsigned flags)
{
	char text[NAME_MAX - 5];
	struct inode *i;
	struct file *f;
	int error;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	long length = copy_string_from_user(text, name, sizeof(text));

	if (length < 0)
		return length == -EFAULT ? -EFAULT : -EINVAL;
	i = memfs_create(S_IFREG | 0777, 0, &error);
	if (!i)
		return error;
	inode_set_owner(i, NULL);
	f = open_created(i, O_RDWR, &error);
	if (!f)
		return error;
	memfs_forget_writer(f); /* as on Linux: it may be run while this descriptor is open */
	return fd_install(f, 0, flags & MFD_CLOEXEC);
}
