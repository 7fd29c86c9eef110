/* SPDX-License-Identifier: MIT */
/* Named pipes: the pipe behind a fifo's inode (fs/pipe_calls.c). */
#ifndef LIBOS_FIFO_H
#define LIBOS_FIFO_H

struct file;
struct inode;

/* May block until the other end is opened; 0, -ENXIO, -ENOMEM, -ERESTARTSYS. */
int fifo_open(struct inode *i, struct file *f);
void fifo_free(struct inode *i);

#endif
