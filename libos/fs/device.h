/* SPDX-License-Identifier: MIT */
/*
 * Character devices: a driver registers a name and the operations of files opened on it.
 *
 * The name is a path below /dev, such as "tty1" or "host/0"; directories are made as needed.  A
 * file opened on the device has ops, private = `private` and the device's inode.  If ops->open is
 * set it is called on the new file, and may refuse (-errno) or change f->private and f->ops.
 */
#ifndef LIBOS_DEVICE_H
#define LIBOS_DEVICE_H

#include "fs/file.h"

/* The node belongs to root.  What stands for a piece of the machine, or for a terminal, is for root only;
 * what every program may use, and which tells nothing of others, is for all. */
#define DEVICE_FOR_ROOT 0600
#define DEVICE_FOR_ALL 0666

/* After fs_init(); task context.  0, -EEXIST (the number is taken) or -ENOMEM. */
int device_register(const char *name, uint32_t permissions, unsigned major, unsigned minor,
		    const struct file_ops *ops, void *private);

/* The same of `count` minor numbers from `minor` on, without a name and with private = NULL: what nodes
 * there are, and what each stands for, the driver says itself. */
int device_register_range(unsigned major, unsigned minor, unsigned count,
			  const struct file_ops *ops);

#endif
