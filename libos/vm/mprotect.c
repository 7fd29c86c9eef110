/* SPDX-License-Identifier: MIT */
/* Changes to what is already mapped: mprotect(2), madvise(2), msync(2), mincore(2), mlock(2). */
#include "vm/space.h"
#include <asm/mman.h>
#include "abi/errno.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "fs/linux.h"
#include "proc/process.h"
#include "vm/calls.h"

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

/* 0, or an error if [addr, addr + len) is no range of pages; *end is its end. */
static int decode_range(uint64_t addr, uint64_t len, uint64_t *end)
{
	if (addr % PAGE || PAGE_UP(len) < len || addr + PAGE_UP(len) < addr)
		return -EINVAL;
	*end = addr + PAGE_UP(len);
	return *end > EXO_USER_TOP ? -ENOMEM : 0;
}

/* A shared file opened for reading only may not become writable, nor a segment that was attached so. */
static bool may_have(const struct mapping *m, int prot)
{
	if ((prot & PROT_WRITE) && m->kind == MAPPING_READ_ONLY)
		return false;
	if (!(prot & PROT_WRITE) || !m->shared || !m->file)
		return true;
	return (atomic_load_explicit(&m->file->flags, memory_order_relaxed) & O_ACCMODE) == O_RDWR;
}

/* The part of m from `start` on, as far as `end`: a mapping of its own.  NULL: out of memory. */
static struct mapping *cut_out(struct vm *v, struct mapping *m, uint64_t start, uint64_t end)
{
	if (end < m->region.end && mapping_split(v, end) < 0)
		return NULL;
	if (start > m->region.start) {
		if (mapping_split(v, start) < 0)
			return NULL;
		m = mapping_find(v, start);
	}
	return m;
}

/* The pages that are there get the rights as well, those that come later by the region. */
static int protect_one(struct vm *v, struct mapping *m, int prot, uint64_t *epoch)
{
	uint64_t first = m->region.start;

	if (!space_entry_again(v, first))
		first = space_next_present(first, m->region.end);
	m->prot = (uint8_t)prot;
	if (first == m->region.end)
		return 0;
	return space_protect(v, first, m->region.end, mapping_present_prot(m), EXO_OP_KEEP_COW, epoch);
}

/* All of m, which may become part of another mapping: *m is that. */
static int protect_mapping(struct vm *v, struct mapping **m, int prot, uint64_t *epoch)
{
	uint8_t before = (*m)->prot;
	int r = protect_one(v, *m, prot, epoch);

	if (r < 0)
		(*m)->prot = before; /* some pages may have changed: who tries again finds work to do */
	else
		*m = mapping_merge(v, *m);
	return r;
}

/* As on Linux, what lies before a hole, or before what may not have these rights, has got them. */
static int protect_range(struct vm *v, uint64_t start, uint64_t end, int prot, uint64_t *epoch)
{
	int r = 0;

	while (r == 0 && start < end) {
		struct mapping *m = mapping_find(v, start);

		if (!m)
			return -ENOMEM;
		if (!may_have(m, prot))
			return -EACCES;
		if (m->prot != prot) {
			m = cut_out(v, m, start, end);
			if (!m)
				return -ENOMEM;
			r = protect_mapping(v, &m, prot, epoch);
		}
		start = m->region.end;
	}
	return r;
}

/* v is locked, and unlocked here. */
static __attribute__((noinline)) long protect_any(struct vm *v, uint64_t addr, uint64_t len, int prot)
{
	uint64_t end, epoch = 0;
	int r = decode_range(addr, len, &end);

	if (r == 0 && (prot & ~(PROT_ALL | PROT_SEM)))
		r = -EINVAL;
	if (r == 0)
		r = protect_range(v, addr, end, prot & PROT_ALL, &epoch);
	vm_unlock(v, epoch);
	return r;
}

static __attribute__((noinline)) long protect_later(struct vm *v, uint64_t addr, uint64_t len, int prot)
{
	mutex_lock(&v->mutex);
	return protect_any(v, addr, len, prot);
}

/* What the kernel has said of all of m.  v is unlocked here. */
static __attribute__((noinline)) long protect_end(struct vm *v, struct mapping *m, int prot, int64_t said)
{
	unsigned rights = mapping_prot_of_present(m, prot);
	uint64_t epoch = 0;
	int r = space_protect_again(v, m->region.start, m->region.end, rights, EXO_OP_KEEP_COW, said, &epoch);

	if (r == 0)
		m->prot = (uint8_t)prot;
	vm_unlock(v, epoch);
	return r;
}

/*
 * Other threads of the program lose a right by the time this returns, not some time later: collectors of
 * garbage rely on it.  Hence the wait, in vm_unlock().
 *
 * What has had rights of its own before is a mapping of its own, which was found last and touches no other,
 * and its first page is there.  So nothing needs to be checked, cut out, looked for or joined: the kernel
 * does it all.
 */
long vm_mprotect(struct vm *v, uint64_t addr, uint64_t len, int prot)
{
	struct mapping *m;
	int64_t said;

	if (!mutex_lock_if_free(&v->mutex))
		return protect_later(v, addr, len, prot);
	m = v->recent;
	if (!m || m->region.start != addr || m->region.end != addr + len || (prot & ~PROT_ALL) ||
	    m->prot == prot || !may_have(m, prot) || !mapping_is_alone(v, m) ||
	    !space_is_known_present(v, addr))
		return protect_any(v, addr, len, prot);
	said = exo_protect(v->space, addr, len / PAGE, mapping_prot_of_present(m, prot), EXO_OP_KEEP_COW);
	if (said == 0) {
		m->prot = (uint8_t)prot;
		if (mutex_unlock_if_unwanted(&v->mutex))
			return 0;
	}
	return protect_end(v, m, prot, said);
}

