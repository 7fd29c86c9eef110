/* SPDX-License-Identifier: MIT */
/*
 * Inodes of /proc.  They are made when a name is looked up and go with their last reference, so
 * there may be several for one name; their number says what they are.
 */
#ifndef LIBOS_PROC_INODE_H
#define LIBOS_PROC_INODE_H

#include "fs/inode.h"
#include "fs/procfs.h"

#define PROC_DEVICE 2 /* st_dev */

/* Numbers and listing positions: 1 the root, then registered files, then processes. */
#define PROC_ROOT_NUMBER 1
#define PROC_PID_NUMBER (1ul << 32)

/* An inode below `parent`, which it counts; NULL with *error. */
struct inode *proc_inode(const struct inode_ops *ops, struct inode *parent, uint64_t number,
			 uint32_t mode, void *private, int *error);

/* The same below the directory of the process that `parent` tells, whose effective user owns it; private is
 * its identity (proc_process.h) there too. */
struct inode *proc_process_inode(const struct inode_ops *ops, struct inode *parent, uint64_t number,
				 uint32_t mode, int *error);

/* Opens f on a file whose contents `print` makes (fs/proc_file.c). */
int proc_open(struct inode *i, struct file *f, void (*print)(struct inode *i, struct text *out),
	      int (*write)(struct inode *i, const char *data, size_t n));

/* Opens f, whose inode is about a process, on the map of its memory (fs/proc_maps.c). */
int proc_maps_open(struct file *f);

/* Processes (fs/proc_process.c): the directory of one by its name; the lowest pid >= from or 0. */
struct inode *proc_process_lookup(struct inode *root, const char *name, size_t length, int *error);
uint32_t proc_next_pid(uint32_t from);
/* A number in decimal without sign or leading zeros; -1 if it is none. */
long proc_parse_number(const char *name, size_t length);

/* The directories fd and task of a process (fs/proc_fd.c, fs/proc_task.c); private is its identity
 * (proc_process.h). */
extern const struct inode_ops proc_fd_ops, proc_task_ops;

void proc_print_held(struct text *out, void *argument); /* proc_held.c */
void proc_system_init(void); /* registers what describes the machine */
struct inode *procfs_root(int *error);

#endif
