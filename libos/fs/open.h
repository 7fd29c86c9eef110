/* SPDX-License-Identifier: MIT */
/* From an inode to an open file (fs/open.c). */
#ifndef LIBOS_OPEN_H
#define LIBOS_OPEN_H

#include <stdint.h>

struct file;
struct inode;

/*
 * open_inode - a file on an inode that is there
 *
 * flags    O_ACCMODE and the others of open(2); O_CREAT and O_EXCL are of no meaning here
 *
 * Consumes the reference on i.  Checks the permissions that the access mode needs, refuses what the
 * type refuses (writing a directory, opening a link), truncates, and calls the inode's and then the
 * file's open operation.  Returns the file with one reference, or NULL with *error.  May block (fifos).
 */
struct file *open_inode(struct inode *i, uint32_t flags, int *error);

#endif
