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
#include "fs/descriptor.h"
#include "core/memory.h"
#include "core/string.h"
#include "debug/inject.h"
#include "fs/calls.h"
#include "fs/record_lock.h"
#include "proc/process.h"

#define FIRST_CAPACITY 16
#define CAPACITY_MAX (1u << 16)

/* Of the bits for so many descriptors. */
static unsigned words_of(unsigned capacity)
{
	return (capacity + 63) / 64;
}

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

/* Under the lock. */
static bool table_grow(struct file_table *t, unsigned capacity)
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

/* Under the lock: the first open descriptor from `fd` on; the capacity, or more, if there is none. */
static unsigned next_open(const struct file_table *t, unsigned fd)
{
	while (fd < t->capacity) {
		uint64_t bits = t->open[fd / 64] >> fd % 64;

		if (bits)
			return fd + (unsigned)__builtin_ctzl(bits);
		fd = (fd | 63) + 1;
	}
	return fd;
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

static inline void set_bit(uint64_t *bits, unsigned n, bool value)
{
	if (value)
		bits[n / 64] |= 1ul << n % 64;
	else
		bits[n / 64] &= ~(1ul << n % 64);
}

static bool get_bit(const uint64_t *bits, unsigned n)
{
	return bits[n / 64] >> n % 64 & 1;
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

/* A descriptor's reference goes: POSIX lets go of all of the process's record locks then. */
static void close_file(struct file_table *t, struct file *f)
{
	if (f->inode)
		record_lock_release(f->inode, t);
	file_put(f);
}

void file_table_put(struct file_table *t)
{
	if (atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned fd = next_open(t, 0); fd < t->capacity; fd = next_open(t, fd + 1))
		close_file(t, t->files[fd]);
	free_block(t, t->files);
	heap_free(t);
}

static unsigned descriptor_limit(void)
{
	uint64_t limit = current_process()->limits[RLIMIT_NOFILE][0];

	return limit < CAPACITY_MAX ? (unsigned)limit : CAPACITY_MAX;
}

/* Under the lock.  The lowest free descriptor from `lowest` on, or capacity. */
static unsigned find_free(const struct file_table *t, unsigned lowest)
{
	uint64_t taken_below = (1ul << lowest % 64) - 1;

	for (unsigned word = lowest / 64; word < words_of(t->capacity); word++) {
		uint64_t free = ~(t->open[word] | taken_below);

		taken_below = 0;
		if (free)
			return word * 64 + (unsigned)__builtin_ctzl(free);
	}
	return lowest > t->capacity ? lowest : t->capacity;
}

/* Under the lock: room for descriptor fd. */
static bool make_room(struct file_table *t, unsigned fd)
{
	unsigned capacity = t->capacity;

	while (capacity <= fd)
		capacity *= 2;
	return capacity == t->capacity || table_grow(t, capacity);
}

/* Under the lock; the descriptor was closed, or names another file. */
static inline void put_at(struct file_table *t, unsigned fd, struct file *f, bool close_on_exec)
{
	uint64_t bit = 1ul << fd % 64;

	t->files[fd] = f;
	t->open[fd / 64] |= bit;
	if (close_on_exec)
		t->exec[fd / 64] |= bit;
}

/* Under the lock: may there be descriptor fd?  Then there is room for it. */
static int admit(struct file_table *t, unsigned fd, unsigned limit)
{
	if (fd >= limit || fault_injected(FAULT_DESCRIPTOR))
		return -EMFILE;
	return make_room(t, fd) ? 0 : -ENOMEM;
}

/* Under the lock, which it drops: a descriptor for which the table may have to grow, or that may not be. */
static __attribute__((noinline)) int install_slowly(struct file_table *t, struct file *f, unsigned fd,
						    unsigned limit, bool close_on_exec)
{
	int error = admit(t, fd, limit);

	if (!error)
		put_at(t, fd, f, close_on_exec);
	lock_release(&t->lock);
	if (!error)
		return (int)fd;
	file_put(f);
	return error;
}

int fd_install(struct file *f, int lowest, bool close_on_exec)
{
	struct file_table *t = current_process()->files;
	unsigned limit = descriptor_limit(), fd;

	lock_acquire(&t->lock);
	fd = find_free(t, (unsigned)lowest);
	if (fd >= limit || fd >= t->capacity || EXO_INJECT)
		return install_slowly(t, f, fd, limit, close_on_exec);
	put_at(t, fd, f, close_on_exec);
	lock_release_keeping(&t->lock);
	return (int)fd;
}

int fd_reserve(void)
{
	struct file_table *t = current_process()->files;
	unsigned fd;
	int error;

	lock_acquire(&t->lock);
	fd = find_free(t, 0);
	error = admit(t, fd, descriptor_limit());
	if (!error)
		set_bit(t->open, fd, true);
	lock_release(&t->lock);
	return error ?: (int)fd;
}

/* The table is the one of the reservation: a process gets another when it has one task only, in another call. */
int fd_fill(int fd, struct file *f, bool close_on_exec)
{
	struct file_table *t = current_process()->files;

	lock_acquire(&t->lock);
	put_at(t, (unsigned)fd, f, close_on_exec);
	lock_release(&t->lock);
	return fd;
}

void fd_unreserve(int fd)
{
	struct file_table *t = current_process()->files;

	lock_acquire(&t->lock);
	set_bit(t->open, (unsigned)fd, false);
	lock_release(&t->lock);
}

struct file *file_table_get_file(struct file_table *t, int fd)
{
	struct file *f = NULL;

	lock_acquire(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->capacity)
		f = t->files[fd];
	if (f)
		file_get(f);
	lock_release(&t->lock);
	return f;
}

int file_table_next(struct file_table *t, int from)
{
	unsigned fd;
	bool found;

	lock_acquire(&t->lock);
	fd = next_open(t, (unsigned)from);
	while (fd < t->capacity && !t->files[fd])
		fd = next_open(t, fd + 1);
	found = fd < t->capacity;
	lock_release(&t->lock);
	return found ? (int)fd : -1;
}

unsigned file_table_capacity(struct file_table *t)
{
	unsigned capacity;

	lock_acquire(&t->lock);
	capacity = t->capacity;
	lock_release(&t->lock);
	return capacity;
}

struct file *fd_get(int fd)
{
	return file_table_get_file(current_process()->files, fd);
}

static struct file *only_if(struct file *f, bool allowed)
{
	if (f && !allowed) {
		file_put(f);
		return NULL;
	}
	return f;
}

struct file *fd_get_readable(int fd)
{
	struct file *f = fd_get(fd);

	return only_if(f, f && file_is_readable(f));
}

struct file *fd_get_writable(int fd)
{
	struct file *f = fd_get(fd);

	return only_if(f, f && file_is_writable(f));
}

static inline __attribute__((always_inline)) struct file *take_out(struct file_table *t, unsigned fd)
{
	struct file *f = NULL;

	lock_acquire(&t->lock);
	if (fd < t->capacity && t->files[fd]) {
		f = t->files[fd];
		t->files[fd] = NULL;
		set_bit(t->open, fd, false);
		set_bit(t->exec, fd, false);
	}
	lock_release_keeping(&t->lock);
	return f;
}

long sys_close(int fd)
{
	struct file_table *t = current_process()->files;
	struct file *f = take_out(t, (unsigned)fd);

	if (!f)
		return -EBADF;
	close_file(t, f);
	return 0;
}

void file_table_close_on_exec(struct file_table *t)
{
	for (unsigned fd = next_open(t, 0); fd < t->capacity; fd = next_open(t, fd + 1)) {
		struct file *f = get_bit(t->exec, fd) ? take_out(t, fd) : NULL;

		if (f)
			close_file(t, f);
	}
}

/* dup2 and dup3: descriptor `to` becomes another name of f; consumes the reference. */
int fd_install_at(struct file *f, int to, bool close_on_exec)
{
	struct file_table *t = current_process()->files;
	struct file *old = NULL;
	int result = to;

	lock_acquire(&t->lock);
	if (to < 0 || (unsigned)to >= descriptor_limit()) {
		result = -EBADF;
	} else if (!make_room(t, (unsigned)to)) {
		result = -ENOMEM;
	} else if (!t->files[to] && get_bit(t->open, (unsigned)to)) {
		result = -EBUSY; /* as on Linux: an opening has it */
	} else {
		old = t->files[to];
		set_bit(t->exec, (unsigned)to, false);
		put_at(t, (unsigned)to, f, close_on_exec);
	}
	lock_release(&t->lock);
	if (result < 0)
		file_put(f);
	if (old)
		close_file(t, old);
	return result;
}

int fd_close_on_exec(int fd, int set)
{
	struct file_table *t = current_process()->files;
	int was = -EBADF;

	lock_acquire(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->capacity && t->files[fd]) {
		was = get_bit(t->exec, (unsigned)fd);
		if (set >= 0)
			set_bit(t->exec, (unsigned)fd, set);
	}
	lock_release(&t->lock);
	return was;
}
