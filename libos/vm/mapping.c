/* SPDX-License-Identifier: MIT */
/* The regions of an address space: finding, splitting, joining and removing mappings. */
#include "vm/space.h"
#include <asm/mman.h>
#include "abi/errno.h"
#include "core/memory.h"
#include "fs/file.h"
#include "proc/process.h"

bool vm_range_ok(uint64_t start, uint64_t len)
{
	return start % PAGE == 0 && len != 0 && start >= VM_LOW && start < EXO_USER_TOP &&
	       len <= EXO_USER_TOP - start;
}

bool vm_may_grow(const struct vm *v, uint64_t bytes)
{
	uint64_t limit = process_limit(current_process(), LIMIT_AS);

	return limit == LIMIT_INFINITY || (v->size <= limit && bytes <= limit - v->size);
}

struct mapping *mapping_at_or_after(struct vm *v, uint64_t address)
{
	struct region *r = region_find(&v->regions, address);

	return r ? mapping_of(r) : NULL;
}

__attribute__((noinline)) struct mapping *mapping_look_up(struct vm *v, uint64_t address)
{
	struct mapping *m = mapping_at_or_after(v, address);

	if (!m || m->region.start > address)
		return NULL;
	v->recent = m;
	return m;
}

struct mapping *mapping_next(struct vm *v, struct mapping *m)
{
	return mapping_at_or_after(v, m->region.end);
}

void mapping_assign(struct mapping *to, const struct mapping *m)
{
	*to = *m;
	if (m->file)
		file_map_get(m->file);
	if (m->memory)
		shared_memory_get(m->memory);
}

struct mapping *mapping_copy(const struct mapping *m)
{
	struct mapping *copy = heap_alloc_uncleared(sizeof(*copy));

	if (copy)
		mapping_assign(copy, m);
	return copy;
}

void mapping_let_go(const struct mapping *m)
{
	if (m->file)
		file_map_put(m->file);
	if (m->memory)
		shared_memory_put(m->memory);
}

void mapping_free(struct mapping *m)
{
	mapping_let_go(m);
	heap_free(m);
}

void mapping_insert(struct vm *v, struct mapping *m)
{
	ASSERT_INVARIANT(m->region.end - m->region.start <= VM_LENGTH_MAX);
	v->size += m->region.end - m->region.start;
	region_insert(&v->regions, &m->region);
}

static void take_out(struct vm *v, struct mapping *m)
{
	v->size -= m->region.end - m->region.start;
	if (v->recent == m)
		v->recent = NULL;
	region_remove(&v->regions, &m->region);
}

void mapping_resize(struct vm *v, struct mapping *m, uint64_t start, uint64_t end)
{
	ASSERT_INVARIANT(end - start <= VM_LENGTH_MAX);
	v->size += (end - start) - (m->region.end - m->region.start);
	m->page += (int64_t)(start - m->region.start) / (int64_t)PAGE;
	region_resize(&v->regions, &m->region, start, end);
}

static int split(struct vm *v, uint64_t at, uint64_t most)
{
	struct mapping *m = mapping_find(v, at);

	if (!m || m->region.start == at)
		return 0;
	if (v->regions.count >= most)
		return -ENOMEM;
	struct mapping *upper = mapping_copy(m);

	if (!upper)
		return -ENOMEM;
	upper->page += (at - m->region.start) / PAGE;
	region_split(&v->regions, &m->region, &upper->region, at);
	return 0;
}

int mapping_split(struct vm *v, uint64_t at)
{
	return split(v, at, VM_MAPPINGS_MAX);
}

/* `upper` begins where `lower` ends: does nothing else tell them apart? */
static bool continues(const struct mapping *lower, const struct mapping *upper)
{
	if (lower->prot != upper->prot || lower->kind != upper->kind ||
	    lower->shared != upper->shared || lower->file != upper->file ||
	    lower->memory != upper->memory ||
	    upper->region.end - lower->region.start > VM_LENGTH_MAX)
		return false;
	if (!lower->file && !lower->memory)
		return true;
	return lower->page + (lower->region.end - lower->region.start) / PAGE == upper->page;
}

static struct mapping *join(struct vm *v, struct mapping *lower, struct mapping *upper)
{
	uint64_t end = upper->region.end;

	take_out(v, upper);
	mapping_free(upper); /* lower holds the same file or memory: this is not the last reference */
	mapping_resize(v, lower, lower->region.start, end);
	return lower;
}

struct mapping *mapping_merge_touching(struct vm *v, struct mapping *m)
{
	struct region *beside[2];

	region_touching(&v->regions, &m->region, beside);
	if (beside[1] && continues(m, mapping_of(beside[1])))
		join(v, m, mapping_of(beside[1]));
	if (beside[0] && continues(mapping_of(beside[0]), m))
		m = join(v, mapping_of(beside[0]), m);
	return m;
}

bool mapping_covers(struct vm *v, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct mapping *m = mapping_find(v, start);

		if (!m)
			return false;
		start = m->region.end;
	}
	return true;
}

/* [start, end) lies inside one mapping, of which there is something left on both sides. */
static bool is_hole(struct vm *v, uint64_t start, uint64_t end)
{
	const struct mapping *m = mapping_find(v, start);

	return m && m->region.start < start && end < m->region.end;
}

/*
 * Pages first: a page of a file must not lose its owner while it is mapped.  A space that has no pages need
 * not be loaded, as one that exec builds: then the window shows another's.
 *
 * Only a hole makes mappings more: what is cut off otherwise goes at once.
 */
int mapping_remove_range(struct vm *v, uint64_t start, uint64_t end, uint64_t *epoch)
{
	int r = v->regions.count >= VM_MAPPINGS_MAX && is_hole(v, start, end) ? -ENOMEM : 0;

	if (r == 0)
		r = split(v, start, VM_MAPPINGS_MAX + 2);
	if (r == 0)
		r = split(v, end, VM_MAPPINGS_MAX + 2);
	if (r == 0 && v->resident)
		r = space_unmap(v, start, end, epoch);
	if (r < 0)
		return r;
	for (struct mapping *m; (m = mapping_at_or_after(v, start)) && m->region.start < end;) {
		take_out(v, m);
		m->region.child[0] = v->removed ? &v->removed->region : NULL;
		v->removed = m;
	}
	return 0;
}

void vm_unlock_slowly(struct vm *v, uint64_t epoch)
{
	struct mapping *removed = v->removed;

	v->removed = NULL;
	space_wait(v, epoch);
	mutex_unlock(&v->mutex);
	while (removed) {
		struct mapping *m = removed;

		removed = (struct mapping *)m->region.child[0];
		mapping_free(m);
	}
}

/*
 * A private page of a file is never mapped writable: it is the file's until it has been copied.
 * A shared page of a file is made writable by the fault that tells the file of the write.
 */
uint8_t mapping_entry_prot(const struct mapping *m)
{
	uint8_t prot = mapping_read_and_fetch(m);

	if ((m->prot & PROT_WRITE) && !m->file)
		prot |= EXO_PROT_WRITE;
	if (m->file && !m->shared)
		prot |= EXO_PROT_SOFT0;
	return prot;
}

uint8_t mapping_own_prot(const struct mapping *m)
{
	return mapping_read_and_fetch(m) | (m->prot & PROT_WRITE ? EXO_PROT_WRITE : 0);
}
