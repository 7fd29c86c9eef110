/* SPDX-License-Identifier: MIT */
/*
 * mmap and munmap: mmap(2), POSIX.1-2017 mmap().
 *
 * Memory is promised freely: a mapping costs nothing until it is touched, and a touch that finds
 * no frame ends the program (vm_fault).  RLIMIT_AS bounds what a process may promise itself.
 */
#include "vm/space.h"
#include <linux/mman.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "proc/process.h"
#include "vm/calls.h"

/* What MAP_SHARED_VALIDATE lets through: no file here can do what newer flags ask for. */
#define FLAGS_KNOWN                                                                                \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE |   \
	 MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB |      \
	 MAP_32BIT)
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define LOW_TOP (1ul << 31) /* MAP_32BIT */

/* What the file's own access mode permits. */
static int check_file(struct file *f, int prot, bool shared)
{
	unsigned mode = atomic_load_explicit(&f->flags, memory_order_relaxed) & O_ACCMODE;

	/* The fourth mode, O_WRONLY | O_RDWR, permits neither to read nor to write. */
	if (mode != O_RDONLY && mode != O_RDWR)
		return -EACCES;
	if (shared && (prot & PROT_WRITE) && mode != O_RDWR)
		return -EACCES;
	return f->ops->map_frame || f->ops->maps_zeros ? 0 : -ENODEV;
}

/* A new mapping, to be placed; NULL when out of memory. */
static struct mapping *make(struct vm *v, uint64_t len, int prot, bool shared, struct file *f,
			    uint64_t offset)
{
	struct mapping *m = space_take_node(v);

	if (!m)
		return NULL;
	*m = (struct mapping){ .prot = (uint8_t)(prot & PROT_ALL), .shared = shared,
			       .page = f ? offset / PAGE : 0 };
	if (shared && !f) {
		m->memory = shared_memory_create(len / PAGE);
		if (!m->memory) {
			heap_free(m);
			return NULL;
		}
	}
	if (f) {
		file_map_get(f);
		m->file = f;
	}
	return m;
}

static bool is_free(struct vm *v, uint64_t start, uint64_t len)
{
	struct mapping *m = mapping_at_or_after(v, start);

	return !m || m->region.start >= start + len;
}

/* Where the mapping goes: address, -ENOMEM, -EEXIST or -EINVAL.  In place, as place() is: exec maps much. */
__attribute__((always_inline)) static inline long choose_address(struct vm *v, uint64_t wish,
								 uint64_t len, int flags)
{
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (wish % PAGE)
			return -EINVAL;
		if (!vm_range_ok(wish, len))
			return wish < VM_LOW ? -EPERM : -ENOMEM;
		if ((flags & MAP_FIXED_NOREPLACE) && !is_free(v, wish, len))
			return -EEXIST;
		return (long)wish;
	}
	wish = PAGE_DOWN(wish);
	if (wish && vm_range_ok(wish, len) && is_free(v, wish, len))
		return (long)wish;
	/* What has page tables of its own is cheap to fork and to unmap: in whole tables. */
	uint64_t slack = len >= TABLE_SPAN ? TABLE_SPAN - PAGE : 0;
	uint64_t top = flags & MAP_32BIT ? LOW_TOP : v->mmap_top;
	uint64_t place = region_gap_below(&v->regions, VM_LOW, top, len + slack);

	if (place && slack)
		return (long)((place + slack) & ~(TABLE_SPAN - 1));
	if (!place)
		place = region_gap_below(&v->regions, VM_LOW, top, len);
	return place ? (long)place : -ENOMEM;
}

/* Bytes of [start, end) that are mapped. */
static uint64_t mapped_bytes(struct vm *v, uint64_t start, uint64_t end)
{
	struct mapping *m = mapping_at_or_after(v, start);
	uint64_t bytes = 0;

	for (; m && m->region.start < end; m = mapping_next(v, m)) {
		uint64_t from = m->region.start > start ? m->region.start : start;

		bytes += (m->region.end < end ? m->region.end : end) - from;
	}
	return bytes;
}

__attribute__((always_inline)) static inline long
place(struct vm *v, struct mapping *m, uint64_t wish, uint64_t len, int flags, uint64_t *epoch)
{
	long at = choose_address(v, wish, len, flags);

	if (at < 0)
		return at;
	bool replaces = !is_free(v, (uint64_t)at, len);
	uint64_t gone = replaces ? mapped_bytes(v, (uint64_t)at, (uint64_t)at + len) : 0;

	if (!vm_may_grow(v, len - gone) || v->regions.count >= VM_MAPPINGS_MAX)
		return -ENOMEM;
	if (replaces) {
		int r = mapping_remove_range(v, (uint64_t)at, (uint64_t)at + len, epoch);

		if (r < 0)
			return r;
	}
	m->region.start = (uint64_t)at;
	m->region.end = (uint64_t)at + len;
	mapping_insert(v, m);
	mapping_merge(v, m);
	return at;
}

