/* SPDX-License-Identifier: MIT */
/* Calls that change attributes: chmod, chown, times, size. */
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/file_data.h"
#include "fs/file_time.h"
#include "fs/memfs.h"
#include "fs/path.h"
#include "proc/process.h"

/* The inode that a descriptor or a path names, counted; NULL with *error. */
static struct inode *inode_of_fd(int fd, int *error)
{
	struct file *f = fd_get(fd);
	struct inode *i;

	if (!f || (f->flags & O_PATH)) {
		*error = -EBADF;
		if (f)
			file_put(f);
		return NULL;
	}
	i = f->inode ? inode_get(f->inode) : NULL;
	file_put(f);
	*error = i ? 0 : -EINVAL;
	return i;
}

static struct inode *inode_at(int dirfd, uint64_t path, unsigned flags, int *error)
{
	struct inode *i;
	struct path at;

	*error = path_at(dirfd, path, flags, &at);
	if (*error)
		return NULL;
	i = inode_get(at.inode);
	path_release(&at);
	return i;
}

/* The three below consume the reference; NULL comes with its error. */
static long change_mode(struct inode *i, uint32_t mode, int error)
{
	struct process *p = current_process();

	if (i && !inode_owned(i))
		error = -EPERM;
	if (i && !error) {
		lock_acquire(&i->lock);
		/* Nobody makes a program run as a group that he is not in. */
		if (p->euid != 0 && !process_is_in_group(p, i->gid))
			mode &= ~S_ISGID;
		i->permissions = mode & 07777;
		lock_release(&i->lock);
		inode_touch(i, TIME_CHANGE);
	}
	inode_put(i);
	return error;
}

#define KEEP_ID UINT32_MAX

/*
 * Under its lock: the bits that a file does not keep, as they are what the old owner allowed to be done in
 * his name; for root's own change as well.  Without the right to execute, the group's bit is a mark that
 * those in the group may set.
 */
static uint32_t bits_to_drop(const struct inode *i, const struct process *p)
{
	uint32_t bits = S_ISUID;

	if (inode_is_directory(i))
		return 0;
	if ((i->permissions & S_IXGRP) || (p->euid != 0 && !process_is_in_group(p, i->gid)))
		bits |= S_ISGID;
	return i->permissions & bits;
}

/* To change neither owner nor group is everybody's right, as on Linux, but not to take bits away by it. */
static long change_owner(struct inode *i, uint32_t uid, uint32_t gid, int error)
{
	struct process *p = current_process();
	uint32_t dropped;

	if (!i)
		return error;
	lock_acquire(&i->lock);
	dropped = bits_to_drop(i, p);
	if (p->euid != 0 && ((uid != KEEP_ID && (uid != i->uid || i->uid != p->euid)) ||
			     (gid != KEEP_ID && (i->uid != p->euid ||
						 (gid != i->gid && !process_is_in_group(p, gid)))) ||
			     (dropped && i->uid != p->euid)))
		error = -EPERM;
	if (!error) {
		if (uid != KEEP_ID)
			i->uid = uid;
		if (gid != KEEP_ID)
			i->gid = gid;
		i->permissions &= ~dropped;
	}
	lock_release(&i->lock);
	if (!error)
		inode_touch(i, TIME_CHANGE);
	inode_put(i);
	return error;
}

/* Access and modification time; UTIME_NOW and UTIME_OMIT in the nanoseconds. */
static long change_times(struct inode *i, const struct linux_timespec times[2], int error)
{
	bool both_now = times[0].nanoseconds == UTIME_NOW && times[1].nanoseconds == UTIME_NOW;
	uint64_t now = file_time_now();

	if (!i)
		return error;
	/* Whoever may write a file may say that it was just used; only the owner may lie. */
	if (!inode_owned(i))
		error = both_now ? inode_access(i, W_OK) : -EPERM;
	if (!error) {
		lock_acquire(&i->lock);
		if (times[0].nanoseconds != UTIME_OMIT)
			i->times.access_ns =
				times[0].nanoseconds == UTIME_NOW ? now : file_time_of(&times[0]);
		if (times[1].nanoseconds != UTIME_OMIT)
			i->times.modify_ns =
				times[1].nanoseconds == UTIME_NOW ? now : file_time_of(&times[1]);
		i->times.change_ns = now;
		lock_release(&i->lock);
	}
	inode_put(i);
	return error;
}

long sys_fchmod(int fd, uint32_t mode)
{
	int error;
	struct inode *i = inode_of_fd(fd, &error);

	return change_mode(i, mode, error);
}

long sys_fchmodat(int dirfd, uint64_t path, uint32_t mode)
{
	int error;
	struct inode *i = inode_at(dirfd, path, PATH_FOLLOW, &error);

	return change_mode(i, mode, error);
}

long sys_chmod(uint64_t path, uint32_t mode)
{
	return sys_fchmodat(AT_FDCWD, path, mode);
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	int error;
	struct inode *i = inode_of_fd(fd, &error);

	return change_owner(i, uid, gid, error);
}

