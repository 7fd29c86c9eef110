/* SPDX-License-Identifier: MIT */
/*
 * int fstatat(int directory, const char *path, struct stat *status, int flags);
 *
 * musl's version has the kernel fill a structure of its own, and copies that field by field, since the two
 * differ on some machines; it also goes round what old kernels lack.  Here the libos fills the caller's.
 */
#define _BSD_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include "kstat.h"
#include "syscall.h"

#define SAME(ours, theirs) (offsetof(struct stat, ours) == offsetof(struct kstat, theirs))
_Static_assert(sizeof(struct stat) == sizeof(struct kstat) && SAME(st_dev, st_dev) &&
		       SAME(st_ino, st_ino) && SAME(st_nlink, st_nlink) && SAME(st_mode, st_mode) &&
		       SAME(st_uid, st_uid) && SAME(st_gid, st_gid) && SAME(st_rdev, st_rdev) &&
		       SAME(st_size, st_size) && SAME(st_blksize, st_blksize) &&
		       SAME(st_blocks, st_blocks) && SAME(st_atim.tv_sec, st_atime_sec) &&
		       SAME(st_atim.tv_nsec, st_atime_nsec) && SAME(st_mtim.tv_sec, st_mtime_sec) &&
		       SAME(st_mtim.tv_nsec, st_mtime_nsec) && SAME(st_ctim.tv_sec, st_ctime_sec) &&
		       SAME(st_ctim.tv_nsec, st_ctime_nsec),
	       "a call fills what a program reads");

int fstatat(int directory, const char *restrict path, struct stat *restrict status, int flags)
{
	if (flags == AT_EMPTY_PATH && directory >= 0 && !*path)
		return syscall(SYS_fstat, directory, status);
	if (directory == AT_FDCWD && !flags)
		return syscall(SYS_stat, path, status);
	return syscall(SYS_fstatat, directory, path, status, flags);
}

weak_alias(fstatat, fstatat64);
