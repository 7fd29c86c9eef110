/* SPDX-License-Identifier: MIT */
/*
 * Handle tables: how a domain names objects.
 *
 *	domain->handles[page] -> 64 slots each; handle = { slot, slot generation }
 *
 *	        reserve               fill
 *	FREE -----------> FILLING -----------> LIVE
 *	  ^ ^---------------/                    |
 *	  |      cancel                          |
 *	  +--------------------------------------+	drop: the slot generation goes up
 *
 * No lock: a slot changes hands by compare-and-swap of its tag {generation, state}.  A reader
 * reads the tag, the fields, and the tag again.  The tag of a slot that was dropped and filled
 * once more differs, so equal tags mean that the fields belong to the handle that was asked for.
 */
#include "kernel.h"
#include "calls.h"

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_LIVE };

static uint64_t tag_make(uint32_t generation, enum slot_state state)
{
	return (uint64_t)generation << 8 | state;
}

static enum slot_state tag_state(uint64_t tag)
{
	return tag & 0xff;
}

static uint32_t tag_generation(uint64_t tag)
{
	return tag >> 8;
}

/* NULL for a number beyond the table. */
static struct handle_slot *slot_at(struct domain *d, uint32_t number)
{
	struct handle_slot *page;

	if (number / HANDLE_SLOTS_PER_FRAME >= HANDLE_FRAMES_MAX)
		return NULL;
	page = atomic_load_explicit(&d->handles[number / HANDLE_SLOTS_PER_FRAME], memory_order_acquire);
	return page ? &page[number % HANDLE_SLOTS_PER_FRAME] : NULL;
}

/* The slot's contents, if it is live and of this generation. */
static bool slot_read(struct handle_slot *slot, uint32_t generation, struct handle_view *out)
{
	uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_acquire);

	if (tag != tag_make(generation, SLOT_LIVE))
		return false;
#pragma GCC unroll HANDLE_WORDS
	for (unsigned i = 0; i < HANDLE_WORDS; i++)
		out->words[i] = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&slot->tag, memory_order_relaxed) == tag;
}

__attribute__((flatten)) int handle_view(struct domain *d, exo_handle h, enum object_kind kind,
					 unsigned rights, struct handle_view *out)
{
	struct space_name *name = vcore_name(this_cpu()->current, h);
	uint64_t clock = atomic_load(&stale_clock);
	struct handle_slot *slot = slot_at(d, (uint32_t)h);

	out->kept = true; /* until there is a reference */
	if (!slot || !slot_read(slot, h >> 32, out) || (kind != OBJECT_ANY && out->kind != kind))
		return -EBADF;
	if (rights & ~out->rights)
		return -EPERM;
	out->object = out->kind < OBJECT_PORTS ? frame_pointer(out->object_frame) : NULL;
	if (!object_word_get(out->object_frame, out->object_generation))
		return -EBADF;
	/* Why this look comes after the reference: the destroyer sets `dying` and then counts
	 * references.  Either it sees ours and gives up, or we see `dying`. */
	if (kind == OBJECT_SPACE && atomic_load(&out->space->dying)) {
		object_word_put(out->object_frame);
		return -EBADF;
	}
	if (kind == OBJECT_SPACE && out->space->object.owner == d && !out->space->is_shared &&
	    !(SPACE_NAME_RIGHTS & ~out->rights))
		*name = (struct space_name){ h, clock, out->space, out->space->root };
	out->kept = false;
	return 0;
}

void handle_view_put(const struct handle_view *view)
{
	if (!view->kept)
		object_word_put(view->object_frame);
}

int64_t handle_reserve(struct domain *d)
{
	uint32_t slots = HANDLE_FRAMES_MAX * HANDLE_SLOTS_PER_FRAME;
	uint32_t start = atomic_load_explicit(&d->handle_hint, memory_order_relaxed);

	for (uint32_t i = 0; i < slots; i++) {
		uint32_t number = (start + i) % slots;
		struct handle_slot *slot = slot_at(d, number);
		uint64_t tag;

		if (!slot) { /* no such page: go on with the next one */
			i += HANDLE_SLOTS_PER_FRAME - 1 - number % HANDLE_SLOTS_PER_FRAME;
			continue;
		}
		tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
		if (number == 0 || tag_state(tag) != SLOT_FREE)
			continue; /* slot 0 is never used, so that 0 is no handle */
		if (atomic_compare_exchange_strong(&slot->tag, &tag,
						   tag_make(tag_generation(tag), SLOT_FILLING))) {
			atomic_store_explicit(&d->handle_hint, number + 1, memory_order_relaxed);
			return number;
		}
	}
	return -ENOSPC;
}

