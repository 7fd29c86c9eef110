/* SPDX-License-Identifier: MIT */
/* What the two files of pseudo-terminals share: pty.c, how they come and go; pty_master.c, how the master
 * is used. */
#ifndef LIBOS_PTY_PRIVATE_H
#define LIBOS_PTY_PRIVATE_H

#include "tty/tty.h"

/* Who reads the master may be who writes to the slave, and come to read later: about as much as on Linux. */
#define PTY_OUTPUT_SIZE 16384u

struct pty {
	/* The slave, and its output. */
	struct tty tty;
	uint8_t output[PTY_OUTPUT_SIZE];

	/* Fixed once the master has been opened; `node` becomes what it is under the table's lock. */
	unsigned number;
	struct inode *node; /* counted; in /dev/pts */

	/* Under tty.lock. */
	bool locked; /* the slave is not opened before the master says so (TIOCSPTLCK) */
	struct wait_queue readers, writers; /* those who use the master */
	struct tty_turn reading, writing;   /* likewise */
};

/* pty_master.c: the operations of a file opened on /dev/ptmx, private = struct pty. */
extern const struct file_ops pty_master_ops;
/* pty.c */
int pty_open_master(struct file *f);
void pty_release_master(struct file *f);

#endif
