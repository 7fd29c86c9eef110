/* SPDX-License-Identifier: MIT */
/* Address spaces: created, fed with frames for their tables, loaded. */
#include "kernel.h"
#include "calls.h"
#include "page_table.h"

#define WINDOW_SLOT 253
#define SHARED_SLOT 254
#define FEED_MAX 64

struct space *space_init(struct domain *owner, uint64_t object_frame, uint64_t root_frame,
			 const struct space *shared)
{
	struct space *s = frame_pointer(object_frame);
	uint64_t *root = frame_pointer(root_frame);

	frame_zero(object_frame);
	frame_zero(root_frame);
	if (shared) {
		paging_share_kernel(root);
		/* Without PTE_WRITE here, nothing below is writable through this entry. */
		root[WINDOW_SLOT] = root_frame << EXO_PAGE_SHIFT | PTE_PRESENT | PTE_USER | PTE_NX;
		root[SHARED_SLOT] = shared->root << EXO_PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_USER;
	}
	s->is_shared = !shared;
	s->root = root_frame;
	s->lock.rank = LOCK_SPACE;
	object_init(&s->object, OBJECT_SPACE, owner, object_frame);
	return s;
}

/* ---------------------------------------------------------------- loading */

void space_load(struct space *s)
{
	struct cpu *cpu = this_cpu();
	struct space *old = cpu->run.space;
	struct space *shared = s ? s->object.owner->shared : NULL;
	uint64_t bit = 1ul << cpu->number;

	if (s == old)
		return;
	if (s) {
		atomic_fetch_or(&s->active, bit);
		atomic_fetch_or(&shared->active, bit);
	}
	tlb_load_root(s ? s->root : kernel_root >> EXO_PAGE_SHIFT, s, shared);
	cpu->run.space = s;
	cpu->run.space_rights = 0;
	/* Once the bit is clear the old space may be taken apart: it is not touched after that. */
	if (old) {
		struct space *old_shared = old->object.owner->shared;

		atomic_fetch_and(&old->active, ~bit);
		if (old_shared != shared)
			atomic_fetch_and(&old_shared->active, ~bit);
	}
}

/* ---------------------------------------------------------------- calls */

/* (domain handle, object frame, root frame) */
int64_t call_space_create(struct exo_regs *regs, struct handle_view *h)
{
	struct creation c = { .count = 2, .frames = { regs->rsi, regs->rdx } };
	struct domain *owner = h->domain;
	struct space *s;
	exo_handle handle;
	int error;

	if (atomic_load(&owner->dying))
		return -ESRCH; /* see stop() in domain_kill.c */
	error = creation_begin(&c, EXO_FRAME_TABLE);
	if (error)
		return error;
	s = space_init(owner, regs->rsi, regs->rdx, owner->shared);
	handle = creation_finish(&c, OBJECT_SPACE);
	object_put(&s->object);
	return handle;
}

/* (space, frames, count): all or none. */
int64_t call_space_feed(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *d = domain_current();
	uint64_t frames[FEED_MAX], count = regs->rdx;
	struct space *s = h->space;
	int error;

	if (count > FEED_MAX)
		return -E2BIG;
	error = copy_from_user(frames, regs->rsi, count * sizeof(frames[0]));
	if (!error)
		error = frame_claim_all(frames, count, d->id, EXO_FRAME_TABLE, EXO_FRAME_TABLE);
	if (error)
		return error;
	lock_acquire(&s->lock);
	for (unsigned i = 0; i < count; i++)
		page_table_pool_add(s, frames[i]);
	lock_release(&s->lock);
	return 0;
}
