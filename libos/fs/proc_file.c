/* SPDX-License-Identifier: MIT */
/*
 * Open files of /proc.
 *
 * The text is printed when a program reads from the start, and kept with the file, so that a
 * program that reads it in small pieces sees one state and not a mixture.
 */
#include "core/memory.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/proc_inode.h"

#define TEXT_FIRST 4096
#define TEXT_MAX (1ul << 20)
#define WRITE_MAX 4095

struct proc_text {
	/* Fixed. */
	void (*print)(struct inode *i, struct text *out);
	int (*write)(struct inode *i, const char *data, size_t n);
	/* Under the inode's mutex. */
	char *data;
	size_t used;
};

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

static bool has_text(struct file *f)
{
	struct proc_text *t = f->private;
	bool has;

	mutex_lock(&f->inode->mutex);
	has = t->data != NULL;
	mutex_unlock(&f->inode->mutex);
	return has;
}

static long proc_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	struct proc_text *t = f->private;
	struct text fresh = { 0 };
	char *old = NULL;
	int error = 0;

	if (*pos == 0 || !has_text(f))
		error = print_all(f, &fresh);
	if (error)
		return error;
	mutex_lock(&f->inode->mutex);
	if (fresh.data) {
		old = t->data;
		t->data = fresh.data;
		t->used = fresh.used;
	}
	if (*pos >= t->used)
		n = 0;
	else if (n > t->used - *pos)
		n = t->used - *pos;
	error = n ? copy_to_user(user, t->data + *pos, n) : 0;
	mutex_unlock(&f->inode->mutex);
	heap_free(old);
	if (error)
		return error;
	*pos += n;
	return (long)n;
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

	heap_free(t->data);
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
