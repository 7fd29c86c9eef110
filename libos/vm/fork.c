/* SPDX-License-Identifier: MIT */
/*
 * A copy of an address space, by sharing frames: one CLONE operation per region, or for several
 * that lie together.  Private pages become copy-on-write in both; shared ones are shared.
 *
 * Pages that parent and child are both sure to write at once (the top of the stack, thread-local
 * data: the caller says which) are copied instead: a copy costs a sixth of the faults that sharing
 * them would cost, two or more for each.
 *
 * So is the page that a child will write to without its parent, since its C library has its own data there:
 * the first page that the last child copied on a write.  A child that did not write to what was copied ahead
 * for it says so too, and the next one is spared it.
 */
#include "vm/space.h"
#include <asm/mman.h>
#include "abi/errno.h"
#include "core/frames.h"
#include "core/memory.h"

#define BATCH 32
#define HOT_MAX 3
/* Neighbouring regions with no larger gap than this share an operation: looking at the entries
 * between them costs less than another one. */
#define GAP_MAX (64 * PAGE)

/* The tree is copied node for node: a copy of a balanced tree is balanced, and its summaries are
 * the same.  If memory runs out it lacks nodes, and is good for nothing but to be freed. */
static struct region *copy_tree(struct vm *child, const struct region *from, bool *failed)
{
	struct mapping *copy;

	if (!from || *failed)
		return NULL;
	copy = space_take_node(child);
	if (!copy) {
		*failed = true;
		return NULL;
	}
	mapping_assign(copy, mapping_of((struct region *)from));
	for (int i = 0; i < 2; i++)
		copy->region.child[i] = from->child[i] ? copy_tree(child, from->child[i], failed) : NULL;
	return &copy->region;
}

static int copy_mappings(struct vm *child, const struct vm *parent)
{
	bool failed = false;

	child->regions.root = copy_tree(child, parent->regions.root, &failed);
	vm_drop_nodes(child);
	child->regions.count = parent->regions.count;
	child->size = parent->size;
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->mmap_top = parent->mmap_top;
	child->program = vm_program(parent);
	return failed ? -ENOMEM : 0;
}

/* A fork in progress. */
struct cloning {
	struct vm *child, *parent;
	uint64_t told;           /* copies_write of the parent */
	uint64_t hot[HOT_MAX];   /* pages to be copied at once */
	unsigned hot_count;
	uint64_t frames[HOT_MAX]; /* for their copies: */
	size_t frame_count;       /* so many are left */
	struct exo_op ops[BATCH];
	unsigned count;
	uint64_t epoch;
	int error;
};

static struct exo_op *next_op(struct cloning *c)
{
	if (c->count == BATCH && c->error == 0) {
		c->error = space_update(c->child, c->ops, c->count, &c->epoch);
		if (c->error == 0)
			c->count = 0;
	}
	return c->error == 0 ? &c->ops[c->count++] : NULL;
}

/* Only from the first page that may be present, unless there are few: programs reserve far more than they
 * touch. */
static void clone_range(struct cloning *c, uint64_t start, uint64_t end, bool shared)
{
	struct exo_op *op;

	if (end - start > GAP_MAX)
		start = space_next_present(start, end);
	if (start >= end || !(op = next_op(c)))
		return;
	*op = (struct exo_op){
		.code = EXO_OP_CLONE, .flags = shared ? 0 : EXO_OP_COW,
		.count = (uint32_t)((end - start) / PAGE),
		.va = start, .source = c->parent->space, .source_va = start,
	};
}

static bool may_be_written(const struct mapping *m, uint64_t entry)
{
	return (entry & EXO_PTE_WRITE) || ((entry & EXO_PTE_SOFT0) && (m->prot & PROT_WRITE));
}

/* The child gets a copy of the page, and the parent's stays as it is. */
static void copy_page(struct cloning *c, uint64_t va)
{
	const struct mapping *m = mapping_find(c->parent, va);
	uint64_t entry = space_entry(va), frame;

	if (!m || m->shared || !may_be_written(m, entry) || c->frame_count == 0)
		return;
	frame = c->frames[--c->frame_count];
	c->ops[c->count++] =
		(struct exo_op){ .code = EXO_OP_MAP, .flags = EXO_OP_FILL, .count = 1, .va = va,
				 .frame = frame, .source = EXO_PTE_FRAME(entry),
				 .prot = EXO_PROT_READ | EXO_PROT_WRITE |
					 (entry & EXO_PTE_NX ? 0 : EXO_PROT_EXEC) };
}

