/* SPDX-License-Identifier: MIT */
/*
 * Loading a scheduler library while the system runs, and unloading it.
 *
 *	file ---> pages of the heap: text read-execute, constants read, data read-write
 *	                 ^
 *	record: a copy of its sched_ops and all that is read from outside of callbacks
 *
 * A record is kept for as long as the system runs, and used again for the same name only, so that
 * who lists the libraries needs no lock.  The pages are entered by callbacks alone.
 *
 * Why no CPU is in pages that are given back: sched_mutex keeps the library from coming into force
 * again, and each CPU has followed to the library that is (sched_leave_all) since it was found not
 * to be.  A CPU calls only the library that it has followed to, masked, so it has left.
 */
#include "sched/load.h"
#include "abi/errno.h"
#include "core/frames.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "fs/procfs.h"
#include "sched/exports.h"
#include "sched/library.h"
#include "sched/shared_object.h"

#define FILE_MAX (1ul << 20)
#define PATH_SHOWN 256 /* no longer one can be written */

struct loaded {
	/* Fixed. */
	char name[SCHED_NAME_MAX];
	struct loaded *_Atomic next;

	/* Under sched_mutex; others may read `ops` while present. */
	_Atomic bool present;
	struct sched_ops ops;
	struct sched_tunable tunables[SCHED_TUNABLES_MAX + 1];
	char tunable_names[SCHED_TUNABLES_MAX][SCHED_TUNABLE_NAME_MAX];
	char *memory;
	struct shared_object object;
	char path[PATH_SHOWN];
};

static struct loaded *_Atomic records; /* only grows, under sched_mutex */
/* Under sched_mutex: the last file that was refused. */
static char refused_path[PATH_SHOWN], refused_name[32];
static const char *refused_why;

static struct loaded *record_next(struct loaded *_Atomic *at)
{
	return atomic_load_explicit(at, memory_order_acquire);
}

static struct loaded *record_find(const char *name)
{
	struct loaded *l = record_next(&records);

	while (l && strcmp(l->name, name) != 0)
		l = record_next(&l->next);
	return l;
}

const struct sched_ops *sched_loaded(unsigned index)
{
	for (struct loaded *l = record_next(&records); l; l = record_next(&l->next))
		if (atomic_load_explicit(&l->present, memory_order_acquire) && index-- == 0)
			return &l->ops;
	return NULL;
}

/* ---- checking what a built object says about itself */

/* A string of the object with at most size - 1 characters, copied; false if it is none. */
static bool copy_string(const struct loaded *l, const char *from, char *to, size_t size)
{
	uint64_t offset = (uint64_t)from - (uint64_t)l->memory;

	for (size_t i = 0; i < size; i++) {
		if (!object_covers(&l->object, offset + i, 1, OBJECT_READ))
			return false;
		to[i] = from[i];
		if (to[i] == 0)
			return i > 0;
		if (to[i] <= ' ' || to[i] > '~' || to[i] == '/')
			return false;
	}
	return false;
}

static bool covers(const struct loaded *l, const void *p, size_t size, unsigned rights)
{
	return (uint64_t)p % 8 == 0 &&
	       object_covers(&l->object, (uint64_t)p - (uint64_t)l->memory, size, rights);
}

/* Every pointer between the first callback and the last. */
static bool callbacks_ok(const struct loaded *l)
{
	const char *at = (const char *)&l->ops.init, *end = (const char *)&l->ops.tunables;

	for (; at < end; at += sizeof(void *)) {
		uint64_t callback = *(const uint64_t *)at;

		if (callback && !object_covers(&l->object, callback - (uint64_t)l->memory, 1,
					       OBJECT_EXECUTE))
			return false;
	}
	return true;
}

static bool copy_tunables(struct loaded *l, const struct sched_tunable *from)
{
	for (unsigned i = 0; i <= SCHED_TUNABLES_MAX; i++) {
		struct sched_tunable *t = &l->tunables[i];

		if (!covers(l, &from[i], sizeof(*t), OBJECT_READ))
			return false;
		*t = from[i];
		if (!t->name)
			return true;
		if (i == SCHED_TUNABLES_MAX || t->min > t->max ||
		    !copy_string(l, t->name, l->tunable_names[i], SCHED_TUNABLE_NAME_MAX) ||
		    !covers(l, t->value, sizeof(*t->value), OBJECT_WRITE))
			return false;
	}
	return false;
}

/* NULL, or why it is no scheduler library. */
static const char *copy_ops(struct loaded *l)
{
	uint64_t exported = object_find(&l->object, l->memory, "sched_loadable");
	const struct sched_ops *ops;

	if (!exported || !covers(l, l->memory + exported, sizeof(ops), OBJECT_READ))
		return "there is no SCHED_LIBRARY() in it, or it was compiled without -fPIC";
	ops = *(const struct sched_ops *const *)(l->memory + exported);
	if (!covers(l, ops, sizeof(*ops), OBJECT_READ))
		return "its sched_ops are not in it";
	l->ops = *ops;
	if (l->ops.abi > SCHED_ABI)
		return "it was made for a later version of <libos/sched.h>";
	if (!copy_string(l, l->ops.name, l->name, sizeof(l->name)))
		return "its name is none, or too long";
	if (!sched_ops_ok(&l->ops) || !callbacks_ok(l))
		return "its sched_ops are not as <libos/sched.h> says";
	if (l->ops.tunables && !copy_tunables(l, l->ops.tunables))
		return "its tunables are not as <libos/sched.h> says";
	return NULL;
}

/* ---- its pages */

