/* SPDX-License-Identifier: MIT */
/* Where a process stands in the tree: working directory, root and umask. */
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/context.h"
#include "fs/descriptor.h"
#include "fs/path.h"
#include "proc/process.h"

#define UMASK_DEFAULT 022

/* Takes over the two references. */
static void context_begin(struct process *p, struct inode *directory, struct inode *root, uint32_t mask)
{
	struct fs_context *c = &p->own_fs;

	atomic_init(&c->references, 1);
	lock_init(&c->lock, "context", RANK_FILES);
	c->directory = directory;
	c->root = root;
	c->mask = mask;
	p->fs = c;
}

void fs_context_init(struct process *p)
{
	context_begin(p, inode_get(root_inode), inode_get(root_inode), UMASK_DEFAULT);
}

void fs_context_copy(struct process *p, struct fs_context *from)
{
	struct inode *directory, *root;
	uint32_t mask;

	lock_acquire(&from->lock);
	directory = inode_get(from->directory);
	root = inode_get(from->root);
	mask = from->mask;
	lock_release(&from->lock);
	context_begin(p, directory, root, mask);
}

/* Who has another's context keeps that one's process where it is, alive or not. */
static struct process *owner_of(struct fs_context *c)
{
	return container_of(c, struct process, own_fs);
}

void fs_context_share(struct process *p, struct fs_context *with)
{
	atomic_fetch_add_explicit(&with->references, 1, memory_order_relaxed);
	process_get(owner_of(with));
	p->fs = with;
}

void fs_context_put(struct fs_context *c, struct process *p)
{
	if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) == 1) {
		inode_put(c->directory);
		inode_put(c->root);
	}
	if (owner_of(c) != p)
		process_put(owner_of(c));
}

/* NULL for the libos's own tasks. */
static struct fs_context *current_context(void)
{
	struct process *p = current_process();

	return p ? p->fs : NULL;
}

/* The lock keeps what is looked at from being replaced, and so freed, before it is counted. */
struct inode *fs_context_directory(struct fs_context *c)
{
	struct inode *i;

	lock_acquire(&c->lock);
	i = inode_get(c->directory);
	lock_release(&c->lock);
	return i;
}

struct inode *fs_context_root(struct fs_context *c)
{
	struct inode *i;

	lock_acquire(&c->lock);
	i = inode_get(c->root);
	lock_release(&c->lock);
	return i;
}

struct inode *context_directory(void)
{
	struct fs_context *c = current_context();

	return c ? fs_context_directory(c) : inode_get(root_inode);
}

struct inode *context_root(void)
{
	struct fs_context *c = current_context();

	return c ? fs_context_root(c) : inode_get(root_inode);
}

uint32_t context_mask(uint32_t permissions)
{
	struct fs_context *c = current_context();

	/* One aligned word: a concurrent umask comes before or after. */
	return permissions & ~(c ? c->mask : UMASK_DEFAULT);
}

/* Takes over the reference on `to`. */
static void replace(struct inode **where, struct inode *to)
{
	struct fs_context *c = current_context();
	struct inode *old;

	lock_acquire(&c->lock);
	old = *where;
	*where = to;
	lock_release(&c->lock);
	inode_put(old);
}

static int change_to_path(uint64_t path, struct inode **where)
{
	struct path at;
	int error = path_at(AT_FDCWD, path, PATH_FOLLOW, &at);

	if (error)
		return error;
	if (!inode_is_directory(at.inode))
		error = -ENOTDIR;
	else
		error = inode_access(at.inode, X_OK);
	if (!error)
		replace(where, inode_get(at.inode));
	path_release(&at);
	return error;
}

long sys_chdir(uint64_t path)
{
	return change_to_path(path, &current_context()->directory);
}

long sys_chroot(uint64_t path)
{
	if (current_process()->euid != 0)
		return -EPERM;
	return change_to_path(path, &current_context()->root);
}

long sys_fchdir(int fd)
{
	struct file *f = fd_get(fd);
	int error = 0;

	if (!f)
		return -EBADF;
	if (!f->inode || !inode_is_directory(f->inode))
		error = -ENOTDIR;
	else
		error = inode_access(f->inode, X_OK);
	if (!error)
		replace(&current_context()->directory, inode_get(f->inode));
	file_put(f);
	return error;
}

long sys_umask(uint32_t mask)
{
	struct fs_context *c = current_context();
	uint32_t old;

	lock_acquire(&c->lock);
	old = c->mask;
	c->mask = mask & 0777;
	lock_release(&c->lock);
	return old;
}

long sys_getcwd(uint64_t buf, uint64_t size)
{
	struct inode *directory = context_directory(), *root = context_root();
	char *text = heap_alloc(PATH_MAX);
	long result = -ENOMEM;

	if (text)
		result = inode_path(directory, root, text, PATH_MAX);
	if (result > 0) {
		size_t length = (size_t)result + 1; /* with the NUL */

		result = length > size ? -ERANGE : copy_to_user(buf, text, length) ?: (long)length;
	}
	heap_free(text);
	inode_put(directory);
	inode_put(root);
	return result;
}
