/* SPDX-License-Identifier: MIT */
/* What the file calls use of descriptors and open files, beside the public fs/file.h. */
#ifndef LIBOS_DESCRIPTOR_H
#define LIBOS_DESCRIPTOR_H

#include "fs/file.h"
#include "fs/linux.h"
#include "proc/process.h"

/*
 * A file for the length of one call, without the price of counting it when nobody else could
 * close it meanwhile: the table is this process's alone and the process has one task, which is
 * in this call.  (/proc looks at tables of others, but takes nothing out of them.)
 */
struct fd_ref {
	struct file *file; /* NULL: not open, or not for this */
	bool counted;
};

/* The table itself; fs/descriptor.c describes it. */
struct file_table {
	_Atomic uint32_t references;
	struct lock lock; /* RANK_FILES; guards the rest */
	unsigned capacity; /* a power of two */
	struct file **files;
	uint64_t *open, *exec;
	struct file *first_block[]; /* of the arrays, until they have grown */
};

/* As fd_get, of another process's table (/proc/PID/fd); the caller keeps the table alive. */
struct file *file_table_get_file(struct file_table *t, int fd);

/* Only this task could add a user of the table or of the process, and it is here. */
static inline __attribute__((always_inline)) bool fd_table_is_ours(const struct process *p)
{
	return atomic_load_explicit(&p->files->references, memory_order_relaxed) == 1 &&
	       p->task_count == 1;
}

static inline __attribute__((always_inline)) struct fd_ref fd_borrow(int fd)
{
	struct process *p = current_process();
	struct file_table *t = p->files;
	struct file *f;

	if (fd_table_is_ours(p))
		return (struct fd_ref){ (unsigned)fd < t->capacity ? t->files[fd] : NULL, false };
	f = file_table_get_file(t, fd);
	return (struct fd_ref){ f, f != NULL };
}

/* The file that fd_borrow() would lend uncounted: nothing is to be returned.  NULL: ask fd_borrow(). */
static inline __attribute__((always_inline)) struct file *fd_peek(int fd)
{
	struct process *p = current_process();

	return fd_table_is_ours(p) && (unsigned)fd < p->files->capacity ? p->files->files[fd] : NULL;
}

/* What fd_peek() has found is known to the doors (fs/own_descriptors.h), and is not any more. */
static inline void fd_own_remember(void)
{
	struct task *t = current();

	own_descriptors_remember(&t->own, t->process->files->files, t->process->files->capacity);
}

static inline void fd_own_forget(void)
{
	own_descriptors_forget(&current()->own);
}

static inline void fd_return(struct fd_ref r)
{
	if (r.counted)
		file_put(r.file);
}

/* A counted file that was opened for reading, or writing; NULL with -EBADF otherwise. */
struct file *fd_get_readable(int fd);
struct file *fd_get_writable(int fd);

/* The lowest descriptor >= from that is open, or -1. */
int file_table_next(struct file_table *t, int from);

/* How many descriptors there is room for: those from there on are closed.  A moment later it may be more. */
unsigned file_table_capacity(struct file_table *t);

/*
 * For an opening that has effects, or waits, and is to fail for want of a descriptor before that: takes the
 * lowest one that is free, or -EMFILE, -ENOMEM.  Then it is filled, which consumes the reference and returns
 * it, or given back.
 */
int fd_reserve(void);
int fd_fill(int fd, struct file *f, bool close_on_exec);
void fd_unreserve(int fd);

/* Makes descriptor `to` name f, closing what it named; consumes the reference.  to, or -errno. */
int fd_install_at(struct file *f, int to, bool close_on_exec);
/* Whether fd is closed by exec; set >= 0 changes that.  -EBADF. */
int fd_close_on_exec(int fd, int set);

/*
 * What a file was opened for never changes, whatever else fcntl() does to the flags.  The access mode plus
 * one has a bit for reading and one for writing; 3, which is neither, is for those who only want to control a
 * device.
 */
static inline __attribute__((always_inline)) uint32_t file_flags(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed);
}

static inline __attribute__((always_inline)) bool file_is_readable(const struct file *f)
{
	return !(file_flags(f) & O_PATH) && ((file_flags(f) + 1) & 1);
}

static inline __attribute__((always_inline)) bool file_is_writable(const struct file *f)
{
	return !(file_flags(f) & O_PATH) && ((file_flags(f) + 1) & 2);
}

static inline __attribute__((always_inline)) struct fd_ref fd_borrow_for(int fd, bool write)
{
	struct fd_ref r = fd_borrow(fd);

	if (r.file && !(write ? file_is_writable(r.file) : file_is_readable(r.file))) {
		fd_return(r);
		r.file = NULL;
	}
	return r;
}

/* Has a position: reads and writes without an offset take position_mutex. */
static inline __attribute__((always_inline)) bool file_has_position(const struct file *f)
{
	return f->ops->seek && !f->ops->position_is_nothing;
}

#endif
