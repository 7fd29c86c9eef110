/* SPDX-License-Identifier: MIT */
/* stat and its relatives, statfs, access. */
#include <exo/abi.h>
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/file_data.h"
#include "fs/file_time.h"
#include "fs/memfs.h"
#include "fs/path.h"
#include "fs/space.h"
#include "proc/process.h"

#define MAGIC_TMPFS 0x01021994
#define MAGIC_PROC 0x9fa0
#define MAGIC_PIPE 0x50495045
#define MAGIC_SOCKET 0x534f434b

struct attributes {
	uint64_t device, number, rdev, links, size, blocks;
	uint32_t mode, uid, gid;
	struct inode_times times;
};

/* Without the inode's lock: each field is one word, and by the time the program looks at them
 * any of them may have changed. */
static inline __attribute__((always_inline)) void attributes_of_inode(struct inode *i, struct attributes *a)
{
	struct file_data *data = memfs_data(i);

	a->device = i->device;
	a->number = i->number;
	a->rdev = i->rdev;
	a->links = i->links;
	a->size = data ? data_size(data) : inode_size(i);
	a->blocks = data ? data_blocks(data) : 0;
	a->mode = i->type | i->permissions;
	a->uid = i->uid;
	a->gid = i->gid;
	a->times = i->times;
}

static void attributes_of_file(struct file *f, struct attributes *a)
{
	if (f->inode)
		attributes_of_inode(f->inode, a);
	else
		*a = (struct attributes){
			.device = DEVICE_NAMELESS,
			.number = file_nameless_number(f),
			.links = 1,
			.mode = file_mode(f),
		};
}

/* Attributes by descriptor and path, as the calls that end in "at" name them. */
static int attributes_at(int dirfd, uint64_t path, int flags, struct attributes *a)
{
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
			(flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
	struct file *f;
	struct path at;
	char first;
	int error;

	/* An empty path may name a file that has no inode. */
	if ((flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD) {
		if (copy_from_user(&first, path, 1))
			return -EFAULT;
		f = first ? NULL : fd_get(dirfd);
		if (f) {
			attributes_of_file(f, a);
			file_put(f);
			return 0;
		}
	}
	error = path_at(dirfd, path, walk, &at);
	if (!error) {
		attributes_of_inode(at.inode, a);
		path_release(&at);
	}
	return error;
}

static inline __attribute__((always_inline)) long put_stat(const struct attributes *a, uint64_t user)
{
	struct linux_timespec atime = file_time_date(a->times.access_ns);
	struct linux_timespec mtime = file_time_date(a->times.modify_ns);
	struct linux_timespec ctime = file_time_date(a->times.change_ns);
	struct stat s;

	/* Field by field: an initialiser clears all of it first. */
	s.st_dev = a->device;
	s.st_ino = a->number;
	s.st_nlink = a->links;
	s.st_mode = a->mode;
	s.st_uid = a->uid;
	s.st_gid = a->gid;
	s.__pad0 = 0;
	s.st_rdev = a->rdev;
	s.st_size = (long)a->size;
	s.st_blksize = EXO_PAGE_SIZE;
	s.st_blocks = (long)a->blocks;
	s.st_atime = (uint64_t)atime.seconds;
	s.st_atime_nsec = (uint64_t)atime.nanoseconds;
	s.st_mtime = (uint64_t)mtime.seconds;
	s.st_mtime_nsec = (uint64_t)mtime.nanoseconds;
	s.st_ctime = (uint64_t)ctime.seconds;
	s.st_ctime_nsec = (uint64_t)ctime.nanoseconds;
	for (unsigned i = 0; i < 3; i++)
		s.__unused[i] = 0;
	return copy_to_user(user, &s, sizeof(s));
}

/* What nearly all ask for: from the inode to the program, with nothing in between. */
static long stat_path(int dirfd, uint64_t path, uint64_t out, unsigned walk)
{
	struct attributes a;
	struct path at;
	long result = path_at(dirfd, path, walk, &at);

	if (result)
		return result;
	attributes_of_inode(at.inode, &a);
	result = put_stat(&a, out);
	path_release(&at);
	return result;
}

long sys_newfstatat(int dirfd, uint64_t path, uint64_t out, int flags)
{
	struct attributes a;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	if (!(flags & AT_EMPTY_PATH))
		return stat_path(dirfd, path, out, flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW);
	error = attributes_at(dirfd, path, flags, &a);
	return error ? error : put_stat(&a, out);
}

long sys_stat(uint64_t path, uint64_t out)
{
	return stat_path(AT_FDCWD, path, out, PATH_FOLLOW);
}

long sys_lstat(uint64_t path, uint64_t out)
{
	return stat_path(AT_FDCWD, path, out, 0);
}

long sys_fstat(int fd, uint64_t out)
{
	struct fd_ref r = fd_borrow(fd);
	struct attributes a;

	if (!r.file)
		return -EBADF;
	attributes_of_file(r.file, &a);
	fd_return(r);
	return put_stat(&a, out);
}

static struct statx_timestamp statx_time(uint64_t ns)
{
	struct linux_timespec t = file_time_date(ns);

	return (struct statx_timestamp){ .tv_sec = t.seconds, .tv_nsec = (uint32_t)t.nanoseconds };
}

long sys_statx(int dirfd, uint64_t path, int flags, unsigned mask, uint64_t out)
{
	struct attributes a;
	struct statx s;
	int error;

	if ((flags &
	     ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)) ||
	    (mask & STATX__RESERVED))
		return -EINVAL;
	error = attributes_at(dirfd, path, flags, &a);
	if (error)
		return error;
	s = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = EXO_PAGE_SIZE,
		.stx_nlink = (uint32_t)a.links,
		.stx_uid = a.uid,
		.stx_gid = a.gid,
		.stx_mode = (uint16_t)a.mode,
		.stx_ino = a.number,
		.stx_size = a.size,
		.stx_blocks = a.blocks,
		.stx_atime = statx_time(a.times.access_ns),
		.stx_ctime = statx_time(a.times.change_ns),
		.stx_mtime = statx_time(a.times.modify_ns),
		.stx_rdev_major = device_major(a.rdev),
		.stx_rdev_minor = device_minor(a.rdev),
		.stx_dev_major = device_major(a.device),
		.stx_dev_minor = device_minor(a.device),
	};
	return copy_to_user(out, &s, sizeof(s));
}