static int protect(const struct loaded *l, unsigned first, unsigned count, unsigned rights)
{
	struct exo_op op = { .code = EXO_OP_PROTECT, .count = count,
			     .va = (uint64_t)l->memory + first * EXO_PAGE_SIZE };

	op.prot |= (rights & OBJECT_READ) ? EXO_PROT_READ : 0;
	op.prot |= (rights & OBJECT_WRITE) ? EXO_PROT_WRITE : 0;
	op.prot |= (rights & OBJECT_EXECUTE) ? EXO_PROT_EXEC : 0;
	return shared_update(&op, 1);
}

static int protect_all(const struct loaded *l)
{
	const struct shared_object *o = &l->object;
	int r = 0;

	for (unsigned first = 0, end; first < o->pages && r == 0; first = end) {
		for (end = first + 1; end < o->pages && o->rights[end] == o->rights[first]; end++)
			;
		r = protect(l, first, end - first, o->rights[first]);
	}
	return r;
}

/* The heap expects its pages back as it gave them. */
static void free_memory(struct loaded *l)
{
	if (l->memory && protect(l, 0, l->object.pages, OBJECT_READ | OBJECT_WRITE) == 0)
		pages_free(l->memory, l->object.pages);
	l->memory = NULL;
}

/* ---- loading */

static int read_file(const char *path, char **data, size_t *size)
{
	int r = 0;
	struct file *f = file_open_kernel(path, O_RDONLY, &r);

	*data = NULL;
	if (!f)
		return r;
	*size = file_size(f);
	if (!S_ISREG(file_mode(f)) || *size == 0 || *size > FILE_MAX)
		r = -ENOEXEC;
	else if (!(*data = heap_alloc(*size)))
		r = -ENOMEM;
	else if (file_read_kernel(f, *data, *size, 0) != (long)*size)
		r = -EIO;
	file_put(f);
	return r;
}

/* -ENOEXEC: *why says why. */
static int build(struct loaded *l, const char *data, size_t size, const char **why)
{
	*why = object_decode(data, size, &l->object);
	if (*why)
		return -ENOEXEC;
	l->memory = pages_alloc(l->object.pages);
	if (!l->memory)
		return -ENOMEM;
	*why = object_build(&l->object, data, l->memory, (uint64_t)l->memory, export_address);
	if (!*why)
		*why = copy_ops(l);
	return *why ? -ENOEXEC : protect_all(l);
}

/* Under sched_mutex. */
static int unload(struct loaded *l)
{
	if (sched_instance()->ops == &l->ops)
		return -EBUSY;
	atomic_store_explicit(&l->present, false, memory_order_relaxed);
	sched_leave_all(&l->ops);
	free_memory(l);
	return 0;
}

/* Under sched_mutex: the record of that name takes the contents of a new one; or the new one, and
 * *l is NULL then, becomes the record. */
static int publish(struct loaded **fresh)
{
	struct loaded *l = *fresh, *old = record_find(l->name);
	int r;

	if (strcmp(l->name, sched_fifo_ops.name) == 0)
		return -EEXIST;
	if (old && old->present) {
		r = unload(old);
		if (r)
			return r;
	}
	if (old) {
		old->ops = l->ops;
		memcpy(old->tunables, l->tunables, sizeof(l->tunables));
		memcpy(old->tunable_names, l->tunable_names, sizeof(l->tunable_names));
		memcpy(old->path, l->path, sizeof(l->path));
		old->object = l->object;
		old->memory = l->memory;
		l->memory = NULL;
		l = old;
	} else {
		l->next = record_next(&records);
		*fresh = NULL;
	}
	l->ops.name = l->name;
	for (unsigned i = 0; l->tunables[i].name; i++)
		l->tunables[i].name = l->tunable_names[i];
	if (l->ops.tunables)
		l->ops.tunables = l->tunables;
	if (!old)
		atomic_store_explicit(&records, l, memory_order_release);
	/* Release: the record is complete. */
	atomic_store_explicit(&l->present, true, memory_order_release);
	return 0;
}

int sched_load(const char *path)
{
	struct loaded *l = heap_alloc(sizeof(*l));
	const char *why = "it is no regular file, or too large";
	char *data = NULL;
	size_t size = 0;
	int r = l ? read_file(path, &data, &size) : -ENOMEM;

	if (r == 0) {
		string_copy(l->path, path, sizeof(l->path));
		r = build(l, data, size, &why);
	}
	heap_free(data);
	mutex_lock(&sched_mutex);
	if (r == 0)
		r = publish(&l);
	refused_why = r == -ENOEXEC ? why : NULL;
	if (refused_why) {
		string_copy(refused_path, path, sizeof(refused_path));
		string_copy(refused_name, l->object.culprit, sizeof(refused_name));
	}
	mutex_unlock(&sched_mutex);
	if (l)
		free_memory(l);
	heap_free(l);
	return r;
}

int sched_unload(const char *name)
{
	struct loaded *l;
	int r = -ENOENT;

	mutex_lock(&sched_mutex);
	l = record_find(name);
	if (l && l->present)
		r = unload(l);
	mutex_unlock(&sched_mutex);
	return r;
}

void sched_loaded_print(struct text *out)
{
	mutex_lock(&sched_mutex);
	for (struct loaded *l = record_next(&records); l; l = record_next(&l->next))
		if (l->present)
			text_print(out, "%s %p %u %s\n", l->name, l->memory, l->object.pages,
				   l->path);
	if (refused_why)
		text_print(out, "refused %s: %s%s%s\n", refused_path, refused_why,
			   *refused_name ? " " : "", refused_name);
	mutex_unlock(&sched_mutex);
}
