/* SPDX-License-Identifier: MIT */
/* What the two files of pseudo-terminals share: pty.c, how they come and go; pty_master.c, how the master
 * is used. */
#ifndef LIBOS_PTY_PRIVATE_H
#define LIBOS_PTY_PRIVATE_H

#include "tty/tty.h"

struct pty {
	/* The slave. */
	struct tty tty;

	/* Fixed once the master has been opened; `node` becomes what it is under the table's lock. */
	unsigned number;
	struct inode *node; /* counted; in /dev/pts */

	/* Under tty.lock. */
	bool locked; /* the slave is not opened before the master says so (TIOCSPTLCK) */
	struct wait_queue readers, writers; /* those who use the master */
};

/* pty_master.c: the operations of a file opened on /dev/ptmx, private = struct pty. */
extern const struct file_ops pty_master_ops;
/* pty.c */
int pty_open_master(struct file *f);
void pty_release_master(struct file *f);

#endif
