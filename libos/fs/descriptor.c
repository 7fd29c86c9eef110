/* SPDX-License-Identifier: MIT */
/* Descriptors: what is opened gets one, what is closed loses it. */
#include "fs/descriptor.h"
#include "debug/inject.h"
#include "fs/calls.h"
#include "fs/descriptor_table.h"
#include "fs/record_lock.h"
#include "proc/process.h"

#define CAPACITY_MAX (1u << 16)

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
	file_table_free(t);
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
	return capacity == t->capacity || file_table_grow(t, capacity);
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

/* The table is the one of the reservation: a process gets another in another call, when it has one task. */
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
