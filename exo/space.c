/* SPDX-License-Identifier: MIT */
/* Address spaces: created, and fed with frames for their tables. */
#include "kernel.h"
#include "calls.h"
#include "page_table.h"

#define WINDOW_SLOT 253
#define SHARED_SLOT 254
#define FEED_MAX 64

struct space *space_init(struct domain *owner, uint64_t frame, uint64_t root_frame, struct space *shared)
{
	struct space *s = frame_pointer(frame);
	uint64_t *root = frame_pointer(root_frame);

	frame_zero(frame);
	frame_zero(root_frame);
	if (shared) {
		paging_share_kernel(root);
		/* Without PTE_WRITE here, nothing below is writable through this entry. */
		root[WINDOW_SLOT] = root_frame << EXO_PAGE_SHIFT | PTE_PRESENT | PTE_USER | PTE_NX;
		root[SHARED_SLOT] = shared->root << EXO_PAGE_SHIFT | PTE_PRESENT | PTE_WRITE | PTE_USER;
	}
	s->is_shared = !shared;
	s->root = root_frame;
	s->shared = shared;
	s->lock.rank = LOCK_SPACE;
	object_init(&s->object, OBJECT_SPACE, owner, frame);
	return s;
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
