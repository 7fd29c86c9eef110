/* SPDX-License-Identifier: MIT */
/*
 * Page faults.
 *
 * Everything happens under the address space's mutex, so a fault sees regions and page tables that
 * fit each other.  Two threads may fault on one page: the second finds the work done and returns
 * (a spurious fault costs nothing but the look).
 *
 *	what is there            read             write
 *	nothing, anonymous       zero, map        zero, map
 *	nothing, private file    map file's page  copy, map the copy
 *	nothing, shared          map its page     tell the file, map its page
 *	read-only, SOFT0         -                sole user: make writable; else copy, replace
 *	read-only, shared        -                tell the file, replace
 *	lost                     SIGBUS           SIGBUS; nobody can say what was in it
 */
#include "vm/space.h"
#include <asm/mman.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "fs/file.h"
#include "proc/process.h"

/* Bits of the processor's page-fault error code (SDM vol. 3A, 4.7). */
#define FAULT_WRITE 0x2ul
#define FAULT_FETCH 0x10ul

#define LOST_ATTEMPTS 1000u

static bool allowed(const struct mapping *m, uint64_t error)
{
	if (error & FAULT_FETCH)
		return m->prot & PROT_EXEC;
	if (error & FAULT_WRITE)
		return m->prot & PROT_WRITE;
	return m->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* Does the entry already let the access through? */
static bool entry_allows(uint64_t entry, uint64_t error)
{
	if (!(entry & EXO_PTE_PRESENT) || !(entry & EXO_PTE_USER))
		return false;
	if ((error & FAULT_WRITE) && !(entry & EXO_PTE_WRITE))
		return false;
	return !((error & FAULT_FETCH) && (entry & EXO_PTE_NX));
}

static struct exo_op map_op(uint64_t va, uint64_t frame, uint8_t prot)
{
	return (struct exo_op){ .code = EXO_OP_MAP, .prot = prot, .count = 1, .va = va,
				.frame = frame };
}

static uint64_t page_of(const struct mapping *m, uint64_t va)
{
	return m->page + (va - m->region.start) / PAGE;
}

long backing_frame(const struct mapping *m, uint64_t va, bool write)
{
	long frame;

	if (m->memory)
		frame = shared_memory_frame(m->memory, page_of(m, va));
	else
		frame = m->file->ops->map_frame(m->file, page_of(m, va), m->shared,
						m->shared && write);
	return frame == 0 ? -EIO : frame;
}

/* Maps a copy of frame `source` at va, in one kernel entry. */
static int map_copy(struct vm *v, const struct mapping *m, uint64_t va, uint64_t source,
		    uint64_t *epoch)
{
	uint64_t frame = frame_take_or_spare();

	if (!frame)
		return -ENOMEM;
	struct exo_op op = map_op(va, frame, mapping_own_prot(m));

	op.flags = EXO_OP_FILL;
	op.source = source;
	int r = space_update(v, &op, 1, epoch);

	if (r < 0)
		frame_free(frame);
	else
		space_add_resident(v, 1);
	return r;
}

void page_around(const struct mapping *m, uint64_t va, uint64_t *low, uint64_t *high)
{
	uint64_t run = AROUND_PAGES * PAGE;

	*low = va & ~(run - 1);
	*high = *low + run;
	if (*low < m->region.start)
		*low = m->region.start;
	if (*high > m->region.end)
		*high = m->region.end;
}

int around_ops(const struct mapping *m, uint64_t page, uint64_t low, uint64_t high, struct exo_op *ops)
{
	struct exo_op *last = NULL;
	int n = 0;

	for (uint64_t va = low; va < high; va += PAGE) {
		long frame = space_entry(va) ? 0 : backing_frame(m, va, false);

		if (frame < 0 && va == page)
			return (int)frame;
		if (frame <= 0)
			continue;
		if (last && last->va + last->count * PAGE == va &&
		    last->frame + last->count == (uint64_t)frame) {
			last->count++;
			continue;
		}
		last = &ops[n++];
		*last = map_op(va, (uint64_t)frame, mapping_entry_prot(m));
	}
	return n;
}

uint64_t pages_mapped(const struct exo_op *ops, unsigned n, int r)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < n; i++) {
		pages += r == 0 ? ops[i].count : 0;
		for (unsigned k = 0; r != 0 && k < ops[i].count; k++)
			pages += space_entry(ops[i].va + k * PAGE) & EXO_PTE_PRESENT;
	}
	return pages;
}

