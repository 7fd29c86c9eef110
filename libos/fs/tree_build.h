/* SPDX-License-Identifier: MIT */
/* The libos's own additions to the tree: unpacked archives, devices, /proc. */
#ifndef LIBOS_TREE_BUILD_H
#define LIBOS_TREE_BUILD_H

#include "fs/inode.h"

/*
 * Gives an inode the name `path`, from the root; directories above it are made as needed.  What
 * has the name already is replaced, unless it is a directory (-EEXIST).  The caller keeps its
 * reference.  Task context.  0 or -errno.
 */
int tree_add(const char *path, struct inode *i);
/* The same for the root of another file system, which takes the place of an empty directory. */
int tree_mount(const char *path, struct inode *root);
/* The directory at path, made with these permissions if there is none.  Counted; or NULL. */
struct inode *tree_directory(const char *path, uint32_t permissions, int *error);

#endif
