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
#include "core/log.h"
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
static char refused_path[PATH_SHOWN], refused_name[OBJECT_CULPRIT_MAX];
static const char *refused_why;

_Static_assert(OBJECT_PAGES_MAX * OBJECT_PAGE == SCHED_LIBRARY_SIZE_MAX, "as the header says");

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

/* Its record, which is never freed; NULL: that of a linked one. */
static const struct loaded *record_of(const struct sched_ops *ops)
{
	const struct loaded *l = record_next(&records);

	while (l && &l->ops != ops)
		l = atomic_load_explicit(&l->next, memory_order_acquire);
	return l;
}

const char *sched_loaded_path(const struct sched_ops *ops)
{
	const struct loaded *l = record_of(ops);

	return l ? l->path : NULL;
}

bool sched_loaded_code(const struct sched_ops *ops, uint64_t address, uint64_t *offset)
{
	const struct loaded *l = record_of(ops);

	*offset = l ? address - (uint64_t)l->memory : 0;
	return l && object_covers(&l->object, *offset, 1, OBJECT_EXECUTE);
}

/* ---- checking what a built object says about itself */

/* A string of the object with at most size - 1 characters, copied.  NULL, or what it is instead. */
static const char *copy_string(const struct loaded *l, const char *from, char *to, size_t size)
{
	uint64_t offset = (uint64_t)from - (uint64_t)l->memory;

	for (size_t i = 0; i < size; i++) {
		if (!object_covers(&l->object, offset + i, 1, OBJECT_READ))
			return "is none, or not in it";
		to[i] = from[i];
		if (to[i] == 0)
			return i > 0 ? NULL : "is empty";
		if (to[i] <= ' ' || to[i] > '~' || to[i] == '/')
			return "has a blank, a / or a character that is not ASCII and printable";
	}
	return "is too long";
}

/* Refused because of that part. */
static const char *refuse(struct loaded *l, const char *why, const char *culprit)
{
	string_copy(l->object.culprit, culprit, sizeof(l->object.culprit));
	return why;
}

static bool covers(const struct loaded *l, const void *p, size_t size, unsigned rights)
{
	return (uint64_t)p % 8 == 0 &&
	       object_covers(&l->object, (uint64_t)p - (uint64_t)l->memory, size, rights);
}

/* Every pointer between the first callback and the last. */
static const char *check_callbacks(struct loaded *l)
{
	static const char *const names[] = { "init", "exit", "attach", "detach", "select_cpu", "enqueue",
					     "dequeue", "pick", "steal", "charge", "donate", "setparam",
					     "cpu_online", "dump" };
	const char *first = (const char *)&l->ops + offsetof(struct sched_ops, init);
	const uint64_t *callbacks = (const uint64_t *)first;

	_Static_assert(offsetof(struct sched_ops, tunables) - offsetof(struct sched_ops, init) ==
		       sizeof(names), "each of them has a name");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (callbacks[i] && !object_covers(&l->object, callbacks[i] - (uint64_t)l->memory, 1,
						   OBJECT_EXECUTE))
			return refuse(l, "a callback is no function of its own:", names[i]);
	return NULL;
}

/* NULL, or why the one that is number i of its tunables is refused. */
static const char *copy_tunable(struct loaded *l, unsigned i)
{
	struct sched_tunable *t = &l->tunables[i];
	const char *wrong = copy_string(l, t->name, l->tunable_names[i], SCHED_TUNABLE_NAME_MAX);
	char number[16];

	if (wrong) {
		format(number, sizeof(number), "tunables[%u]", i);
		return refuse(l, "a tunable's name is none, too long, or has a blank, a / or what is not "
			      "ASCII:", number);
	}
	if (t->min > t->max)
		return refuse(l, "a tunable's min is above its max:", l->tunable_names[i]);
	if (!covers(l, t->value, sizeof(*t->value), OBJECT_WRITE))
		return refuse(l, "a tunable's value is no variable of its own:", l->tunable_names[i]);
	if (*t->value < t->min || *t->value > t->max)
		return refuse(l, "a tunable's value is not between its min and its max to begin with:",
			      l->tunable_names[i]);
	return NULL;
}

static const char *copy_tunables(struct loaded *l, const struct sched_tunable *from)
{
	const char *wrong;

	for (unsigned i = 0; i <= SCHED_TUNABLES_MAX; i++) {
		if (!covers(l, &from[i], sizeof(from[i]), OBJECT_READ))
			return "its tunables are not in it, or have no end: the last is { 0 }";
		l->tunables[i] = from[i];
		if (!from[i].name)
			return NULL;
		if (i == SCHED_TUNABLES_MAX)
			break;
		wrong = copy_tunable(l, i);
		if (wrong)
			return wrong;
	}
	return "it has more than SCHED_TUNABLES_MAX tunables, or they have no end: the last is { 0 }";
}

/* NULL, or why it is no scheduler library. */
static const char *copy_ops(struct loaded *l)
{
	uint64_t exported = object_find(&l->object, l->memory, "sched_loadable");
	const struct sched_ops *ops;
	const char *wrong;

	if (!exported || !covers(l, l->memory + exported, sizeof(ops), OBJECT_READ))
		return "there is no SCHED_LIBRARY() in it, or it was compiled without -fPIC";
	ops = *(const struct sched_ops *const *)(l->memory + exported);
	if (!covers(l, ops, sizeof(*ops), OBJECT_READ))
		return "its sched_ops are not in it";
	l->ops = *ops;
	wrong = sched_ops_wrong(&l->ops);
	if (wrong)
		return wrong;
	wrong = copy_string(l, l->ops.name, l->name, sizeof(l->name));
	if (wrong)
		return refuse(l, "its name", wrong);
	wrong = check_callbacks(l);
	if (wrong || !l->ops.tunables)
		return wrong;
	return copy_tunables(l, l->ops.tunables);
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
