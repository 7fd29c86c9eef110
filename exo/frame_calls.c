/* SPDX-License-Identifier: MIT */
/*
 * Frames between domains: given for good, or lent and taken back.
 *
 * A loan is a range of frames, each with one pin of the loan and one for every entry in a space of
 * somebody else than the owner.  It is an object (object.h), so copies of its handle become stale all at
 * once when it ends.
 */
#include "kernel.h"
#include "calls.h"

#define GIVE_MAX 64  /* scrubbed in one call */
#define LOAN_MAX 256 /* frames */

/* Scrubbed first, so that the receiver learns nothing; unless it is to have the contents. */
static int give(uint64_t frame, const struct domain *from, const struct domain *to, uint64_t flags)
{
	int error = frame_claim(frame, from->id, EXO_FRAME_KERNEL);

	if (error)
		return error;
	if (!(flags & EXO_GIVE_CONTENTS))
		frame_zero(frame);
	frame_release_to(frame, to->id);
	return 0;
}

/* (domain handle, first frame, count, flags) -> frames given */
int64_t call_frame_give(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *from = domain_current(), *to = h->domain;
	uint64_t given = 0;
	int error = 0;

	if (regs->r10 & EXO_GIVE_TO_PARENT) {
		if (to != from)
			return -EINVAL;
		if (!from->parent_vcore)
			return -ESRCH;
		/* As long as we are there our maker is: we hold a vcore of it. */
		to = from->parent_vcore->object.owner;
	}
	/* Frames given to a dead domain come back when it is taken apart: but only before its
	 * last sweep, so they are refused from the beginning. */
	if (atomic_load(&to->dying))
		error = -ESRCH;
	while (!error && given < regs->rdx && given < GIVE_MAX) {
		error = give(regs->rsi + given, from, to, regs->r10);
		given += !error;
	}
	return given ? (int64_t)given : error;
}

static void unpin_range(uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		frame_unpin(first + i);
}

/* Nobody but the loan has a pin on any of them, nor a TLB of a borrower a way there: stamped before the
 * pin went. */
static bool is_unused(uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (frame_word_pins(frame_word(first + i)) != 1 || !tlb_frame_acknowledged(first + i))
			return false;
	return true;
}

/* (first frame, count, rights, object frame) -> handle */
__attribute__((cold)) int64_t call_frame_lend(struct exo_regs *regs, struct handle_view *h)
{
	struct creation making = { .count = 1, .frames = { regs->r10 } };
	uint64_t first = regs->rdi, count = regs->rsi, pinned = 0;
	unsigned rights = (regs->rdx & (EXO_RIGHT_USE | EXO_RIGHT_WRITE)) | EXO_RIGHT_COPY |
			  EXO_RIGHT_MANAGE | EXO_RIGHT_REVOKE;
	struct object *loan = frame_pointer(regs->r10);
	exo_handle handle;
	int error;

	if (count == 0 || count > LOAN_MAX || first >= frame_end || count > frame_end - first)
		return -EINVAL;
	error = creation_begin(&making, EXO_FRAME_KERNEL);
	if (error)
		return error;
	while (pinned < count && frame_pin(first + pinned, making.payer->id))
		pinned++;
	if (pinned < count || !is_unused(first, count)) {
		unpin_range(first, pinned);
		creation_undo(&making);
		return pinned < count ? -EPERM : -EBUSY;
	}
	object_init(loan, OBJECT_LOAN, making.payer, regs->r10);
	handle = handle_fill(making.payer, making.slot, OBJECT_LOAN, rights, regs->r10, first, count);
	object_put(loan);
	return handle;
}

/*
 * (handle).  Why nobody borrows again between the look and the end: mapping holds a reference to
 * the loan, and the end needs the last one.  An entry made before that is seen by the second look.
 * Nobody else changes the word in between: the frame is claimed, and its domain does not end while it
 * is in a call.
 */
int64_t call_frame_take_back(struct exo_regs *regs, struct handle_view *h)
{
	uint64_t frame = h->object_frame, generation;

	if (h->object->owner != domain_current())
		return -EPERM;
	generation = is_unused(h->first, h->count) ? object_word_retire(frame) : 0;
	if (!generation)
		return -EBUSY;
	h->kept = true; /* the reference ended with the loan */
	if (!is_unused(h->first, h->count)) {
		object_word_revive(frame, generation);
		return -EBUSY;
	}
	unpin_range(h->first, h->count);
	handle_drop(domain_current(), regs->rdi);
	debug_release(frame);
	return 0;
}
