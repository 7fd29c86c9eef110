/* SPDX-License-Identifier: MIT */
/* Calls on descriptors and open files themselves: dup, fcntl, flock, ioctl, close_range. */
#include "core/usercopy.h"
#include "fs/async.h"
#include "fs/calls.h"
#include "fs/descriptor.h"
#include "fs/inode.h"
#include "fs/pipe.h"
#include "fs/record_lock.h"
#include "proc/process.h"
#include <linux/close_range.h>

/* What F_SETFL may change. */
#define FLAGS_SETTABLE (O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT | O_ASYNC)

long sys_dup(int fd)
{
	struct file *f = fd_get(fd);

	return f ? fd_install(f, 0, false) : -EBADF;
}

long sys_dup3(int from, int to, int flags)
{
	struct file *f;

	if (from == to || (flags & ~O_CLOEXEC))
		return -EINVAL;
	f = fd_get(from);
	return f ? fd_install_at(f, to, flags & O_CLOEXEC) : -EBADF;
}

long sys_dup2(int from, int to)
{
	if (from == to)
		return fd_close_on_exec(from, -1) < 0 ? -EBADF : to;
	return sys_dup3(from, to, 0);
}

/*
 * Only the named bits of the flags change, so that two tasks that change different ones at the
 * same time both succeed.
 */
