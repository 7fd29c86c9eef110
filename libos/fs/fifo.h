/* SPDX-License-Identifier: MIT */
/* Named pipes: the pipe behind a fifo's inode (fs/pipe_calls.c). */
#ifndef LIBOS_FIFO_H
#define LIBOS_FIFO_H

struct file;
struct inode;

/* May block until the other end is opened; 0, -ENXIO, -ENOMEM, -ERESTARTSYS. */
int fifo_open(struct inode *i, struct file *f);
/* An end has been closed: with the last one the pipe goes, so that a fifo that nobody has open is a name. */
void fifo_drop(struct inode *i);

#endif
