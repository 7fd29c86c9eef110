/* SPDX-License-Identifier: MIT */
/* mremap(2): a mapping grows, shrinks or moves; its pages move with it and are not copied. */
#include "vm/space.h"
#include <linux/mman.h>
#include "abi/errno.h"
#include "proc/process.h"
#include "vm/calls.h"

#define MOVE_BATCH 32

static uint8_t prot_of_entry(uint64_t entry)
{
	uint8_t prot = entry & EXO_PTE_USER ? EXO_PROT_READ : 0;

	if (entry & EXO_PTE_WRITE)
		prot |= EXO_PROT_WRITE;
	if (prot && !(entry & EXO_PTE_NX))
		prot |= EXO_PROT_EXEC;
	if (entry & EXO_PTE_SOFT0)
		prot |= EXO_PROT_SOFT0;
	return prot;
}

/*
 * Maps the pages of [from, from + len) at `to` as well.  For a moment each is mapped twice, so no
 * frame is reported free when the old range goes.  Nobody else changes the tables: the mutex.
 * The pages that are there now are added to `again`, and not yet to the resident ones: the process
 * has no more memory than before, and neither its peak nor who is ended for want of memory may
 * follow from having looked meanwhile.
 */
static int map_again(struct vm *v, uint64_t from, uint64_t len, uint64_t to, uint64_t *again)
{
	uint64_t end = from + len, epoch = 0, va = space_next_present(from, end);
	struct exo_op ops[MOVE_BATCH];
	int r = 0;

	while (r == 0 && va < end) {
		unsigned n = 0;

		for (; n < MOVE_BATCH && va < end; va = space_next_present(va + PAGE, end)) {
			uint64_t entry = space_entry(va);

			ops[n++] = (struct exo_op){
				.code = EXO_OP_MAP, .count = 1, .va = to + (va - from),
				.prot = prot_of_entry(entry),
				.frame = EXO_PTE_FRAME(entry),
			};
			if (entry == EXO_PTE_LOST) /* and stays so */
				ops[n - 1] = (struct exo_op){
					.code = EXO_OP_CLONE, .count = 1, .va = to + (va - from),
					.source = v->space, .source_va = va,
				};
		}
		r = space_update(v, ops, n, &epoch);
		for (unsigned i = 0; i < n; i++)
			*again += space_entry(ops[i].va) & EXO_PTE_PRESENT;
	}
	return r;
}

/* The part [old, old + len) of m goes to `to`, where nothing is, and ends up new_len long. */
static long move(struct vm *v, struct mapping *m, uint64_t old, uint64_t len, uint64_t to,
		 uint64_t new_len, uint64_t *epoch)
{
	struct mapping *moved = mapping_copy(m);
	uint64_t again = 0;

	if (!moved)
		return -ENOMEM;
	if (moved->kind != MAPPING_READ_ONLY)
		moved->kind = MAPPING_PLAIN;
	moved->page += (old - m->region.start) / PAGE;
	moved->region.start = to;
	moved->region.end = to + new_len;
	int r = map_again(v, old, len, to, &again);

	if (r == 0) /* splits may fail: before anything is lost */
		r = mapping_remove_range(v, old, old + len, epoch);
	v->resident += again;
	if (r < 0) {
		space_unmap(v, to, to + len, epoch);
		mapping_free(moved);
		return r;
	}
	mapping_insert(v, moved);
	mapping_merge(v, moved);
	return (long)to;
}

/* Grows in place if the mapping ends at old_end and there is room behind it. */
static bool grow_in_place(struct vm *v, struct mapping *m, uint64_t old_end, uint64_t new_end)
{
	struct mapping *next = mapping_next(v, m);

	if (m->region.end != old_end || new_end > EXO_USER_TOP || new_end < old_end)
		return false;
	if (next && next->region.start < new_end)
		return false;
	if (new_end - m->region.start > VM_LENGTH_MAX)
		return false;
	mapping_resize(v, m, m->region.start, new_end);
	mapping_merge(v, m);
	return true;
}

static long remap_fixed(struct vm *v, struct mapping *m, uint64_t old, uint64_t old_len,
			uint64_t new_len, uint64_t to, uint64_t *epoch)
{
	uint64_t len = old_len < new_len ? old_len : new_len;

	if (!vm_range_ok(to, new_len) || (to < old + old_len && old < to + new_len))
		return -EINVAL;
	int r = mapping_remove_range(v, to, to + new_len, epoch);

	if (r == 0 && old_len > len)
		r = mapping_remove_range(v, old + len, old + old_len, epoch);
	if (r < 0)
		return r;
	m = mapping_find(v, old);
	return move(v, m, old, len, to, new_len, epoch);
}

static long remap_locked(struct vm *v, uint64_t old, uint64_t old_len, uint64_t new_len, int flags,
			 uint64_t to, uint64_t *epoch)
{
	struct mapping *m = mapping_find(v, old);

	if (!m)
		return -EFAULT;
	if (!vm_range_ok(old, old_len))
		return -EINVAL;
	/* In place, what stays may be several mappings, as may what is cut off. */
	if (new_len <= old_len && !(flags & MREMAP_FIXED)) {
		int r = new_len < old_len ?
			mapping_remove_range(v, old + new_len, old + old_len, epoch) : 0;

		return r < 0 ? r : (long)old;
	}
	if (m->region.end - old < (old_len < new_len ? old_len : new_len))
		return -EFAULT;
	if (new_len > old_len && !vm_may_grow(v, new_len - old_len))
		return -ENOMEM;
	if (flags & MREMAP_FIXED)
		return remap_fixed(v, m, old, old_len, new_len, to, epoch);
	if (grow_in_place(v, m, old + old_len, old + new_len))
		return (long)old;
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	to = region_gap_below(&v->regions, VM_LOW, v->mmap_top, new_len);
	return to ? move(v, m, old, old_len, to, new_len, epoch) : -ENOMEM;
}

long vm_mremap(struct vm *v, uint64_t old, uint64_t old_len, uint64_t new_len, int flags,
	       uint64_t new_addr)
{
	uint64_t epoch = 0;

	if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) || old % PAGE || old_len == 0 ||
	    new_len == 0 || ((flags & MREMAP_FIXED) && (!(flags & MREMAP_MAYMOVE) || new_addr % PAGE)))
		return -EINVAL;
	if (old_len > VM_LENGTH_MAX || new_len > VM_LENGTH_MAX)
		return -ENOMEM;
	mutex_lock(&v->mutex);
	long r = remap_locked(v, old, PAGE_UP(old_len), PAGE_UP(new_len), flags, new_addr, &epoch);

	vm_unlock(v, epoch);
	return r;
}

long sys_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t new_addr)
{
	return vm_mremap(current_process()->vm, old, old_len, new_len, flags, new_addr);
}
