/* SPDX-License-Identifier: MIT */
/*
 * Open files of /proc.
 *
 * The text is printed when a program reads from the start, and kept with the file until its end has been
 * read, so that a program that reads it in small pieces sees one state and not a mixture.
 *
 * But those who open many files and read no more than their beginnings are not to have the memory: all
 * texts that are kept have a small part of it.  What finds no room is printed again for each read.
 */
#include <exo/abi.h>
#include "core/frames.h"
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/proc_inode.h"

#define TEXT_FIRST 4096
#define TEXT_MAX (1ul << 20)
#define WRITE_MAX 4095
#define KEPT_PART 64 /* of memory */

struct proc_text {
	/* Fixed. */
	void (*print)(struct inode *i, struct text *out);
	int (*write)(struct inode *i, const char *data, size_t n);
	/* Under the inode's mutex. */
	char *data; /* NULL: nothing is kept */
	size_t size, used; /* of data */
	uint64_t end; /* its end has been read here, and a read from there on finds nothing; 0: not yet */
};

static _Atomic uint64_t kept_bytes; /* of all; any CPU, a number by itself */

static bool may_keep(size_t size)
{
	uint64_t most = frames_total_count() * EXO_PAGE_SIZE / KEPT_PART;
	uint64_t before = atomic_fetch_add_explicit(&kept_bytes, size, memory_order_relaxed);

	if (before + size <= most)
		return true;
	atomic_fetch_sub_explicit(&kept_bytes, size, memory_order_relaxed);
	return false;
}

static void drop(struct proc_text *t)
{
	if (!t->data)
		return;
	heap_free(t->data);
	atomic_fetch_sub_explicit(&kept_bytes, t->size, memory_order_relaxed);
	t->data = NULL;
}

/* Prints the whole, with more room until it fits.  No lock held: print takes what it needs. */
static int print_all(struct file *f, struct text *out)
{
	struct proc_text *t = f->private;

	for (size_t size = TEXT_FIRST; size <= TEXT_MAX; size *= 2) {
		*out = (struct text){ .data = heap_alloc(size), .size = size };
		if (!out->data)
			return -ENOMEM;
		t->print(f->inode, out);
		if (!out->overflow && !out->error)
			return 0;
		heap_free(out->data);
		if (out->error)
			return out->error;
	}
	return -EFBIG;
}

static bool must_print(struct file *f, uint64_t position)
{
	struct proc_text *t = f->private;
	bool must;

	mutex_lock(&f->inode->mutex);
	must = position == 0 || (!t->data && !(t->end && position >= t->end));
	mutex_unlock(&f->inode->mutex);
	return must;
}

/* Under the mutex: what is to be read now, from `fresh` if that has a text. */
static long read_piece(struct proc_text *t, const struct text *fresh, uint64_t user, size_t n,
		       uint64_t position)
{
	const char *data = fresh->data ? fresh->data : t->data;
	size_t used = fresh->data ? fresh->used : t->data ? t->used : 0;
	int error;

	if (position >= used)
		return 0;
	if (n > used - position)
		n = used - position;
	error = copy_to_user(user, data + position, n);
	if (error)
		return error;
	t->end = position + n == used ? used : 0;
	return (long)n;
}

/* Under the mutex, after a read: keeps what was printed, if there is more to come and room. */
static void keep(struct proc_text *t, struct text *fresh)
{
	if (fresh->data || t->end)
		drop(t);
	if (!fresh->data || t->end || !may_keep(fresh->size))
		return;
	t->data = fresh->data;
	t->size = fresh->size;
	t->used = fresh->used;
	fresh->data = NULL;
}

static long proc_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct proc_text *t = f->private;
	struct text fresh = { 0 };
	long result;

	if (must_print(f, *pos)) {
		int error = print_all(f, &fresh);

		if (error)
			return error;
	}
	mutex_lock(&f->inode->mutex);
	result = read_piece(t, &fresh, user, n, *pos);
	keep(t, &fresh);
	mutex_unlock(&f->inode->mutex);
	heap_free(fresh.data);
	if (result > 0)
		*pos += (uint64_t)result;
	return result;
}

static long proc_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct proc_text *t = f->private;
	char *data;
	int error;

	if (!t->write)
		return -EACCES;
	if (n > WRITE_MAX)
		return -EINVAL;
	data = heap_alloc(n + 1);
	if (!data)
		return -ENOMEM;
	error = copy_from_user(data, user, n) ?: t->write(f->inode, data, n);
	heap_free(data);
	if (error)
		return error;
	*pos += n;
	return (long)n;
}

static void proc_release(struct file *f)
{
	struct proc_text *t = f->private;

	drop(t);
	heap_free(t);
}

static const struct file_ops proc_file_ops = {
	.read = proc_read,
	.write = proc_write,
	.seek = file_seek_endless,
	.release = proc_release,
};

int proc_open(struct inode *i, struct file *f, void (*print)(struct inode *i, struct text *out),
	      int (*write)(struct inode *i, const char *data, size_t n))
{
	struct proc_text *t = heap_alloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->print = print;
	t->write = write;
	f->ops = &proc_file_ops;
	f->private = t;
	return 0;
}