long vm_mmap(struct vm *v, uint64_t addr, uint64_t len, int prot, int flags, struct file *f,
	     uint64_t offset)
{
	int type = flags & MAP_TYPE;
	bool shared = type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
	uint64_t epoch = 0;

	/* Rights that are not known are not given, and no error. */
	if (len == 0 || offset % PAGE || (!shared && type != MAP_PRIVATE) ||
	    (!f && shared && (type == MAP_SHARED_VALIDATE || (flags & MAP_GROWSDOWN))))
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (flags & ~FLAGS_KNOWN))
		return -EOPNOTSUPP;
	if (len > VM_LENGTH_MAX)
		return -ENOMEM;
	len = PAGE_UP(len);
	if (f && offset > INT64_MAX - len)
		return -EOVERFLOW;
	int r = f ? check_file(f, prot, shared) : 0;

	if (r < 0)
		return r;
	if (f && f->ops->maps_zeros)
		f = NULL;
	struct mapping *m = make(v, len, prot, shared, f, offset);

	if (!m)
		return -ENOMEM;
	mutex_lock(&v->mutex);
	long at = place(v, m, addr, len, flags, &epoch);

	vm_unlock(v, epoch);
	if (at < 0) {
		mapping_free(m);
		return at;
	}
	if (f)
		file_touch_mapped(f);
	if (flags & (MAP_POPULATE | MAP_LOCKED))
		vm_populate(v, (uint64_t)at, (uint64_t)at + len,
			    (!f || !shared) && (prot & PROT_WRITE));
	return at;
}

long vm_map_memory(struct vm *v, struct shared_memory *s, uint64_t address, uint64_t len, int prot,
		   int flags)
{
	struct mapping *m = space_take_node(v);
	uint64_t epoch = 0;
	long at;

	if (!m) {
		shared_memory_put(s);
		return -ENOMEM;
	}
	*m = (struct mapping){ .prot = (uint8_t)prot,
			       .shared = true,
			       .memory = s,
			       .kind = prot & PROT_WRITE ? MAPPING_PLAIN : MAPPING_READ_ONLY };
	mutex_lock(&v->mutex);
	at = place(v, m, address, len, flags, &epoch);
	vm_unlock(v, epoch);
	if (at < 0)
		mapping_free(m);
	return at;
}

long vm_munmap(struct vm *v, uint64_t addr, uint64_t len)
{
	uint64_t epoch = 0;

	if (addr % PAGE || len == 0 || addr >= EXO_USER_TOP || len > EXO_USER_TOP - addr)
		return -EINVAL;
	mutex_lock(&v->mutex);
	int r = mapping_remove_range(v, addr, addr + PAGE_UP(len), &epoch);

	vm_unlock(v, epoch);
	return r;
}

int vm_map_stack(struct vm *v, uint64_t limit, bool executable)
{
	uint64_t least = 128ul << 20, most = EXO_USER_TOP / 6 * 5, first = 32 * PAGE;
	struct mapping *m = space_take_node(v);

	if (!m)
		return -ENOMEM;
	/* Room for a limit that is raised later; Linux reserves the same. */
	uint64_t room = limit < least ? least : limit > most ? most : PAGE_UP(limit);

	v->mmap_top = VM_STACK_TOP - room - STACK_GUARD - VM_MAPPINGS_OFFSET;
	*m = (struct mapping){ .prot = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0),
			       .kind = MAPPING_STACK,
			       .region = { .start = VM_STACK_TOP - first, .end = VM_STACK_TOP } };
	mapping_insert(v, m);
	return 0;
}

long sys_mmap(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
	struct file *f = NULL;

	if (!(flags & MAP_ANONYMOUS)) {
		f = fd_get(fd);
		if (!f)
			return -EBADF;
	}
	long r = f && (f->flags & O_PATH)
			 ? -EBADF
			 : vm_mmap(current_process()->vm, addr, len, prot, flags, f, offset);

	if (f)
		file_put(f);
	return r;
}

long sys_munmap(uint64_t addr, uint64_t len)
{
	return vm_munmap(current_process()->vm, addr, len);
}
