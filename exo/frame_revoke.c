/* SPDX-License-Identifier: MIT */
/*
 * Taking frames from a domain while it runs (EXO_CALL_FRAME_REVOKE): those that its libos was asked to give
 * up and has not.
 *
 *	      HOLD                SWEEP                   TAKE
 *	USER ------> REVOKED ------------> REVOKED, not ------> the caller's
 *	             mapped as before      mapped
 *
 * A REVOKED frame can be unmapped, and nothing else: so what one sweep through all of the domain's spaces
 * has taken out does not come back behind its back, whatever the libos does meanwhile.  Entries do not
 * move to spaces that the sweep has passed either: a clone of one is EXO_PTE_LOST, and page tables are not
 * shared while a frame is REVOKED (table_share.h).
 *
 * A frame is refused by HOLD while the kernel has it (an object, a page table, a vcore's page), or a loan.
 * Who does not get enough that way can still kill the domain.
 *
 * The kernel keeps nothing of a sweep: the caller says where it is to go on, and harms only itself if it
 * says something else.
 */
#include "kernel.h"
#include "calls.h"
#include "update.h"

/* In one call: frames looked at for HOLD and TAKE, and for spaces. */
#define HOLD_MAX 1024ul
#define TAKE_MAX 64ul
#define SEARCH_MAX 8192ul

static int64_t ask(struct domain *d, const struct exo_frame_revoke *r)
{
	struct revoked what = { .kind = EXO_REVOKED_FRAMES, .count = r->count };
	struct vcore *first = NULL;

	for (unsigned cpu = 0; cpu < cpu_count && !first; cpu++)
		first = domain_vcore_get(d, cpu);
	if (!first)
		return -ESRCH;
	atomic_store(&d->frames_deadline, r->deadline_tsc);
	revoke_announce(first, &what, r->deadline_tsc);
	object_put(&first->object);
	return 0;
}

static int64_t hold(struct domain *d, const struct exo_frame_revoke *r)
{
	uint64_t deadline = atomic_load(&d->frames_deadline), n = min(r->count, HOLD_MAX);

	if (!deadline || tsc_read() < deadline)
		return -EAGAIN;
	for (uint64_t i = 0; i < n; i++)
		if (frame_revoke(r->first + i, d->id))
			atomic_fetch_add(&d->revoked, 1);
	return n;
}

/* Up to one space, and part of that if it is large. */
static int64_t sweep(struct domain *d, struct exo_frame_revoke *r)
{
	for (uint64_t n = 0; n < SEARCH_MAX && r->space < frame_end; n++) {
		struct object *o = object_find(d, r->space);
		bool is_space = o && o->kind == OBJECT_SPACE;
		bool more = is_space && update_take_revoked((struct space *)o, &r->page);

		if (o)
			object_put(o);
		r->space += !more;
		r->page = more ? r->page : 0;
		if (is_space)
			return 1;
	}
	return r->space < frame_end;
}

static int64_t take(struct domain *d, const struct exo_frame_revoke *r)
{
	struct revoked run = { .kind = EXO_REVOKED_FRAMES };
	uint64_t n = 0, most = min(r->count, TAKE_MAX);

	for (; n < most; n++) {
		uint64_t frame = r->first + n, word = frame_word(frame);

		if (frame_word_type(word) != EXO_FRAME_REVOKED || frame_word_owner(word) != d->id ||
		    frame_word_maps(word) != 0)
			continue;
		if (!frame_seize(frame, d->id))
			break;
		frame_zero(frame);
		frame_release_to(frame, domain_current()->id);
		atomic_fetch_sub(&d->revoked, 1);
		if (run.count && run.number + run.count != frame) {
			revoke_list(d, &run);
			run.count = 0;
		}
		run.number = run.count ? run.number : frame;
		run.count++;
	}
	if (run.count)
		revoke_list(d, &run);
	return n || !most ? (int64_t)n : -EAGAIN;
}

/* (domain handle, struct exo_frame_revoke *) */
__attribute__((cold)) int64_t call_frame_revoke(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *d = h->domain;
	struct exo_frame_revoke r;
	int64_t result = copy_from_user(&r, regs->rsi, sizeof(r));

	if (result)
		return result;
	if (atomic_load(&d->dying))
		return -ESRCH; /* see stop() in domain_kill.c */
	if ((r.step == EXO_REVOKE_HOLD || r.step == EXO_REVOKE_TAKE) &&
	    (r.first >= frame_end || r.count > frame_end - r.first))
		return -EINVAL;
	switch (r.step) {
	case EXO_REVOKE_ASK:
		return ask(d, &r);
	case EXO_REVOKE_HOLD:
		return hold(d, &r);
	case EXO_REVOKE_SWEEP:
		result = sweep(d, &r);
		return copy_to_user(regs->rsi, &r, sizeof(r)) ? -EFAULT : result;
	case EXO_REVOKE_TAKE:
		return take(d, &r);
	}
	return -EINVAL;
}
