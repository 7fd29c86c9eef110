/* SPDX-License-Identifier: MIT */
/* Carrying out a chunk of an op.  No user pointer comes in here. */
#include "kernel.h"
#include "page_table.h"
#include "update.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void harvest_change(struct harvest *h, uint64_t va)
{
	if (h->changed < UPDATE_FLUSH_SINGLY)
		h->va[h->changed] = va;
	h->changed++;
}

/* An entry has been taken out of the table. */
static void harvest_removed(struct harvest *h, uint64_t va, uint64_t entry)
{
	harvest_change(h, va);
	if (frame_is_ram(pte_frame(entry)))
		h->frames[h->frame_count++] = pte_frame(entry);
}

/* Changes an entry from what the caller saw, keeping what the processor adds meanwhile. */
static bool entry_swap(table_entry *entry, uint64_t *seen, uint64_t new)
{
	uint64_t marks = *seen & (PTE_ACCESSED | PTE_DIRTY);

	return atomic_compare_exchange_weak(entry, seen, new | marks);
}

static int map_page(const struct update_plan *plan, table_entry *entry, uint64_t va,
		    uint64_t index, struct update_step *step)
{
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), frame = plan->frame + index;
	uint16_t space_owner = plan->target->object.owner->id;

	if ((old & PTE_PRESENT) && !plan->replace)
		return -EEXIST;
	if (plan->code == EXO_OP_MAP_DEVICE ? !frame_is_device(frame) :
					      !frame_map(frame, plan->frame_owner, space_owner))
		return -EPERM;
	old = atomic_exchange(entry, frame << EXO_PAGE_SHIFT | plan->bits);
	if (old & PTE_PRESENT)
		harvest_removed(&step->harvest, va, old);
	return 0;
}

/*
 * Calls `page` for the entries of pages from `start` on, where the chunk and the plan's range meet.
 * make: for every entry, in tables that are made where they are missing; else for each present
 * entry, skipping missing tables at the cost of one.
 */
static int commit_entries(const struct update_plan *plan, struct space *s, uint64_t start, bool make,
			  uint64_t done, struct update_step *step,
			  int page(const struct update_plan *plan, table_entry *entry, uint64_t va,
				   uint64_t index, struct update_step *step))
{
	while (step->cost < step->limit && done + step->pages < plan->count) {
		uint64_t at = done + step->pages, run, va = start + at * EXO_PAGE_SIZE;
		table_entry *entry = page_table_walk(s, va, make, &run);

		run = least(run, plan->count - at);
		if (!entry && make)
			return -ENOMEM;
		if (!entry) {
			step->pages += run;
			step->cost++;
			continue;
		}
		run = least(run, step->limit - step->cost);
		for (uint64_t i = 0; i < run; i++) {
			uint64_t old = atomic_load_explicit(entry + i, memory_order_relaxed);
			int error = 0;

			if (make || (old & PTE_PRESENT))
				error = page(plan, entry + i, va + i * EXO_PAGE_SIZE, at + i, step);
			if (error)
				return error;
			step->pages++;
			step->cost++;
		}
	}
	return 0;
}

static int unmap_page(const struct update_plan *plan, table_entry *entry, uint64_t va,
		      uint64_t index, struct update_step *step)
{
	harvest_removed(&step->harvest, va, atomic_exchange(entry, 0));
	return 0;
}

/* An entry may gain the right to write only if the frame belongs to the space's own domain: what
 * was lent read-only, the frame table and devices stay as they were mapped. */
static bool may_gain_write(const struct space *s, uint64_t entry)
{
	return frame_word_owner(frame_word(pte_frame(entry))) == s->object.owner->id;
}

static int protect_page(const struct update_plan *plan, table_entry *entry, uint64_t va,
			uint64_t index, struct update_step *step)
{
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), new;

	do {
		new = (old & ~(PTE_RIGHTS | PTE_SOFT)) | plan->bits;
		if (plan->keep_cow && (old & EXO_PTE_SOFT0))
			new = (new & ~PTE_WRITE) | EXO_PTE_SOFT0;
		if ((new & ~old & PTE_WRITE) && !may_gain_write(plan->target, old))
			return -EPERM;
	} while (!entry_swap(entry, &old, new));
	if (pte_loses_rights(old, new))
		harvest_change(&step->harvest, va);
	return 0;
}