static long put_statfs(uint64_t device, uint64_t user)
{
	struct space_usage usage = space_usage();
	struct statfs s = { .f_bsize = EXO_PAGE_SIZE,
			    .f_frsize = EXO_PAGE_SIZE,
			    .f_namelen = NAME_MAX };

	s.f_fsid.val[0] = (int)device;
	if (device == MEMFS_DEVICE) {
		uint64_t free = usage.used_bytes < usage.limit_bytes ?
					usage.limit_bytes - usage.used_bytes : 0;

		s.f_type = MAGIC_TMPFS;
		s.f_blocks = (long)(usage.limit_bytes / EXO_PAGE_SIZE);
		s.f_bfree = s.f_bavail = (long)(free / EXO_PAGE_SIZE);
		s.f_ffree = (long)(free / sizeof(struct inode));
		s.f_files = (long)usage.inodes + s.f_ffree;
	} else {
		s.f_type = device == DEVICE_NAMELESS  ? MAGIC_PIPE
			   : device == DEVICE_SOCKETS ? MAGIC_SOCKET
						      : MAGIC_PROC;
	}
	return copy_to_user(user, &s, sizeof(s));
}

long sys_statfs(uint64_t path, uint64_t out)
{
	struct attributes a;
	int error = attributes_at(AT_FDCWD, path, 0, &a);

	return error ? error : put_statfs(a.device, out);
}

long sys_fstatfs(int fd, uint64_t out)
{
	struct file *f = fd_get(fd);
	struct attributes a;

	if (!f)
		return -EBADF;
	attributes_of_file(f, &a);
	file_put(f);
	return put_statfs(a.device, out);
}

/* For whom the two ways to ask are the same: the walk may be the quick one. */
static bool is_real_user(void)
{
	const struct process *p = current_process();

	return p->uid == p->euid && p->gid == p->egid;
}

long sys_faccessat2(int dirfd, uint64_t path, int mode, int flags)
{
	unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
			(flags & AT_EMPTY_PATH ? PATH_EMPTY : 0) |
			(flags & AT_EACCESS || is_real_user() ? 0 : PATH_REAL);
	struct path at;
	int error;

	if ((mode & ~(R_OK | W_OK | X_OK)) ||
	    (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	error = path_at(dirfd, path, walk, &at);
	if (error)
		return error;
	error = walk & PATH_REAL ? inode_access_real(at.inode, (unsigned)mode)
				 : inode_access(at.inode, (unsigned)mode);
	path_release(&at);
	return error;
}

long sys_faccessat(int dirfd, uint64_t path, int mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}

long sys_access(uint64_t path, int mode)
{
	return sys_faccessat2(AT_FDCWD, path, mode, 0);
}
