/* SPDX-License-Identifier: MIT */
/*
 * Open files.  A struct file is what a descriptor names; file_ops is what kinds of file differ in.
 */
#ifndef LIBOS_FILE_H
#define LIBOS_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/lock.h"
#include "core/mutex.h"
#include "core/wait.h"

struct file;
struct file_data;
struct file_watches;
struct inode;
struct iovec;
struct poll_waiter;

/* User addresses; may block.  *pos is the position, to be moved on; a file without seek is a stream, and
 * pos is NULL.  Bytes, or -errno. */
typedef long (*file_transfer_op)(struct file *f, uint64_t user, size_t n, uint64_t *pos);

struct file_ops {
	file_transfer_op read, write;
	/* Of a stream, for a call that has read something already: what is there, without waiting for more.
	 * NULL: such a call is done, as one line, message or count is all that a call takes. */
	file_transfer_op read_more;
	/* Events ready now (POLLIN...); if w is not NULL also registers it for changes. */
	uint32_t (*poll)(struct file *f, struct poll_waiter *w);
	long (*ioctl)(struct file *f, unsigned command, uint64_t argument);
	/* With position_mutex held (or by the only task that can reach f): change f->position. */
	long (*seek)(struct file *f, int64_t offset, int whence);
	long (*read_directory)(struct file *f, uint64_t user, size_t n);
	/* A frame for page `index` of the file, for mapping: `shared`, what is written to the file later is
	 * to be seen in it; `write`, it will be written through such a mapping.  0: beyond the end, or
	 * -errno.  The frame stays the file's as long as the mapping is counted (file_map_get). */
	long (*map_frame)(struct file *f, uint64_t index, bool shared, bool write);
	bool maps_zeros; /* instead: a mapping of it is memory of nobody's, /dev/zero */
	int (*sync)(struct file *f);
	/* Last reference gone. */
	void (*release)(struct file *f);

	/* The rest may be NULL.  A file of this kind is being opened; 0 or -errno (no release). */
	int (*open)(struct file *f);
	/* seek() does nothing, and pos is NULL (/dev/null). */
	bool position_is_nothing;
	/* Of a kind without inodes: what /proc/PID/fd calls it. */
	const char *name;
	/* Bytes from libos memory, for sendfile; otherwise as write. */
	long (*write_kernel)(struct file *f, const void *data, size_t n, uint64_t *pos);
	/* As write, of several buffers in one piece.  NULL: one by one.  The same for reading of streams
	 * alone; who has one there has both. */
	long (*write_vector)(struct file *f, const struct iovec *vector, unsigned count,
			     uint64_t *pos);
	long (*read_vector)(struct file *f, const struct iovec *vector, unsigned count,
			    uint64_t *pos);
};

/*
 * Missing operations: read, write -> EINVAL; poll -> always ready; ioctl -> ENOTTY;
 * seek -> ESPIPE; read_directory -> ENOTDIR; map_frame -> ENODEV; sync -> EINVAL.
 */
struct file {
	/* Fixed after opening. */
	const struct file_ops *ops;
	struct inode *inode; /* counted; NULL for eventfd and the like */
	void *private;       /* of ops */

	/* What the doors go to (core/read_write.asm), for who has the descriptor alone, with NULL for the
	 * position: file_read_first() and file_write_first(), which find out what it is from then on, and
	 * always find the same. */
	_Atomic file_transfer_op read_at_once, write_at_once;

	_Atomic uint32_t references;
	_Atomic uint32_t flags; /* O_ACCMODE | O_APPEND | O_NONBLOCK ...: changed by fcntl */

	/* Under position_mutex, unless one task alone can reach the file (fs/descriptor.h).  What has no
	 * position keeps here what else it has to know: fs/pipe_ends.c. */
	struct mutex position_mutex;
	uint64_t position;

	/* Of epolls (fs/epoll.h); NULL until it is first watched, and then always the same. */
	struct file_watches *_Atomic watches;
};

struct file *file_alloc(const struct file_ops *ops, struct inode *inode, void *private,
			uint32_t flags);
void file_get(struct file *f);
bool file_try_get(struct file *f); /* false: nobody has it any more */
void file_put(struct file *f); /* may block (release) */
/* What tells whether two mappings are of one file that can be cut; NULL: it cannot. */
const struct file_data *file_map_data(const struct file *f);
/* References for a mapping of the file, which must have left every TLB before the put: while there
 * is one, the file keeps its pages where they are. */
void file_map_get(struct file *f);
void file_map_put(struct file *f);
/* It has been mapped, which is an access. */
void file_touch_mapped(struct file *f);
/* For ops.seek: the position becomes base + offset; it, or -errno. */
long file_seek_from(struct file *f, int64_t base, int64_t offset);
/* ops.seek of a file whose end nobody knows: from its beginning, or from where one is. */
long file_seek_endless(struct file *f, int64_t offset, int whence);

/* Descriptor tables (fs/descriptor_table.c).  fd_get returns a counted file or NULL. */
struct file_table;
struct file *fd_get(int fd);
/* Consumes the reference; the descriptor, -EMFILE or -ENOMEM. */
int fd_install(struct file *f, int lowest, bool close_on_exec);
struct file_table *file_table_create(void);
struct file_table *file_table_copy(struct file_table *t);
void file_table_get(struct file_table *t);
void file_table_put(struct file_table *t);
void file_table_close_on_exec(struct file_table *t);

/* cwd, root, umask (fs/context.c). */
struct fs_context;
struct process;
/* p, which has none, gets its own: at the root with umask 022, or a copy; or another's. */
void fs_context_init(struct process *p);
void fs_context_copy(struct process *p, struct fs_context *from);
void fs_context_share(struct process *p, struct fs_context *with);
void fs_context_put(struct fs_context *c, struct process *p); /* which p has had */

/* For exec and the libos itself: open by path in the current process's context (or the root). */
struct file *file_open_kernel(const char *path, int flags, int *error);
/* Read into libos memory, or a program's, at an offset; regular files only. */
long file_read_kernel(struct file *f, void *buf, size_t n, uint64_t offset);
long file_read_user(struct file *f, uint64_t to, size_t n, uint64_t offset);
uint64_t file_size(struct file *f);
uint32_t file_mode(struct file *f);
/* Some files have no inode (eventfd): a number that only tells them apart. */
static inline uint64_t file_nameless_number(const struct file *f)
{
	return (uint64_t)f->private >> 4 & 0xffffffff;
}
/* Path that a file was opened by, as far as it can be told (/proc/PID/exe, maps). */
size_t file_path(struct file *f, char *buf, size_t size);

#endif
