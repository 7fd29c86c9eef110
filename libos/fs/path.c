/* SPDX-License-Identifier: MIT */
/* The walk along a path; see path.h. */
#include "fs/path.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "fs/context.h"
#include "fs/descriptor.h"
#include "fs/directory.h"
#include "fs/memfs.h"
#include "fs/path_cache.h"

/* Names looked up under one hold of tree_lock. */
#define STRIDE_MAX 8

/* A walk in progress. */
struct walk {
	struct path *result;
	struct inode *root; /* counted */
	struct inode *here; /* counted: the directory that `rest` is relative to */
	const char *rest;
	const char *end; /* of the text: the NUL */
	unsigned links;
	const char *text; /* where the walk began, if all of it may be kept in the path cache: else NULL */
	uint64_t hash;    /* then; of where it began and the text */
};

static const char *skip_slashes(const char *p)
{
	while (*p == '/')
		p++;
	return p;
}

static void move_to(struct walk *w, struct inode *next)
{
	inode_put(w->here);
	w->here = next;
}

/* Puts the text of a link in front of what is left of the path. */
static int expand_link(struct walk *w, struct inode *link)
{
	size_t rest = (size_t)(w->end - w->rest), size;
	long length = (long)inode_size(link);
	char *text;

	if (length == 0)
		return -ENOENT;
	if (length + rest >= PATH_MAX)
		return -ENAMETOOLONG;
	size = (size_t)length + rest + 1;
	text = heap_alloc(size);
	if (!text)
		return -ENOMEM;
	length = link->ops->read_link(link, text, (size_t)length);
	if (length < 0) {
		heap_free(text);
		return (int)length;
	}
	memcpy(text + length, w->rest, rest + 1);
	heap_free(w->result->long_text);
	w->result->long_text = text;
	w->rest = text;
	w->end = text + length + rest;
	if (*text == '/')
		move_to(w, inode_get(w->root));
	return 0;
}

/* One name in the directory where the walk stands; NULL with *error. */
static struct inode *look_up(struct walk *w, const char *name, size_t length, int *error)
{
	if (w->result->last == LAST_DOT)
		return inode_get(w->here);
	if (w->result->last == LAST_DOT_DOT)
		return w->here == w->root ? inode_get(w->here) : inode_parent(w->here);
	return w->here->ops->lookup(w->here, name, length, error);
}

static enum path_last classify(const char *name, size_t length)
{
	if (length == 1 && name[0] == '.')
		return LAST_DOT;
	if (length == 2 && name[0] == '.' && name[1] == '.')
		return LAST_DOT_DOT;
	return LAST_NAME;
}

/* The first slash in [p, end), or end.  Eight bytes at a time: the lowest bit of (x - 01...) & ~x & 80... is
 * in the first byte of x that is zero. */
static const char *find_slash(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101ul;
	uint64_t x;

	for (; end - p >= 8; p += 8) {
		__builtin_memcpy(&x, p, 8);
		x ^= ones * '/';
		x = (x - ones) & ~x & ones << 7;
		if (x)
			return p + __builtin_ctzl(x) / 8;
	}
	while (p < end && *p != '/')
		p++;
	return p;
}

/* The next name: where it starts, how long it is, and whether it is the last. */
static int next_name(struct walk *w, bool *is_last)
{
	struct path *r = w->result;
	const char *end;

	r->name = skip_slashes(w->rest);
	end = find_slash(r->name, w->end);
	r->length = (size_t)(end - r->name);
	if (r->length > NAME_MAX)
		return -ENAMETOOLONG;
	r->last = r->length ? classify(r->name, r->length) : LAST_ROOT;
	r->trailing_slash = *end == '/';
	w->rest = end;
	*is_last = *skip_slashes(end) == 0;
	return 0;
}

/* The walk is over: the last name is `found` (consumed), or missing, in the directory here. */
static int arrive(struct walk *w, struct inode *found)
{
	if (found && w->result->trailing_slash && !inode_is_directory(found)) {
		inode_put(found);
		return -ENOTDIR;
	}
	w->result->inode = found;
	if (!found) {
		w->result->parent = w->here;
		w->here = NULL;
	}
	return 0;
}

