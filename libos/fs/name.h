/* SPDX-License-Identifier: MIT */
/* What the calls that change names share. */
#ifndef LIBOS_NAME_H
#define LIBOS_NAME_H

#include "fs/inode.h"

/*
 * May the current process take the victim's name out of the directory?  0, -EACCES (no right to
 * write there) or -EPERM (sticky, and neither is its own).
 */
int name_may_remove(struct inode *directory, struct inode *victim);

/* A new inode for a socket at this path, counted; NULL with *error.  Task context, no lock held. */
struct inode *name_make_socket(const char *path, int *error);

#endif
