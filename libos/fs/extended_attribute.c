/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes: xattr(7).  No file has any, nor can be given one, as on a file system of Linux's
 * that does not keep them; what copies files asks for them, goes on then, and would not if the calls were
 * not there.
 */
#include <linux/limits.h>
#include <linux/xattr.h>
#include "abi/errno.h"
#include "core/usercopy.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/path.h"

static long check_name(uint64_t user)
{
	char name[XATTR_NAME_MAX + 1];
	long length = copy_string_from_user(name, user, sizeof(name));

	return length == 0 || length == -ENAMETOOLONG ? -ERANGE : length < 0 ? length : 0;
}

static long check_value(uint64_t value, uint64_t size, int flags)
{
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	return size && user_touch(value, size, false) ? -EFAULT : 0;
}

/* Of the file that is looked for once the rest is right: 0, it is there; or -errno. */
static long look_at_path(uint64_t user, unsigned flags)
{
	struct path at;
	long error = path_at(AT_FDCWD, user, flags, &at);

	if (!error)
		path_release(&at);
	return error;
}

static long look_at_descriptor(int fd)
{
	struct file *f = fd_get(fd);
	bool usable = f && !(f->flags & O_PATH);

	if (f)
		file_put(f);
	return usable ? 0 : -EBADF;
}

/* ---------------------------------------------------------------- setting */

static long check_set(uint64_t name, uint64_t value, uint64_t size, int flags)
{
	return check_name(name) ?: check_value(value, size, flags);
}

long sys_setxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size, int flags)
{
	return check_set(name, value, size, flags) ?: look_at_path(path, PATH_FOLLOW) ?: -EOPNOTSUPP;
}

long sys_lsetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size, int flags)
{
	return check_set(name, value, size, flags) ?: look_at_path(path, 0) ?: -EOPNOTSUPP;
}

long sys_fsetxattr(int fd, uint64_t name, uint64_t value, uint64_t size, int flags)
{
	return check_set(name, value, size, flags) ?: look_at_descriptor(fd) ?: -EOPNOTSUPP;
}

/* ---------------------------------------------------------------- asking for one, removing one */

static long without_path(uint64_t path, uint64_t name, unsigned flags)
{
	return check_name(name) ?: look_at_path(path, flags) ?: -EOPNOTSUPP;
}

static long without_descriptor(int fd, uint64_t name)
{
	return check_name(name) ?: look_at_descriptor(fd) ?: -EOPNOTSUPP;
}

long sys_getxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size)
{
	return without_path(path, name, PATH_FOLLOW);
}

long sys_lgetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size)
{
	return without_path(path, name, 0);
}

long sys_fgetxattr(int fd, uint64_t name, uint64_t value, uint64_t size)
{
	return without_descriptor(fd, name);
}

long sys_removexattr(uint64_t path, uint64_t name)
{
	return without_path(path, name, PATH_FOLLOW);
}

long sys_lremovexattr(uint64_t path, uint64_t name)
{
	return without_path(path, name, 0);
}

long sys_fremovexattr(int fd, uint64_t name)
{
	return without_descriptor(fd, name);
}

/* ---------------------------------------------------------------- asking for all: there is none */

long sys_listxattr(uint64_t path, uint64_t list, uint64_t size)
{
	return look_at_path(path, PATH_FOLLOW);
}

long sys_llistxattr(uint64_t path, uint64_t list, uint64_t size)
{
	return look_at_path(path, 0);
}

long sys_flistxattr(int fd, uint64_t list, uint64_t size)
{
	return look_at_descriptor(fd);
}
