/* SPDX-License-Identifier: MIT */
/*
 * The part of Linux's x86-64 interface that files use: constants and structures, from Linux's own
 * user-space headers, and the few that those leave to the C library.
 */
#ifndef LIBOS_FS_LINUX_H
#define LIBOS_FS_LINUX_H

#include <stdint.h>
#include "abi/errno.h"
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/uio.h>

/* It leaves out S_IFMT and its like when a C library is there, as in unit tests on the host. */
#pragma push_macro("__GLIBC__")
#undef __GLIBC__
#include <linux/stat.h>
#pragma pop_macro("__GLIBC__")

#define O_ASYNC FASYNC

#define R_OK 4
#define W_OK 2
#define X_OK 1

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

#define UIO_MAXIOV 1024
/* Linux transfers at most this much in one call. */
#define IO_BYTES_MAX 0x7ffff000ul

#define RLIMIT_FSIZE 1
#define RLIMIT_NOFILE 7

struct linux_timespec {
	int64_t seconds, nanoseconds;
};

struct linux_timeval {
	int64_t seconds, microseconds;
};

/* getdents64's records; `name` is NUL-terminated and the whole is padded to 8 bytes. */
struct linux_dirent64 {
	uint64_t inode;
	int64_t next; /* position of the following record */
	uint16_t size;
	uint8_t type; /* the file type bits of the mode, >> 12 */
	char name[];
};

static inline uint64_t device_number(unsigned major, unsigned minor)
{
	return ((uint64_t)(major & 0xfffff000u) << 32) | ((uint64_t)(minor & 0xffffff00u) << 12) |
	       ((major & 0xfffu) << 8) | (minor & 0xffu);
}

static inline unsigned device_major(uint64_t device)
{
	return ((device >> 8) & 0xfff) | ((device >> 32) & 0xfffff000u);
}

static inline unsigned device_minor(uint64_t device)
{
	return (device & 0xff) | ((device >> 12) & 0xffffff00u);
}

#endif