/* Copies come first: what the child has already a clone leaves as it is, in both. */
static int clone_pages(struct cloning *c)
{
	const struct region_tree *regions = &c->parent->regions;
	struct region_walk walk;

	for (unsigned i = 0; i < c->hot_count; i++)
		copy_page(c, c->hot[i]);
	for (struct region *r = region_walk_begin(&walk, regions), *next; r && c->error == 0; r = next) {
		bool shared = mapping_of(r)->shared;
		uint64_t start = r->start, end = r->end;

		while ((next = region_walk_next(&walk)) && mapping_of(next)->shared == shared &&
		       next->start - end <= GAP_MAX && next->end - start <= VM_LENGTH_MAX)
			end = next->end;
		clone_range(c, start, end, shared);
	}
	if (c->error == 0 && c->count > 0)
		c->error = space_update(c->child, c->ops, c->count, &c->epoch);
	return c->error;
}

/* After an error: frames that were to become copies, in the batch that did not succeed. */
static void free_unmapped_copies(const struct cloning *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->ops[i].code == EXO_OP_MAP && frame_maps(c->ops[i].frame) == 0)
			frame_free(c->ops[i].frame);
}

static void choose_hot(struct cloning *c, const uint64_t *hot, unsigned count)
{
	uint64_t told = c->told = atomic_load_explicit(&c->parent->copies_write, memory_order_relaxed);

	c->hot_count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (told == hot[i])
			told = 0;
		c->hot[c->hot_count++] = hot[i];
	}
	if (told)
		c->hot[c->hot_count++] = told;
}

void vm_tell_origin(const struct vm *copy, struct vm *origin)
{
	uint64_t page = copy->copied_ahead;

	/* With another process in the space its tables may go while we look: we have no mutex.  With
	 * none they stay: who refers to a space is in it, or counts itself under the lock that we hold. */
	if (!origin || copy->origin != origin ||
	    atomic_load_explicit(&copy->references, memory_order_relaxed) != 1)
		return;
	if (!page || !(space_entry(page) & EXO_PTE_DIRTY))
		page = copy->first_copied;
	atomic_store_explicit(&origin->copies_write, page, memory_order_relaxed);
}

/*
 * The child must not run, and this must not return, before no other thread of the parent can
 * write to a shared frame through an entry that its CPU remembers as writable: what it wrote
 * would appear in the child.  Hence the wait for the epoch of the update, which is kept with the
 * space that it was made on, the child.
 *
 * A page that is copied at once may be written by another thread meanwhile, as it may by a thread
 * that runs just before the fork.
 */
struct vm *vm_fork(struct vm *parent, const uint64_t *hot, unsigned hot_count, int *error)
{
	struct cloning c; /* field by field: the operations need not be cleared */

	c.child = vm_create();
	c.parent = parent;
	choose_hot(&c, hot, hot_count);
	c.frame_count = frames_take(c.frames, c.hot_count);
	c.count = 0;
	c.epoch = 0;
	c.error = 0;
	*error = -ENOMEM;
	if (!c.child)
		goto out;
	mutex_lock(&parent->mutex);
	*error = copy_mappings(c.child, parent);
	if (*error == 0)
		*error = clone_pages(&c);
	c.child->resident = c.child->resident_peak = parent->resident;
	c.child->origin = parent;
	c.child->copied_ahead = c.told;
	space_wait(c.child, c.epoch);
	vm_unlock(parent, 0);
	if (*error == -EPERM) /* a frame was being taken from the domain: the next attempt finds another */
		*error = -EAGAIN;
	if (*error < 0) {
		free_unmapped_copies(&c);
		vm_put(c.child);
		c.child = NULL;
	}
out:
	while (c.frame_count > 0)
		frame_free(c.frames[--c.frame_count]);
	return c.child;
}
