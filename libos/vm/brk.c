/* SPDX-License-Identifier: MIT */
/* brk(2): the heap, one mapping that starts where the program's image ends. */
#include "vm/space.h"
#include <asm/mman.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "proc/process.h"
#include "vm/calls.h"

int vm_set_brk(struct vm *v, uint64_t start)
{
	v->brk_start = v->brk = PAGE_UP(start);
	return v->brk <= v->mmap_top ? 0 : -ENOMEM;
}

/* From `from` up to `to`, both page aligned. */
static bool grow(struct vm *v, uint64_t from, uint64_t to)
{
	struct mapping *next = mapping_at_or_after(v, from);
	uint64_t data_limit = process_limit(current_process(), LIMIT_DATA);

	if (to > v->mmap_top || to - from > VM_LENGTH_MAX || (next && next->region.start < to) ||
	    !vm_may_grow(v, to - from) || to - v->brk_start > data_limit)
		return false;
	struct mapping *m = heap_alloc(sizeof(*m));

	if (!m)
		return false;
	m->kind = MAPPING_HEAP;
	m->prot = PROT_READ | PROT_WRITE;
	m->region.start = from;
	m->region.end = to;
	mapping_insert(v, m);
	mapping_merge(v, m);
	return true;
}

/* The new break, or the old one if it cannot be had: brk never fails otherwise. */
long vm_brk(struct vm *v, uint64_t addr)
{
	uint64_t epoch = 0;

	mutex_lock(&v->mutex);
	uint64_t from = PAGE_UP(v->brk), to = PAGE_UP(addr);
	bool ok = addr >= v->brk_start && addr < EXO_USER_TOP;

	if (ok && to > from)
		ok = grow(v, from, to);
	else if (ok && to < from)
		ok = mapping_remove_range(v, to, from, &epoch) == 0;
	if (ok)
		v->brk = addr;
	long result = (long)v->brk;

	vm_unlock(v, epoch);
	return result;
}

long sys_brk(uint64_t addr)
{
	return vm_brk(current_process()->vm, addr);
}
