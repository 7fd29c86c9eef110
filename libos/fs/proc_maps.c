/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps, printed line by line as it is read: there may be tens of thousands, and nobody is to keep
 * them for a program that does not read on.
 *
 * An open file knows behind which address it goes on.  So a program that reads in pieces sees each mapping
 * that stays once, and others as they are when their turn comes, as on Linux; a line that was begun is kept.
 */
#include <linux/limits.h>
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/proc_inode.h"
#include "fs/proc_process.h"
#include "proc/process.h"
#include "vm/vm.h"

#define LINE_ROOM (PATH_MAX + 128)

struct maps_reader { /* under the inode's mutex */
	uint64_t position; /* of what comes next in the text */
	uint64_t address;  /* lines of mappings at or above it come next, behind the rest */
	char *rest;        /* of a line that was begun, or NULL */
	size_t rest_size;
};

/* Counted; NULL with *error: 0 if it has none any more, so that there is nothing to tell. */
static struct vm *space_of(const struct inode *i, int *error)
{
	struct process *p = proc_process_get((uint64_t)i->private);
	struct vm *v;

	*error = p ? 0 : -ESRCH;
	if (!p)
		return NULL;
	mutex_lock(&p->exec_mutex);
	v = p->vm;
	if (v)
		vm_get(v);
	mutex_unlock(&p->exec_mutex);
	process_put(p);
	return v;
}

static void set_rest(struct maps_reader *r, char *rest, size_t size)
{
	heap_free(r->rest);
	r->rest = rest;
	r->rest_size = size;
}

/* The next line, or what is left of one, into `line`; its size, or 0 at the end. */
static size_t next_line(struct maps_reader *r, struct vm *v, char *line)
{
	size_t size = r->rest_size;

	if (!r->rest)
		return vm_print_mapping(v, &r->address, line, LINE_ROOM);
	memcpy(line, r->rest, size);
	set_rest(r, NULL, 0);
	return size;
}

/* 0 or -ENOMEM, and then the position is still before the line. */
static int keep_rest(struct maps_reader *r, const char *from, size_t size)
{
	char *rest = heap_alloc_uncleared(size);

	if (!rest)
		return -ENOMEM;
	memcpy(rest, from, size);
	set_rest(r, rest, size);
	return 0;
}

/*
 * Moves up to n bytes from `position` on.  Who has gone elsewhere than where he stopped is led there from the
 * beginning.  Any error leaves the reader at a place of its own, from where the next read begins again.
 */
static long read_lines(struct maps_reader *r, struct vm *v, char *line, uint64_t user, size_t n,
		       uint64_t position)
{
	size_t done = 0, size, skipped, piece;
	int error = 0;

	if (position != r->position) {
		set_rest(r, NULL, 0);
		r->position = r->address = 0;
	}
	while (!error && done < n && (size = next_line(r, v, line)) > 0) {
		/* Of the text there is so much before where it is to begin; once that is reached, nothing. */
		skipped = position + done - r->position < size ? position + done - r->position : size;
		piece = size - skipped < n - done ? size - skipped : n - done;
		error = copy_to_user(user + done, line + skipped, piece);
		if (!error && skipped + piece < size)
			error = keep_rest(r, line + skipped + piece, size - skipped - piece);
		if (!error)
			done += piece;
		r->position += skipped + piece;
	}
	if (error)
		r->position = UINT64_MAX;
	return done ? (long)done : error;
}

static long maps_read(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	char *line;
	int error;
	struct vm *v = space_of(f->inode, &error);
	long result;

	if (!v)
		return error;
	line = heap_alloc_uncleared(LINE_ROOM);
	result = -ENOMEM;
	if (line) {
		mutex_lock(&f->inode->mutex);
		result = read_lines(f->private, v, line, user, n, *pos);
		mutex_unlock(&f->inode->mutex);
	}
	heap_free(line);
	vm_put(v);
	if (result > 0)
		*pos += (uint64_t)result;
	return result;
}

static void maps_release(struct file *f)
{
	struct maps_reader *r = f->private;

	heap_free(r->rest);
	heap_free(r);
}

static const struct file_ops maps_ops = {
	.read = maps_read,
	.seek = file_seek_endless,
	.release = maps_release,
};

int proc_maps_open(struct file *f)
{
	struct maps_reader *r = heap_alloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	f->ops = &maps_ops;
	f->private = r;
	return 0;
}