static bool covers(struct vm *v, uint64_t start, uint64_t end)
{
	mutex_lock(&v->mutex);
	bool covered = mapping_covers(v, start, end);

	mutex_unlock(&v->mutex);
	return covered;
}

/* Is there nothing in the range but private memory without a file, which alone MADV_FREE is for?  Under the
 * mutex. */
static bool may_be_freed(struct vm *v, uint64_t start, uint64_t end)
{
	struct mapping *m = mapping_at_or_after(v, start);

	for (; m && m->region.start < end; m = mapping_at_or_after(v, m->region.end))
		if (m->file || m->shared)
			return false;
	return true;
}

/* Private pages are gone and read as zero or as the file again; shared ones come back as they were. */
static int discard(struct vm *v, uint64_t start, uint64_t end, int advice)
{
	uint64_t epoch = 0;
	int r = -EINVAL;

	mutex_lock(&v->mutex);
	if (advice != MADV_FREE || may_be_freed(v, start, end))
		r = space_unmap(v, start, end, &epoch);
	if (r == 0 && !mapping_covers(v, start, end))
		r = -ENOMEM;
	vm_unlock(v, epoch);
	return r;
}

/* As madvise(2) says it for MADV_POPULATE_. */
static long populate(struct vm *v, uint64_t start, uint64_t end, bool write)
{
	int r = vm_populate(v, start, end, write);

	switch (r) {
	case -EACCES:
		return -EINVAL; /* the mapping does not allow it */
	case -EFAULT:
		return -ENOMEM; /* there is none */
	case -EIO:
		return -EFAULT; /* beyond the end of its file */
	default:
		return r;
	}
}

/* MADV_FREE allows the pages to vanish at any time; they do so at once. */
static long advise(struct vm *v, uint64_t addr, uint64_t end, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return discard(v, addr, end, advice);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return populate(v, addr, end, advice == MADV_POPULATE_WRITE);
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return covers(v, addr, end) ? 0 : -ENOMEM;
	default:
		return -EINVAL;
	}
}

/* No pages are nothing to do, but the advice has to be one that is known. */
long vm_madvise(struct vm *v, uint64_t addr, uint64_t len, int advice)
{
	uint64_t end;
	int r = decode_range(addr, len, &end);

	return r < 0 ? r : advise(v, addr, end, advice);
}

__attribute__((flatten)) long sys_mprotect(uint64_t addr, uint64_t len, int prot)
{
	return vm_mprotect(current_process()->vm, addr, len, prot);
}

long sys_madvise(uint64_t addr, uint64_t len, int advice)
{
	return vm_madvise(current_process()->vm, addr, len, advice);
}

/* Shared pages are the file's own, so there is nothing to write back before the file's sync. */
long sys_msync(uint64_t addr, uint64_t len, int flags)
{
	struct vm *v = current_process()->vm;
	uint64_t end;
	int r = decode_range(addr, len, &end);

	if (r < 0)
		return r;
	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	return covers(v, addr, end) ? 0 : -ENOMEM;
}

long sys_mincore(uint64_t addr, uint64_t len, uint64_t out)
{
	struct vm *v = current_process()->vm;
	uint8_t present[128];
	uint64_t end;
	int r = decode_range(addr, len, &end);

	if (r < 0)
		return r;
	while (addr < end) {
		unsigned n = 0;

		mutex_lock(&v->mutex);
		for (; n < sizeof(present) && addr < end; n++, addr += PAGE) {
			if (!mapping_find(v, addr))
				break;
			present[n] = (space_entry(addr) & EXO_PTE_PRESENT) != 0;
		}
		mutex_unlock(&v->mutex);
		if (n == 0)
			return -ENOMEM;
		r = copy_to_user(out, present, n);
		if (r < 0)
			return r;
		out += n;
	}
	return 0;
}

/* Nothing is ever paged out: memory that is present stays. */
long sys_mlock(uint64_t addr, uint64_t len)
{
	struct vm *v = current_process()->vm;
	uint64_t end;
	int r = decode_range(PAGE_DOWN(addr), len + addr % PAGE, &end);

	if (r < 0)
		return r;
	if (!covers(v, PAGE_DOWN(addr), end))
		return -ENOMEM;
	vm_populate(v, PAGE_DOWN(addr), end, false);
	return 0;
}

long sys_mlock2(uint64_t addr, uint64_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	if (flags)
		return sys_munlock(addr, len); /* looks at the range, no more */
	return sys_mlock(addr, len);
}

long sys_munlock(uint64_t addr, uint64_t len)
{
	uint64_t end;
	int r = decode_range(PAGE_DOWN(addr), len + addr % PAGE, &end);

	if (r < 0)
		return r;
	return covers(current_process()->vm, PAGE_DOWN(addr), end) ? 0 : -ENOMEM;
}

long sys_mlockall(int flags)
{
	if (!(flags & (MCL_CURRENT | MCL_FUTURE)) || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
		return -EINVAL;
	return 0;
}

long sys_munlockall(void)
{
	return 0;
}