/* The target's entry for page `index`; made only here, since holes of the source need no tables. */
static table_entry *copy_entry(const struct update_plan *plan, uint64_t index,
			       struct copy_cursor *c)
{
	if (!c->entry || index - c->index >= c->run) {
		c->entry = page_table_walk(plan->target, plan->va + index * EXO_PAGE_SIZE, true,
					   &c->run);
		c->index = index;
	}
	return c->entry ? c->entry + (index - c->index) : NULL;
}

/* `entry` is the source's.  The copy starts neither accessed nor dirty. */
static int clone_page(const struct update_plan *plan, table_entry *entry, uint64_t va,
		      uint64_t index, struct update_step *step)
{
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), new = old;
	uint64_t frame = pte_frame(old);
	table_entry *copy = copy_entry(plan, index, &step->copies);

	if (!copy)
		return -ENOMEM;
	if (atomic_load_explicit(copy, memory_order_relaxed) & PTE_PRESENT)
		return -EEXIST;
	if (frame_is_ram(frame) && !frame_map(frame, frame_word_owner(frame_word(frame)),
					      plan->target->object.owner->id))
		return -EAGAIN;
	if (plan->copy_on_write && (old & (PTE_WRITE | EXO_PTE_SOFT0)) != EXO_PTE_SOFT0) {
		do
			new = (old & ~PTE_WRITE) | EXO_PTE_SOFT0;
		while (!entry_swap(entry, &old, new));
		if (pte_loses_rights(old, new))
			harvest_change(&step->harvest, va);
	}
	atomic_store_explicit(copy, new & ~(PTE_ACCESSED | PTE_DIRTY), memory_order_release);
	return 0;
}

/*
 * Contents are reached through the physmap, so no entry and no lock is involved; the pin keeps the
 * frame the caller's until it is done.
 */
static int commit_contents(struct domain *d, const struct update_plan *plan, uint64_t done,
			   struct update_step *step)
{
	while (step->cost < step->limit && done + step->pages < plan->count) {
		uint64_t at = done + step->pages, to = plan->frame + at;
		uint64_t from = plan->source_frame + at;

		if (!frame_pin(to, d->id))
			return -EPERM;
		if (plan->code == EXO_OP_ZERO) {
			frame_zero(to);
		} else if (frame_pin(from, d->id)) {
			frame_copy(to, from);
			frame_unpin(from);
		} else {
			frame_unpin(to);
			return -EPERM;
		}
		frame_unpin(to);
		step->pages++;
		step->cost += UPDATE_COPY_COST;
	}
	return 0;
}

static bool needs_lock(const struct update_plan *plan)
{
	return plan->code != EXO_OP_ZERO && plan->code != EXO_OP_COPY;
}

void update_lock(const struct update_plan *plan)
{
	if (needs_lock(plan))
		lock_acquire_pair(&plan->target->lock,
				  plan->source ? &plan->source->lock : &plan->target->lock);
}

void update_unlock(const struct update_plan *plan)
{
	if (needs_lock(plan))
		lock_release_pair(&plan->target->lock,
				  plan->source ? &plan->source->lock : &plan->target->lock);
}

int update_commit(struct domain *d, const struct update_plan *plan, uint64_t done,
		  struct update_step *step)
{
	struct space *target = plan->target;

	step->harvest.space = plan->source ? plan->source : target;
	switch (plan->code) {
	case EXO_OP_MAP:
	case EXO_OP_MAP_DEVICE:
		return commit_entries(plan, target, plan->va, true, done, step, map_page);
	case EXO_OP_UNMAP:
		return commit_entries(plan, target, plan->va, false, done, step, unmap_page);
	case EXO_OP_PROTECT:
		return commit_entries(plan, target, plan->va, false, done, step, protect_page);
	case EXO_OP_CLONE:
		return commit_entries(plan, plan->source, plan->source_va, false, done, step,
				      clone_page);
	case EXO_OP_ZERO:
	case EXO_OP_COPY:
		return commit_contents(d, plan, done, step);
	}
	BUG();
}
