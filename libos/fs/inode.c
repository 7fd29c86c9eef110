/* SPDX-License-Identifier: MIT */
/* Inodes: life time, attributes, permission checks. */
#include "fs/inode.h"
#include "core/memory.h"
#include "fs/file_time.h"
#include "proc/process.h"

struct lock tree_lock = LOCK_INIT("tree", RANK_INODE);
struct mutex tree_mutex;
struct inode *root_inode;

struct inode *inode_create(const struct inode_ops *ops, uint32_t device, uint64_t number,
			   uint32_t mode)
{
	struct inode *i = heap_alloc(sizeof(*i));
	uint64_t now = file_time_now();

	if (!i)
		return NULL;
	i->ops = ops;
	i->number = number;
	i->device = device;
	i->type = mode & S_IFMT;
	i->permissions = mode & 07777;
	i->times = (struct inode_times){ now, now, now };
	atomic_init(&i->references, 1);
	list_init(&i->entries);
	list_init(&i->record_locks);
	wait_queue_init(&i->record_lock_wait);
	lock_init(&i->lock, "inode", RANK_INODE);
	mutex_init(&i->mutex, "inode", MUTEX_INODE);
	return i;
}

/* Freeing a directory may drop the last reference on the one above it: a loop and not a recursion, since
 * the tree may be deep.  For the order see inode_put(). */
__attribute__((noinline)) void inode_free(struct inode *i)
{
	struct inode *parent;

	do {
		parent = i->parent == i ? NULL : i->parent;
		if (i->ops->free)
			i->ops->free(i);
		heap_free(i);
		i = parent;
	} while (i && atomic_fetch_sub_explicit(&i->references, 1, memory_order_acq_rel) == 1);
}

uint32_t inode_mode(struct inode *i)
{
	uint32_t permissions;

	lock_acquire(&i->lock);
	permissions = i->permissions;
	lock_release(&i->lock);
	return i->type | permissions;
}

uint64_t inode_size(struct inode *i)
{
	return i->ops->size ? i->ops->size(i) : 0;
}

struct inode *inode_parent(struct inode *directory)
{
	struct inode *parent;

	lock_acquire(&tree_lock);
	parent = inode_get(directory->parent);
	lock_release(&tree_lock);
	return parent;
}

/* The superuser may do all, but execute only what somebody may execute. */
static bool may_do_all(const struct inode *i, unsigned wanted, uint32_t uid)
{
	return uid == 0 && (inode_is_directory(i) || !(wanted & X_OK));
}

/* As this user, in this group and in all others that p is in. */
static __attribute__((noinline)) int access_as(struct inode *i, unsigned wanted,
					       const struct process *p, uint32_t uid, uint32_t gid)
{
	uint32_t permissions, granted;
	bool owner, group;

	lock_acquire(&i->lock);
	permissions = i->permissions;
	owner = i->uid == uid;
	group = i->gid == gid || process_is_in_more_group(p, i->gid);
	lock_release(&i->lock);
	if (uid == 0)
		return permissions & 0111 ? 0 : -EACCES;
	granted = owner ? permissions >> 6 : group ? permissions >> 3 : permissions;
	return (wanted & ~granted & 7) ? -EACCES : 0;
}

int inode_access(struct inode *i, unsigned wanted)
{
	struct process *p = current_process();

	return p && !may_do_all(i, wanted, p->euid) ? access_as(i, wanted, p, p->euid, p->egid) : 0;
}

int inode_access_real(struct inode *i, unsigned wanted)
{
	struct process *p = current_process();

	return p && !may_do_all(i, wanted, p->uid) ? access_as(i, wanted, p, p->uid, p->gid) : 0;
}

bool inode_owned(struct inode *i)
{
	struct process *p = current_process();
	bool owned;

	if (!p || p->euid == 0)
		return true;
	lock_acquire(&i->lock);
	owned = i->uid == p->euid;
	lock_release(&i->lock);
	return owned;
}

void inode_set_owner(struct inode *i, struct inode *directory)
{
	struct process *p = current_process();
	uint32_t directory_permissions = 0, directory_gid = 0;

	if (directory) {
		lock_acquire(&directory->lock);
		directory_permissions = directory->permissions;
		directory_gid = directory->gid;
		lock_release(&directory->lock);
	}
	lock_acquire(&i->lock);
	i->uid = p ? p->euid : 0;
	i->gid = p ? p->egid : 0;
	if (directory_permissions & S_ISGID) {
		i->gid = directory_gid;
		if (inode_is_directory(i))
			i->permissions |= S_ISGID;
		/* Nobody makes a program run as a group that he is not in. */
		else if ((i->permissions & S_IXGRP) && p && p->euid != 0 && !process_is_in_group(p, i->gid))
			i->permissions &= ~S_ISGID;
	}
	lock_release(&i->lock);
}

void inode_touch(struct inode *i, unsigned which)
{
	uint64_t now = file_time_now();

	lock_acquire(&i->lock);
	if (which & TIME_CHANGE)
		i->times.change_ns = now;
	if (which & TIME_MODIFY)
		i->times.modify_ns = now;
	lock_release(&i->lock);
}

/* As Linux's relatime: only the first access after a change, or after a day, is noted. */
void inode_touch_access(struct inode *i)
{
	const uint64_t day_ns = 86400ul * 1000000000ul;
	uint64_t now;

	lock_acquire(&i->lock);
	if (i->times.access_ns <= i->times.modify_ns || i->times.access_ns <= i->times.change_ns) {
		i->times.access_ns = file_time_now();
	} else {
		now = file_time_now();
		if (now > i->times.access_ns + day_ns)
			i->times.access_ns = now;
	}
	lock_release(&i->lock);
}
