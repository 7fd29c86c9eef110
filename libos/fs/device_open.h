/* SPDX-License-Identifier: MIT */
/* From a device node to its driver; the drivers' side is fs/device.h. */
#ifndef LIBOS_DEVICE_OPEN_H
#define LIBOS_DEVICE_OPEN_H

struct file;
struct inode;

/* Gives f the driver's operations; -ENXIO if no driver has the number. */
int device_open(struct inode *i, struct file *f);
/* Makes /dev and the devices that are memory only: null, zero, full, random, urandom. */
int device_init(void);

#endif