void handle_cancel(struct domain *d, int64_t number)
{
	struct handle_slot *slot = slot_at(d, number);
	uint64_t tag = atomic_load(&slot->tag);

	ASSERT_INVARIANT(tag_state(tag) == SLOT_FILLING);
	atomic_store(&slot->tag, tag_make(tag_generation(tag), SLOT_FREE));
}

static exo_handle slot_fill(struct domain *d, int64_t number, const struct handle_view *view)
{
	struct handle_slot *slot = slot_at(d, number);
	uint32_t last = tag_generation(atomic_load(&slot->tag));
	uint32_t generation = last == UINT32_MAX ? 1 : last + 1; /* never 0: {slot, 0} is no handle */

	ASSERT_INVARIANT(tag_state(atomic_load(&slot->tag)) == SLOT_FILLING);
	/* Whoever sees one of these fields also sees that the tag had become FILLING. */
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < HANDLE_WORDS; i++)
		atomic_store_explicit(&slot->words[i], view->words[i], memory_order_relaxed);
	atomic_store_explicit(&slot->tag, tag_make(generation, SLOT_LIVE), memory_order_release);
	return (uint64_t)generation << 32 | (uint32_t)number;
}

exo_handle handle_fill(struct domain *d, int64_t number, enum object_kind kind, unsigned rights,
		       uint64_t object_frame, uint64_t first, uint64_t count)
{
	struct handle_view view = {
		.kind = kind, .rights = rights, .first = first, .count = count,
		.object_frame = object_frame, .object_generation = object_generation(object_frame) };

	return slot_fill(d, number, &view);
}

void handle_install(struct domain *d, uint32_t number, enum object_kind kind, uint64_t object_frame,
		    unsigned rights)
{
	d->handle_hint = number; /* the search begins and ends here */
	handle_fill(d, handle_reserve(d), kind, rights, object_frame, 0, 0);
}

bool handle_drop(struct domain *d, exo_handle h)
{
	struct handle_slot *slot = slot_at(d, (uint32_t)h);
	uint64_t tag = tag_make(h >> 32, SLOT_LIVE);

	if (!slot || !atomic_compare_exchange_strong(&slot->tag, &tag, tag_make(h >> 32, SLOT_FREE)))
		return false;
	atomic_fetch_add(&stale_clock, 1);
	return true;
}

int64_t call_handle_drop(struct exo_regs *regs, struct handle_view *h)
{
	return handle_drop(domain_current(), regs->rdi) ? 0 : -EBADF;
}

/* (handle, domain handle, rights) */
int64_t call_handle_copy(struct exo_regs *regs, struct handle_view *h)
{
	int64_t slot = handle_reserve(h[1].domain);

	h->rights &= regs->rdx;
	return slot < 0 ? slot : (int64_t)slot_fill(h[1].domain, slot, h);
}

int64_t call_handle_revoke(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *d = domain_current();
	int64_t slot = handle_reserve(d);

	if (slot < 0)
		return slot;
	h->object_generation = object_word_renew(h->object_frame, h->object_generation);
	if (!h->object_generation) {
		handle_cancel(d, slot); /* another revoke was faster */
		return -EBADF;
	}
	handle_drop(d, regs->rdi);
	return slot_fill(d, slot, h);
}

int handle_feed(struct domain *d, uint64_t frame)
{
	frame_zero(frame);
	for (unsigned i = 0; i < HANDLE_FRAMES_MAX; i++) {
		struct handle_slot *none = NULL;

		if (atomic_compare_exchange_strong(&d->handles[i], &none, frame_pointer(frame)))
			return 0;
	}
	return -ENOSPC;
}

/* (domain handle, frame).  A dead domain takes none: see stop() in domain_kill.c. */
int64_t call_handle_feed(struct exo_regs *regs, struct handle_view *h)
{
	uint64_t frame = regs->rsi;
	int error = frame_claim(frame, domain_current()->id, EXO_FRAME_KERNEL);

	if (error)
		return error;
	error = atomic_load(&h->domain->dying) ? -ESRCH : handle_feed(h->domain, frame);
	if (error)
		frame_release(frame);
	return error;
}
