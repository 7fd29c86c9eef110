/* SPDX-License-Identifier: MIT */
/*
 * The memory file system: every directory, regular file, symbolic link, device node and fifo
 * that is not in /proc.
 */
#ifndef LIBOS_MEMFS_H
#define LIBOS_MEMFS_H

#include "fs/inode.h"
#include "fs/io_buffer.h"

struct directory_entry;

#define MEMFS_DEVICE 1 /* st_dev */

/* New inodes, with one reference and no name; NULL with *error (-ENOMEM, -ENOSPC). */
struct inode *memfs_create(uint32_t mode, uint64_t rdev, int *error);
struct inode *memfs_create_link(const char *target, size_t length, int *error);
/* A regular file whose contents are `size` bytes that stay where they are and never change. */
struct inode *memfs_create_over(uint32_t mode, const void *archive, uint64_t size, int *error);
/* Puts such bytes below a regular file that nobody has opened yet. */
void memfs_set_archive(struct inode *i, const void *archive, uint64_t size);

/* The names of a directory of this file system, the data of a regular file; NULL for others. */
struct directory *memfs_directory(struct inode *i);
struct file_data *memfs_data(struct inode *i);

/*
 * Changes of the tree: tree_mutex is held, dir is a directory of this file system.  They check
 * what the tree itself demands, not permissions.  0 or -errno, and then nothing has changed.
 */
struct directory_entry *memfs_find(struct inode *dir, const char *name, size_t length);
int memfs_link(struct inode *dir, const char *name, size_t length, struct inode *i);
/* The caller has a reference on e->inode, so that nothing is freed here but the name. */
int memfs_unlink(struct directory_entry *e);
/* `from` is not a directory above to_dir.  Gives `from` (an entry) the name in to_dir; a file there
 * is replaced.  Sets *replaced to what it was, counted, or NULL; the caller puts it without
 * tree_mutex. */
int memfs_rename(struct directory_entry *from, struct inode *to_dir, const char *name,
		 size_t length, struct inode **replaced);
void memfs_exchange(struct directory_entry *a, struct directory_entry *b);
/* Is `above` this directory, or a directory above it? */
bool memfs_is_below(struct inode *directory, const struct inode *above);

/* Open regular files (fs/memfs_file.c). */
int memfs_open(struct inode *i, struct file *f);
long memfs_read(struct inode *i, struct io_buffer to, size_t n, uint64_t offset);
/* append: *offset is set to the end first.  *offset moves behind what was written. */
long memfs_write(struct inode *i, struct io_buffer from, size_t n, uint64_t *offset, bool append);
int memfs_resize(struct inode *i, uint64_t size);
/* The same for who has not opened it to write: -ETXTBSY if it runs. */
int memfs_truncate(struct inode *i, uint64_t size);
/* A program will be started from f, which was opened to be read and which nobody else has yet: as long as f
 * is there nobody opens the file to write.  -ETXTBSY if somebody has. */
int memfs_execute(struct file *f);
/* f, which is new and was opened to be written, keeps nobody from running the file. */
void memfs_forget_writer(struct file *f);
/* May the process let a file grow to this size?  0, or -EFBIG and SIGXFSZ. */
int memfs_size_allowed(uint64_t size);
/* The process has changed the contents: times, and the bits that must not outlast that. */
void memfs_modified(struct inode *i);

#endif