/*
 * One step; 1 means that the walk has arrived.  A link whose ops->follow is set is a jump to an
 * inode; all others are expanded into the path.
 */
static int step(struct walk *w, unsigned flags)
{
	struct inode *next, *target;
	bool is_last;
	int error = next_name(w, &is_last);

	if (error)
		return error;
	if (w->result->last == LAST_ROOT) {
		w->result->inode = flags & PATH_PARENT ? NULL : inode_get(w->here);
		return 1;
	}
	if (!inode_is_directory(w->here))
		return -ENOTDIR;
	error = flags & PATH_REAL ? inode_access_real(w->here, X_OK) : inode_access(w->here, X_OK);
	if (error)
		return error;
	if (is_last && (flags & PATH_PARENT))
		return arrive(w, NULL) ?: 1;
	if (is_last && (flags & PATH_CREATE) && w->result->last == LAST_NAME &&
	    w->result->trailing_slash)
		return -EISDIR;
	next = look_up(w, w->result->name, w->result->length, &error);
	if (!next) {
		if (error == -ENOENT && is_last && (flags & PATH_CREATE))
			return arrive(w, NULL) ?: 1;
		return error;
	}
	if (inode_is_link(next) &&
	    (!is_last || (flags & PATH_FOLLOW) || w->result->trailing_slash)) {
		if (++w->links > PATH_LINKS_MAX) {
			error = -ELOOP;
		} else if (next->ops->follow) {
			target = next->ops->follow(next, &error);
			inode_put(next);
			if (!target)
				return error;
			next = target;
			goto follow;
		} else {
			error = expand_link(w, next);
		}
		inode_put(next);
		return error;
	}
follow:
	if (is_last)
		return arrive(w, next) ?: 1;
	move_to(w, next);
	return 0;
}

static void stride_ends(struct path *r, const char *name, size_t length)
{
	r->name = name;
	r->length = length;
	r->last = LAST_NAME;
	r->trailing_slash = false;
}

static bool may_stride(unsigned flags)
{
	const struct process *p = current_process();

	return !(flags & (PATH_PARENT | PATH_REAL)) && (!p || p->euid == 0);
}

/*
 * Plain names in directories of the memory file system, several in one hold of tree_lock: none of
 * the directories in between needs to be counted.  Stops before whatever needs more thought:
 * dots, links, another file system, a name that is not there, and a user who may not search every
 * directory.  Returns the inode, counted, if that was all of the path.
 */
static struct inode *stride(struct walk *w, unsigned flags)
{
	struct inode *here = w->here, *found = NULL;
	const char *rest = w->rest;

	if (!may_stride(flags))
		return NULL;
	lock_acquire(&tree_lock);
	for (int n = 0; n < STRIDE_MAX && !found; n++) {
		const char *name = skip_slashes(rest), *end = find_slash(name, w->end);
		struct directory *d = memfs_directory(here);
		size_t length = (size_t)(end - name);
		struct directory_entry *e;

		if (!d || length == 0 || length > NAME_MAX || *name == '.')
			break;
		e = directory_find(d, name, length);
		if (!e || inode_is_link(e->inode))
			break;
		if (*end == 0) {
			found = inode_get(e->inode);
			stride_ends(w->result, name, length);
			if (w->rest == w->text)
				path_cache_saw(w->hash, w->here, w->text, (size_t)(end - w->text),
					       (size_t)(name - w->text), here, found);
		} else if (*skip_slashes(end) == 0) {
			break;
		} else {
			here = e->inode;
		}
		rest = end;
	}
	w->rest = rest;
	if (here != w->here)
		inode_get(here);
	lock_release(&tree_lock);
	if (here != w->here) {
		inode_put(w->here);
		w->here = here;
	}
	return found;
}