long sys_fchownat(int dirfd, uint64_t path, uint32_t uid, uint32_t gid, int flags)
{
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
			(flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
	struct inode *i;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	i = inode_at(dirfd, path, walk, &error);
	return change_owner(i, uid, gid, error);
}

long sys_chown(uint64_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(uint64_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

static bool time_is_valid(const struct linux_timespec *t)
{
	return t->nanoseconds == UTIME_NOW || t->nanoseconds == UTIME_OMIT ||
	       (t->nanoseconds >= 0 && t->nanoseconds < (int64_t)NS_PER_SECOND);
}

/* The times of all calls come here; path 0 means the descriptor itself, if one is given. */
static long set_times(int dirfd, uint64_t path, const struct linux_timespec times[2], int flags)
{
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
			(flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
	bool by_path = path || dirfd == AT_FDCWD;
	struct inode *i;
	int error;

	if (!time_is_valid(&times[0]) || !time_is_valid(&times[1]) || (!by_path && flags))
		return -EINVAL;
	i = by_path ? inode_at(dirfd, path, walk, &error) : inode_of_fd(dirfd, &error);
	return change_times(i, times, error);
}

static const struct linux_timespec times_now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

long sys_utimensat(int dirfd, uint64_t path, uint64_t user, int flags)
{
	struct linux_timespec times[2];

	if (user && copy_from_user(times, user, sizeof(times)))
		return -EFAULT;
	/* Before anything else is looked at: so Linux does it. */
	if (user && times[0].nanoseconds == UTIME_OMIT && times[1].nanoseconds == UTIME_OMIT)
		return 0;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return set_times(dirfd, path, user ? times : times_now, flags);
}

long sys_futimesat(int dirfd, uint64_t path, uint64_t user)
{
	struct linux_timespec times[2];
	struct linux_timeval tv[2];

	if (!user)
		return set_times(dirfd, path, times_now, 0);
	if (copy_from_user(tv, user, sizeof(tv)))
		return -EFAULT;
	for (int n = 0; n < 2; n++) {
		if (tv[n].microseconds < 0 || tv[n].microseconds >= 1000000)
			return -EINVAL;
		times[n] = (struct linux_timespec){ tv[n].seconds, tv[n].microseconds * 1000 };
	}
	return set_times(dirfd, path, times, 0);
}

long sys_utimes(uint64_t path, uint64_t user)
{
	return sys_futimesat(AT_FDCWD, path, user);
}

long sys_utime(uint64_t path, uint64_t user)
{
	struct linux_timespec times[2] = { { 0, 0 }, { 0, 0 } };
	int64_t seconds[2];

	if (!user)
		return set_times(AT_FDCWD, path, times_now, 0);
	if (copy_from_user(seconds, user, sizeof(seconds)))
		return -EFAULT;
	times[0].seconds = seconds[0];
	times[1].seconds = seconds[1];
	return set_times(AT_FDCWD, path, times, 0);
}

long sys_truncate(uint64_t path, int64_t size)
{
	struct inode *i;
	int error;

	if (size < 0)
		return -EINVAL;
	i = inode_at(AT_FDCWD, path, PATH_FOLLOW, &error);
	if (!i)
		return error;
	if (inode_is_directory(i))
		error = -EISDIR;
	else if (!memfs_data(i))
		error = -EINVAL;
	else
		error = inode_access(i, W_OK) ?: memfs_truncate(i, (uint64_t)size);
	inode_put(i);
	return error;
}

long sys_ftruncate(int fd, int64_t size)
{
	struct file *f;
	long result;

	if (size < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (!file_is_writable(f) || !f->inode || !memfs_data(f->inode))
		result = f->flags & O_PATH ? -EBADF : -EINVAL;
	else
		result = memfs_resize(f->inode, (uint64_t)size);
	file_put(f);
	return result;
}

static long allocate(struct inode *i, int mode, uint64_t offset, uint64_t size)
{
	struct file_data *data = i->data;
	uint64_t end = offset + size, old;
	long result = 0;

	mutex_lock(&i->mutex);
	old = data_size(data);
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && end > old)
		result = memfs_size_allowed(end);
	if (!result && (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		result = offset < old ? data_clear(data, offset, (end < old ? end : old) - offset)
				      : 0;
	if (!result && !(mode & FALLOC_FL_PUNCH_HOLE))
		result = data_reserve(data, offset, size);
	if (!result && !(mode & FALLOC_FL_KEEP_SIZE) && end > old)
		data_resize(data, end, NULL);
	mutex_unlock(&i->mutex);
	if (!result)
		memfs_modified(i);
	return result;
}

long sys_fallocate(int fd, int mode, int64_t offset, int64_t size)
{
	struct file *f = fd_get_writable(fd);
	long result;

	if (!f)
		return -EBADF;
	if (offset < 0 || size <= 0)
		result = -EINVAL;
	else if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) ||
		 ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE)))
		result = -EOPNOTSUPP;
	else if (!f->inode || !memfs_data(f->inode))
		result = f->inode && f->inode->type == S_IFIFO ? -ESPIPE : -ENODEV;
	else if ((uint64_t)offset + (uint64_t)size > FILE_SIZE_LIMIT)
		result = -EFBIG;
	else
		result = allocate(f->inode, mode, (uint64_t)offset, (uint64_t)size);
	file_put(f);
	return result;
}
