/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables.
 *
 *	files[]  one pointer per descriptor, NULL = closed
 *	open[]   one bit per descriptor, so that the lowest free one is found a word at a time
 *	exec[]   one bit: close on exec
 *
 * One whose bit in open[] is set and that has no file is reserved: somebody is opening its file.  Nobody else
 * takes it, and to everybody else it is closed.
 *
 * The three lie in one block of memory, behind the table at first, which is replaced by one of twice
 * the size when it is full.  A descriptor is only an
 * index: whoever uses the file takes a reference under the table's lock, so that a close on
 * another CPU never takes a file away from a call in progress.
 */
#include "fs/descriptor_table.h"
#include "core/memory.h"
#include "core/string.h"

#define FIRST_CAPACITY 16

static size_t block_size(unsigned capacity)
{
	return capacity * sizeof(struct file *) + words_of(capacity) * 2 * sizeof(uint64_t);
}

/* The arrays for a capacity, in one block that starts with files[]. */
static void place_arrays(struct file_table *t, struct file **block, unsigned capacity)
{
	t->files = block;
	t->open = (uint64_t *)(block + capacity);
	t->exec = t->open + words_of(capacity);
	t->capacity = capacity;
}

static void free_block(const struct file_table *t, struct file **block)
{
	if (block != t->first_block)
		heap_free(block);
}

bool file_table_grow(struct file_table *t, unsigned capacity)
{
	struct file_table old = *t;
	struct file **block = heap_alloc(block_size(capacity));

	if (!block)
		return false;
	place_arrays(t, block, capacity);
	memcpy(t->files, old.files, old.capacity * sizeof(*t->files));
	memcpy(t->open, old.open, words_of(old.capacity) * sizeof(*t->open));
	memcpy(t->exec, old.exec, words_of(old.capacity) * sizeof(*t->exec));
	free_block(t, old.files);
	fd_own_forget();
	return true;
}

static struct file_table *table_alloc(unsigned capacity)
{
	struct file_table *t = heap_alloc(sizeof(*t) + block_size(capacity));

	if (!t)
		return NULL;
	atomic_init(&t->references, 1);
	lock_init(&t->lock, "descriptors", RANK_FILES);
	place_arrays(t, t->first_block, capacity);
	return t;
}

struct file_table *file_table_create(void)
{
	return table_alloc(FIRST_CAPACITY);
}

/* Under the lock: what the open ones need. */
static unsigned capacity_needed(const struct file_table *t)
{
	unsigned word = words_of(t->capacity), capacity = FIRST_CAPACITY, end = 0;

	while (word > 0 && !t->open[word - 1])
		word--;
	if (word > 0)
		end = word * 64 - (unsigned)__builtin_clzl(t->open[word - 1]);
	while (capacity < end)
		capacity *= 2;
	return capacity;
}

/* Under the lock of t, whose bits are in the copy already. */
static void copy_files(struct file_table *copy, const struct file_table *t)
{
	for (unsigned fd = next_open(t, 0); fd < t->capacity; fd = next_open(t, fd + 1)) {
		copy->files[fd] = t->files[fd];
		if (t->files[fd])
			file_get(t->files[fd]);
		else
			set_bit(copy->open, fd, false); /* that opening is for t alone */
	}
}

/* The copy is as large as it has to be: as tables are at first, or if that does not do, again. */
struct file_table *file_table_copy(struct file_table *t)
{
	unsigned capacity = FIRST_CAPACITY, needed;
	struct file_table *copy;

	while ((copy = table_alloc(capacity))) {
		lock_acquire(&t->lock);
		needed = capacity_needed(t);
		if (needed <= capacity) {
			memcpy(copy->open, t->open, words_of(capacity) * sizeof(*t->open));
			memcpy(copy->exec, t->exec, words_of(capacity) * sizeof(*t->exec));
			copy_files(copy, t);
		}
		lock_release(&t->lock);
		if (needed <= capacity)
			break;
		file_table_put(copy);
		capacity = needed;
	}
	return copy;
}

void file_table_get(struct file_table *t)
{
	atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
}

void file_table_free(struct file_table *t)
{
	free_block(t, t->files);
	heap_free(t);
}
