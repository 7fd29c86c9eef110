/* SPDX-License-Identifier: MIT */
/* Open directories, of whatever file system: getdents64 over inode_ops.list. */
#ifndef LIBOS_DIRECTORY_FILE_H
#define LIBOS_DIRECTORY_FILE_H

struct file;
struct inode;

/* inode_ops.open of every directory. */
int directory_open(struct inode *i, struct file *f);

#endif