/* Pages beside a page of a file that was only read, as far as the file has them ready. */
static int map_around(struct vm *v, const struct mapping *m, uint64_t page)
{
	struct exo_op ops[AROUND_PAGES];
	uint64_t low, high, epoch = 0;

	page_around(m, page, &low, &high);
	int n = around_ops(m, page, low, high, ops);

	if (n <= 0)
		return n;
	int r = space_update(v, ops, (unsigned)n, &epoch);

	space_add_resident(v, pages_mapped(ops, (unsigned)n, r));
	return r;
}

static int map_absent(struct vm *v, const struct mapping *m, uint64_t va, bool write)
{
	uint64_t epoch = 0;

	if (!m->file && !m->memory)
		return anonymous_fill(v, m, va);
	if (m->file && !write)
		return map_around(v, m, va);
	long frame = backing_frame(m, va, write);

	if (frame < 0)
		return (int)frame;
	if (!m->shared)
		return map_copy(v, m, va, (uint64_t)frame, &epoch);
	struct exo_op op = map_op(va, (uint64_t)frame, mapping_entry_prot(m));

	if (m->file)
		op.prot |= EXO_PROT_WRITE; /* only writes of files come here */
	int r = space_update(v, &op, 1, &epoch);

	if (r == 0)
		space_add_resident(v, 1);
	return r;
}

/* A page of a shared file: the file hears of the write, and may give it another frame (a hole). */
static int write_shared(struct vm *v, const struct mapping *m, uint64_t va, uint64_t *epoch)
{
	long frame = backing_frame(m, va, true);

	if (frame < 0)
		return (int)frame;
	struct exo_op op = map_op(va, (uint64_t)frame, mapping_entry_prot(m) | EXO_PROT_WRITE);

	op.flags = EXO_OP_REPLACE;
	return space_update(v, &op, 1, epoch);
}

/*
 * The stack grows towards a fault below it.  A gap stays free between it and what lies below, so
 * that a stack that runs over hits nothing; a frame larger than the gap is the compiler's affair
 * (-fstack-clash-protection).
 */
static __attribute__((noinline)) struct mapping *grow_stack(struct vm *v, uint64_t va)
{
	struct mapping *m = mapping_at_or_after(v, va);

	if (!m || m->kind != MAPPING_STACK ||
	    m->region.end - va > process_limit(current_process(), LIMIT_STACK) ||
	    m->region.end - va > VM_LENGTH_MAX)
		return NULL;
	struct region *below = region_before(&v->regions, m->region.start);

	if (below && below->end + STACK_GUARD > va)
		return NULL;
	if (!vm_may_grow(v, m->region.start - va))
		return NULL;
	mapping_resize(v, m, va, m->region.end);
	return m;
}

/* The access is allowed: the page is to be there. */
static __attribute__((noinline)) int fault_serve(struct vm *v, const struct mapping *m, uint64_t va,
						 uint64_t error, uint64_t *epoch)
{
	bool write = error & FAULT_WRITE;
	uint64_t entry = space_entry(va);

	if (entry == EXO_PTE_LOST)
		return -EIO;
	if (entry_allows(entry, error))
		return 0; /* somebody was faster */
	if (!entry)
		return map_absent(v, m, va, write);
	if (write && !m->shared)
		return copy_on_write(v, m, va, entry, epoch);
	if (write)
		return write_shared(v, m, va, epoch);
	/* Rights were added to the region and the entry has not been told. */
	return space_protect(v, va, va + PAGE, mapping_present_prot(m), EXO_OP_KEEP_COW, epoch);
}