/* Consumes the reference on start.  hash: of start and text if the path cache may keep them, else 0. */
static __attribute__((noinline)) int walk(struct inode *start, const char *text, size_t length,
					  uint64_t hash, unsigned flags, struct path *r)
{
	struct walk w = { .result = r, .here = start, .rest = text, .end = text + length,
			  .text = hash ? text : NULL, .hash = hash };
	struct inode *found;
	int error = 0;

	w.root = *text == '/' ? inode_get(start) : context_root();
	while (error == 0) {
		found = stride(&w, flags);
		error = found ? arrive(&w, found) ?: 1 : step(&w, flags);
	}
	inode_put(w.here);
	inode_put(w.root);
	if (error < 0) {
		path_release(r);
		return error;
	}
	return 0;
}

static inline bool walked_lately(const struct inode *start, const char *text, size_t length, uint64_t hash,
				 struct path *r)
{
	const struct cached_path *c;

	lock_acquire(&tree_lock);
	c = path_cache_find(hash, start, text, length);
	if (c) {
		r->inode = inode_get(c->inode);
		stride_ends(r, text + c->name, length - c->name);
	}
	lock_release_keeping(&tree_lock);
	return c != NULL;
}

/* Consumes the reference on start, if that is counted; it is the root if the path is absolute.  r's text is
 * set up. */
static inline __attribute__((always_inline)) int walk_from(struct inode *start, bool counted,
							    const char *text, size_t length,
							    unsigned flags, struct path *r)
{
	uint64_t hash = 0;

	if (length < PATH_CACHE_TEXT && may_stride(flags)) {
		hash = path_cache_hash(start, text, length);
		if (walked_lately(start, text, length, hash, r)) {
			if (counted)
				inode_put(start);
			return 0;
		}
	}
	return walk(counted ? start : inode_get(start), text, length, hash, flags, r);
}

/* Where a path starts, and whether that is counted; NULL with *error. */
static inline struct inode *start_of(int dirfd, unsigned flags, const char *text, bool *counted, int *error)
{
	struct inode *start;
	struct file *f;

	if (*text == '/')
		return context_look(true, counted);
	if (dirfd == AT_FDCWD)
		return context_look(false, counted);
	*counted = true;
	f = fd_get(dirfd);
	*error = f ? -ENOTDIR : -EBADF;
	if (!f)
		return NULL;
	start = f->inode && (inode_is_directory(f->inode) || (*text == 0 && (flags & PATH_EMPTY)))
			? inode_get(f->inode) : NULL;
	file_put(f);
	return start;
}

int path_at(int dirfd, uint64_t user_path, unsigned flags, struct path *r)
{
	struct inode *start;
	const char *text = r->small;
	bool counted;
	long length;
	int error = 0;

	r->parent = r->inode = NULL;
	r->long_text = NULL;
	length = copy_string_from_user(r->small, user_path, PATH_SHORT);
	if (length == -ENAMETOOLONG) {
		r->long_text = heap_alloc(PATH_MAX);
		if (!r->long_text)
			return -ENOMEM;
		text = r->long_text;
		length = copy_string_from_user(r->long_text, user_path, PATH_MAX);
	}
	if (length < 0)
		error = (int)length;
	else if (length == 0 && !(flags & PATH_EMPTY))
		error = -ENOENT;
	start = error ? NULL : start_of(dirfd, flags, text, &counted, &error);
	if (!start) {
		heap_free(r->long_text);
		return error;
	}
	if (length == 0) {
		r->inode = counted ? start : inode_get(start);
		r->last = LAST_ROOT;
		r->trailing_slash = false;
		return 0;
	}
	return walk_from(start, counted, text, (size_t)length, flags, r);
}

int path_kernel(const char *text, unsigned flags, struct path *r)
{
	r->parent = r->inode = NULL;
	r->long_text = NULL;
	if (*text == 0)
		return -ENOENT;
	return walk_from(*text == '/' ? context_root() : context_directory(), true, text, strlen(text),
			 flags, r);
}
