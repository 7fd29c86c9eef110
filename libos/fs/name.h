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

#endif