/* `m`: the mapping there, or NULL. */
static inline __attribute__((always_inline)) int fault_locked(struct vm *v, struct mapping *m, uint64_t va,
							      uint64_t error, uint64_t *epoch)
{
	if (!m)
		m = grow_stack(v, va);
	if (!m)
		return -EFAULT;
	return allowed(m, error) ? fault_serve(v, m, va, error, epoch) : -EACCES;
}

/* Under memory pressure, or with frames that were taken back: is it worth another attempt? */
static bool try_again(uint64_t address, int r, unsigned attempt)
{
	if (r == -EPERM && attempt < LOST_ATTEMPTS) {
		task_yield();
		return true;
	}
	return r == -ENOMEM && out_of_memory(address, attempt);
}

/*
 * After a copy on write other threads of the program may still read the old page through their
 * CPUs' TLBs, while this one writes to the new page.  So the fault ends only when the epoch has
 * passed; it is 0 when no other CPU runs this space.
 *
 * EPERM: a frame was taken from the domain while it was in our hands, or is being taken.  If it was a free
 * one, the next will do; if it is the one behind the page, the entry says so before long.
 */
static inline __attribute__((always_inline)) int fault_attempt(struct vm *v, uint64_t address, uint64_t error)
{
	uint64_t epoch = 0;
	int r;

	mutex_lock_in_place(&v->mutex);
	v->faults++;
	r = fault_locked(v, mapping_find(v, address), PAGE_DOWN(address), error, &epoch);
	vm_unlock(v, epoch);
	return r;
}

/* The first attempt has ended with r. */
static __attribute__((noinline)) int fault_again(struct vm *v, uint64_t address, uint64_t error, int r)
{
	for (unsigned attempt = 0; (r == -EPERM || r == -ENOMEM) && try_again(address, r, attempt); attempt++)
		r = fault_attempt(v, address, error);
	return r == -EPERM ? -EIO : r;
}

int vm_fault(struct vm *v, uint64_t address, uint64_t error)
{
	int r;

	if (address < VM_LOW || address >= EXO_USER_TOP)
		return -EFAULT;
	r = fault_attempt(v, address, error);
	return r == -EPERM || r == -ENOMEM ? fault_again(v, address, error, r) : r;
}

int vm_fault_begin(struct vm *v, uint64_t address, uint64_t error, struct mapping **m)
{
	if (address < VM_LOW || address >= EXO_USER_TOP)
		return -EFAULT;
	if (!mutex_try_masked_in_place(&v->mutex))
		return -EAGAIN;
	v->faults++;
	*m = mapping_find(v, address);
	if (!*m || allowed(*m, error))
		return 0;
	mutex_unlock_masked_in_place(&v->mutex);
	return -EACCES;
}

int vm_fault_go_on(struct vm *v, struct mapping *m, uint64_t address, uint64_t error)
{
	uint64_t epoch = 0;
	int r = fault_locked(v, m, PAGE_DOWN(address), error, &epoch);

	vm_unlock(v, epoch);
	return r == -EPERM || r == -ENOMEM ? fault_again(v, address, error, r) : r;
}

int vm_populate(struct vm *v, uint64_t start, uint64_t end, bool write)
{
	int r = 0;

	for (; start < end && r == 0; start += PAGE)
		r = vm_fault(v, start, write ? FAULT_WRITE : 0);
	return r;
}

int user_touch(uint64_t addr, size_t n, int write)
{
	uint64_t end = addr + n;

	if (end < addr || end > EXO_USER_TOP)
		return -EFAULT;
	for (uint64_t page = PAGE_DOWN(addr); page < end; page += PAGE) {
		int r = vm_fault(current_process()->vm, page, write ? FAULT_WRITE : 0);

		if (r < 0)
			return -EFAULT;
	}
	return 0;
}
