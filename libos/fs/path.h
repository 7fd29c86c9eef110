/* SPDX-License-Identifier: MIT */
/*
 * From a path to an inode (POSIX.1-2017, 4.13 Pathname Resolution).
 *
 * A walk takes no lock from one name to the next, only a reference on the directory where it
 * stands.  What it finds may be stale when the caller looks: callers that change the tree use
 * PATH_PARENT, take tree_mutex, and look the last name up again.
 */
#ifndef LIBOS_PATH_H
#define LIBOS_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/memory.h"
#include "fs/inode.h"

enum path_flag {
	PATH_FOLLOW = 1 << 0, /* a symbolic link in the last place is followed */
	PATH_PARENT = 1 << 1, /* only to the directory of the last name, which is not looked at */
	PATH_CREATE = 1 << 2, /* if the last name is not there, that is no error: inode is NULL;
			       * a slash behind it is: EISDIR */
	PATH_EMPTY = 1 << 3,  /* AT_EMPTY_PATH: an empty path means the start itself */
	PATH_REAL = 1 << 4,   /* the real user and group must be allowed to search, for access(2) */
};

#define PATH_LINKS_MAX 40 /* symbolic links in one walk; then ELOOP */
#define PATH_SHORT 192

enum path_last { LAST_NAME, LAST_DOT, LAST_DOT_DOT, LAST_ROOT };

struct path {
	struct inode *parent; /* counted; only if there is a last name and inode is NULL */
	struct inode *inode;  /* counted; NULL with PATH_PARENT, or if there is none */
	const char *name;     /* the last name, not terminated; inside the buffer */
	size_t length;
	enum path_last last;
	bool trailing_slash;

	/* The text: in `small`, or in heap memory if it is long. */
	char *long_text;
	char small[PATH_SHORT];
};

/* From a program: dirfd is a descriptor or AT_FDCWD.  0 or -errno; then there is nothing to
 * release.  Task context, no lock held. */
int path_at(int dirfd, uint64_t user_path, unsigned flags, struct path *r);
/* From libos memory, in the current process's context, or from the root if there is none. */
int path_kernel(const char *text, unsigned flags, struct path *r);
static inline __attribute__((always_inline)) void path_release(struct path *r)
{
	inode_put(r->parent);
	inode_put(r->inode);
	if (r->long_text)
		heap_free(r->long_text);
	r->parent = r->inode = NULL;
	r->long_text = NULL;
}

/* What was found, with its reference: the rest is still to be released. */
static inline struct inode *path_take(struct path *r)
{
	struct inode *i = r->inode;

	r->inode = NULL;
	return i;
}

/* Working directory and root of the current process (fs/context.c), counted. */
struct inode *context_directory(void);
struct inode *context_root(void);
/* Of another process, which the caller keeps alive (/proc). */
struct fs_context;
struct inode *fs_context_directory(struct fs_context *c);
struct inode *fs_context_root(struct fs_context *c);
/* `permissions` without the bits of the current process's umask. */
uint32_t context_mask(uint32_t permissions);

#endif