static void change_flags(struct file *f, uint32_t mask, uint32_t value)
{
	uint32_t old = atomic_load_explicit(&f->flags, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&f->flags, &old,
						      (old & ~mask) | (value & mask),
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/* Only the owner may read unseen.  What has no inode is root's. */
static bool may_leave_no_time(const struct file *f)
{
	if (file_flags(f) & O_NOATIME)
		return true;
	return f->inode ? inode_owned(f->inode) : current_process()->euid == 0;
}

/* As on Linux O_ASYNC may be set of a file that never has news, and says nothing. */
static int set_flags(struct file *f, uint32_t flags)
{
	int error;

	if ((flags & O_NOATIME) && !may_leave_no_time(f))
		return -EPERM;
	error = flags & O_ASYNC ? async_prepare(f) : 0;
	if (error && error != -ENOTTY)
		return error;
	change_flags(f, FLAGS_SETTABLE, flags);
	return 0;
}

static long set_async(struct file *f, bool on)
{
	int error = async_prepare(f);

	if (!error)
		change_flags(f, O_ASYNC, on ? O_ASYNC : 0);
	return error;
}

/* The bytes that a struct flock names, from first to last. */
static int decode_range(struct file *f, const struct flock *l, struct record_lock_request *r)
{
	int64_t start = l->l_start, base = 0, last;

	if (l->l_whence == SEEK_CUR) {
		mutex_lock(&f->position_mutex);
		/* What cannot be positioned, as a fifo, is at its beginning. */
		base = file_has_position(f) ? (int64_t)f->position : 0;
		mutex_unlock(&f->position_mutex);
	} else if (l->l_whence == SEEK_END) {
		base = (int64_t)file_size(f);
	} else if (l->l_whence != SEEK_SET) {
		return -EINVAL;
	}
	if (__builtin_add_overflow(start, base, &start))
		return -EOVERFLOW;
	if (start < 0 || (l->l_len < 0 && start + l->l_len < 0))
		return -EINVAL;
	if (__builtin_add_overflow(start, l->l_len - 1, &last) && l->l_len > 0)
		return -EOVERFLOW;
	r->first = (uint64_t)(l->l_len < 0 ? start + l->l_len : start);
	r->last = l->l_len < 0 ? (uint64_t)start - 1 : l->l_len == 0 ? UINT64_MAX : (uint64_t)last;
	return 0;
}

static bool still_names(int fd, const struct file *f)
{
	struct file *now = fd_get(fd);

	if (now)
		file_put(now);
	return now == f;
}

/*
 * Another thread may have closed the descriptor while we waited.  Its close takes the file out of the table,
 * then lets go of what it finds locked; we lock, then look at the table.  So either it finds our lock, or
 * we find the descriptor gone, and do for ours what the close does.
 */
static int set_record(struct file *f, int fd, const struct record_lock_request *r, bool wait)
{
	int error = record_lock_set(f->inode, r, wait);

	if (error || r->type == F_UNLCK || r->owner == f || still_names(fd, f))
		return error;
	record_lock_release(f->inode, r->owner);
	return -EBADF;
}

static long lock_record(struct file *f, int fd, int command, uint64_t user)
{
	bool by_file = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
	struct record_lock_request r = {
		.kind = RECORD_LOCK_FCNTL,
		.owner = by_file ? (void *)f : (void *)current_process()->files,
		.pid = by_file ? (uint32_t)-1 : current_process()->pid,
	};
	struct flock l;
	int error = copy_from_user(&l, user, sizeof(l)) ?: decode_range(f, &l, &r);

	if (error)
		return error;
	r.type = l.l_type;
	if (!f->inode || (l.l_type != F_RDLCK && l.l_type != F_WRLCK && l.l_type != F_UNLCK))
		return -EINVAL;
	if ((command == F_GETLK && l.l_type == F_UNLCK) || (by_file && l.l_pid != 0))
		return -EINVAL;
	if (command == F_GETLK || command == F_OFD_GETLK) {
		record_lock_test(f->inode, &r);
		l.l_type = (short)r.type;
		if (r.type != F_UNLCK) {
			l.l_whence = SEEK_SET;
			l.l_start = (int64_t)r.first;
			l.l_len = r.last == UINT64_MAX ? 0 : (int64_t)(r.last - r.first + 1);
			l.l_pid = (int)r.pid;
		}
		return copy_to_user(user, &l, sizeof(l));
	}
	if ((l.l_type == F_RDLCK && !file_is_readable(f)) ||
	    (l.l_type == F_WRLCK && !file_is_writable(f)))
		return -EBADF;
	return set_record(f, fd, &r, command == F_SETLKW || command == F_OFD_SETLKW);
}

static long fcntl_file(struct file *f, int fd, int command, uint64_t argument)
{
	switch (command) {
	case F_GETFD:
		return fd_close_on_exec(fd, -1) > 0 ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_close_on_exec(fd, (argument & FD_CLOEXEC) != 0) < 0 ? -EBADF : 0;
	case F_GETFL:
		return f->flags;
	case F_SETFL:
		return set_flags(f, (uint32_t)argument);
	case F_SETOWN:
		return async_set_owner(f, (int)argument);
	case F_GETOWN:
		return async_owner(f);
	case F_SETOWN_EX:
		return async_set_owner_ex(f, argument);
	case F_GETOWN_EX:
		return async_owner_ex(f, argument);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_record(f, fd, command, argument);
	case F_GETPIPE_SZ:
		return pipe_capacity(f);
	case F_SETPIPE_SZ:
		return pipe_set_capacity(f, argument);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(int fd, int command, uint64_t argument)
{
	struct file *f = fd_get(fd);
	long result;

	if (!f)
		return -EBADF;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
		if (argument < current_process()->limits[RLIMIT_NOFILE][0] && argument <= INT32_MAX)
			return fd_install(f, (int)argument, command == F_DUPFD_CLOEXEC);
		file_put(f);
		return -EINVAL;
	}
	if ((f->flags & O_PATH) && command != F_GETFD && command != F_SETFD && command != F_GETFL)
		result = -EBADF;
	else
		result = fcntl_file(f, fd, command, argument);
	file_put(f);
	return result;
}

long sys_flock(int fd, int operation)
{
	struct record_lock_request r = { .kind = RECORD_LOCK_FLOCK,
					 .first = 0,
					 .last = UINT64_MAX };
	struct file *f = fd_get(fd);
	long result;

	if (!f)
		return -EBADF;
	r.owner = f;
	r.pid = current_process()->pid;
	switch (operation & ~LOCK_NB) {
	case LOCK_SH:
		r.type = F_RDLCK;
		break;
	case LOCK_EX:
		r.type = F_WRLCK;
		break;
	case LOCK_UN:
		r.type = F_UNLCK;
		break;
	default:
		file_put(f);
		return -EINVAL;
	}
	if (file_flags(f) & O_PATH)
		result = -EBADF;
	else
		result = f->inode ? record_lock_set(f->inode, &r, !(operation & LOCK_NB)) : -EINVAL;
	file_put(f);
	return result;
}

static long ioctl_file(struct file *f, int fd, unsigned command, uint64_t argument)
{
	int value;

	switch (command) {
	case FIOCLEX:
	case FIONCLEX:
		fd_close_on_exec(fd, command == FIOCLEX);
		return 0;
	case FIONBIO:
		if (copy_from_user(&value, argument, sizeof(value)))
			return -EFAULT;
		change_flags(f, O_NONBLOCK, value ? O_NONBLOCK : 0);
		return 0;
	case FIOASYNC:
		return copy_from_user(&value, argument, sizeof(value)) ?: set_async(f, value != 0);
	case FIONREAD:
		if (f->inode && inode_is_regular(f->inode)) {
			uint64_t size = file_size(f);

			value = f->position < size ? (int)(size - f->position) : 0;
			return copy_to_user(argument, &value, sizeof(value));
		}
		break;
	}
	return f->ops->ioctl ? f->ops->ioctl(f, command, argument) : -ENOTTY;
}

long sys_ioctl(int fd, unsigned command, uint64_t argument)
{
	struct fd_ref r = fd_borrow(fd);
	long result;

	if (!r.file)
		return -EBADF;
	result = r.file->flags & O_PATH ? -EBADF : ioctl_file(r.file, fd, command, argument);
	fd_return(r);
	return result;
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	struct file_table *t = current_process()->files;
	int fd = first <= INT32_MAX ? (int)first : -1;

	/* CLOSE_RANGE_UNSHARE would have to give this process a table of its own. */
	if (first > last || (flags & ~CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	while (fd >= 0 && (fd = file_table_next(t, fd)) >= 0 && (unsigned)fd <= last) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			fd_close_on_exec(fd, true);
		else
			sys_close(fd);
		fd++;
	}
	return 0;
}
