/* SPDX-License-Identifier: MIT */
/* Carrying out a chunk of an op.  No user pointer comes in here. */
#include "kernel.h"
#include "table_share.h"
#include "update.h"

static void harvest_change(struct harvest *h, uint64_t va)
{
	if (h->changed < UPDATE_FLUSH_SINGLY)
		h->va[h->changed] = va;
	h->changed++;
}

/* An entry has been taken out of the table; nothing to do if it was not present. */
static void harvest_removed(struct harvest *h, uint64_t va, uint64_t entry)
{
	if (!(entry & PTE_PRESENT))
		return;
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

static int map_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	const struct update_plan *plan = step->plan;
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), frame = plan->frame + index;
	uint16_t space_owner = plan->target->object.owner->id;

	if ((old & PTE_PRESENT) && !plan->replace)
		return -EEXIST;
	if (plan->code == EXO_OP_MAP_DEVICE ? !frame_is_device(frame) :
					      !frame_map(frame, plan->frame_owner, space_owner))
		return -EPERM;
	harvest_removed(&step->harvest, va,
			atomic_exchange(entry, frame << EXO_PAGE_SHIFT | plan->bits));
	return 0;
}

/* Directory entries have changed: no single address says what TLBs have to forget. */
static void harvest_tables(struct harvest *h)
{
	h->changed += UPDATE_FLUSH_SINGLY + 1;
}

/* Is all that the table around va maps in the range of the op? */
static bool covers_table(const struct update_plan *plan, uint64_t va)
{
	uint64_t start = va & ~(TABLE_SPAN - 1);

	return start >= plan->va &&
	       start - plan->va + TABLE_SPAN <= plan->count * EXO_PAGE_SIZE;
}

/*
 * The entry for the page at va, in a table that is the space's own; NULL in *entry without an error:
 * there is none.  A table that is shared is copied first, or left if the op removes all of it.
 */
static int entry_to_change(struct update_step *step, struct space *s, uint64_t va, bool make,
			   struct table_place *at, table_entry **entry)
{
	tlb_stamp *left = &step->harvest.left;
	int error = 0;

	*entry = page_table_walk(s, va, 0, make, at);
	if (!*entry)
		return make ? -ENOMEM : 0;
	if (table_is_shared(at->directory) && !step->plan->revoke) {
		step->cost += UPDATE_TABLE_COST;
		if (step->plan->code == EXO_OP_UNMAP && covers_table(step->plan, va))
			table_leave(s, at->directory, left);
		else
			error = table_unshare(s, at->directory, left);
		*entry = page_table_walk(s, va, 0, false, at);
	}
	if (*entry && !tlb_frame_acknowledged(pte_frame(*at->directory)))
		*left = tlb_stamp_union(*left, frame_private[pte_frame(*at->directory)].stamp);
	return error;
}

/*
 * UNMAP has come to the end of a table all of whose pages it removes: the table is given back like
 * them.  Unless it is not empty: the op may have been begun in the middle, and between its chunks
 * others may map.
 */
static void remove_table(table_entry *directory, struct update_step *step)
{
	const table_entry *table = frame_pointer(pte_frame(*directory));

	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		if (atomic_load_explicit(&table[i], memory_order_relaxed))
			return;
	step->harvest.frames[step->harvest.frame_count++] = pte_frame(atomic_exchange(directory, 0));
	harvest_tables(&step->harvest);
	step->cost++;
}

/*
 * CLONE: the table around va as a whole, if the op clones all of it copy-on-write.  False: page by
 * page, then.
 */
static bool clone_table(struct update_step *step, uint64_t index, table_entry *source)
{
	const struct update_plan *plan = step->plan;
	uint64_t va = plan->va + index * EXO_PAGE_SIZE;
	struct table_place at;
	table_entry *target;
	bool shared = table_is_shared(source), lost = false, done;

	if (!plan->copy_on_write || va % TABLE_SPAN || plan->count - index < TABLE_ENTRIES)
		return false;
	target = page_table_walk(plan->target, va, 1, true, &at);
	if (!target)
		return false;
	done = table_share(plan->source, source, plan->target, target, &lost);
	if (lost || (done && !shared))
		harvest_tables(&step->harvest);
	if (!done)
		return false;
	step->pages += TABLE_ENTRIES;
	step->cost += shared ? 1 : UPDATE_TABLE_COST;
	return true;
}

typedef int page_step(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index);

/* Calls `page` for `run` entries that stand together, or for those that are not empty. */
static int commit_run(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index,
		      uint64_t run, bool all, page_step page)
{
	uint64_t done = 0;
	int error = 0;

	for (; done < run; done++) {
		if (!all && !atomic_load_explicit(&entry[done], memory_order_relaxed))
			continue;
		error = page(step, &entry[done], va + done * EXO_PAGE_SIZE, index + done);
		if (error)
			break;
	}
	step->pages += done;
	step->cost += done;
	return error;
}

/*
 * Calls `page` for the entries of pages from `start` on, where the chunk and the plan's range meet.
 * make: for every entry, in tables that are made where they are missing; else for each that is not
 * empty, skipping missing tables at the cost of one.
 */
static int commit_entries(struct update_step *step, struct space *s, uint64_t start, bool make,
			  page_step page)
{
	const struct update_plan *plan = step->plan;

	while (step->cost < step->limit && step->done + step->pages < plan->count) {
		uint64_t at = step->done + step->pages, va = start + at * EXO_PAGE_SIZE, run;
		struct table_place place;
		table_entry *entry;
		int error = 0;

		/* A source is only marked, and if it is shared it is marked already. */
		if (plan->code == EXO_OP_CLONE && plan->source != plan->target)
			entry = page_table_walk(s, va, 0, false, &place);
		else
			error = entry_to_change(step, s, va, make, &place, &entry);
		if (error)
			return error;
		run = min(place.run, plan->count - at);
		if (!entry) {
			step->pages += run;
			step->cost++;
			continue;
		}
		if (plan->code == EXO_OP_CLONE && va % TABLE_SPAN == 0 &&
		    clone_table(step, at, place.directory))
			continue;
		if (step->cost >= step->limit)
			break;
		run = min(run, step->limit - step->cost);
		error = commit_run(step, entry, va, at, run, make, page);
		if (error)
			return error;
		if (plan->code == EXO_OP_UNMAP && (va + run * EXO_PAGE_SIZE) % TABLE_SPAN == 0 &&
		    covers_table(plan, va))
			remove_table(place.directory, step);
	}
	return 0;
}

static int unmap_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	harvest_removed(&step->harvest, va, atomic_exchange(entry, 0));
	return 0;
}

/*
 * The entry stands in a table that others may use too, and goes for all of them (table_share.h).
 */
static int revoke_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed);

	if ((old & PTE_PRESENT) &&
	    frame_word_type(frame_word(pte_frame(old))) == EXO_FRAME_REVOKED)
		harvest_removed(&step->harvest, va, atomic_exchange(entry, EXO_PTE_LOST));
	return 0;
}

/* An entry may gain the right to write only if the frame belongs to the space's own domain: what
 * was lent read-only, the frame table and devices stay as they were mapped. */
static bool may_gain_write(const struct space *s, uint64_t entry)
{
	return frame_word_owner(frame_word(pte_frame(entry))) == s->object.owner->id;
}

static int protect_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	const struct update_plan *plan = step->plan;
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), new;

	if (!(old & PTE_PRESENT))
		return 0;
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
static int copy_entry(struct update_step *step, uint64_t index, table_entry **copy)
{
	const struct update_plan *plan = step->plan;
	struct copy_cursor *c = &step->copies;

	if (!c->entry || index - c->index >= c->at.run) {
		int error = entry_to_change(step, plan->target, plan->va + index * EXO_PAGE_SIZE, true,
					    &c->at, &c->entry);

		if (error)
			return error;
		c->index = index;
	}
	*copy = c->entry + (index - c->index);
	return 0;
}

/* `entry` is the source's.  The copy starts neither accessed nor dirty. */
static int clone_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	const struct update_plan *plan = step->plan;
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), new;
	table_entry *copy;
	int error = copy_entry(step, index, &copy);

	if (error)
		return error;
	if (atomic_load_explicit(copy, memory_order_relaxed) & PTE_PRESENT)
		return -EEXIST;
	new = page_table_copied(entry, old, frame_word_owner(frame_word(pte_frame(old))),
				plan->target->object.owner->id);
	if (!new)
		return -EAGAIN;
	if ((new & PTE_PRESENT) && plan->copy_on_write &&
	    (old & (PTE_WRITE | EXO_PTE_SOFT0)) != EXO_PTE_SOFT0) {
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
static int commit_contents(struct domain *d, struct update_step *step)
{
	const struct update_plan *plan = step->plan;

	while (step->cost < step->limit && step->done + step->pages < plan->count) {
		uint64_t at = step->done + step->pages, to = plan->frame + at;
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

int update_commit(struct domain *d, struct update_step *step)
{
	const struct update_plan *plan = step->plan;

	step->harvest.space = plan->source;
	if (plan->revoke)
		return commit_entries(step, plan->target, plan->va, false, revoke_page);
	switch (plan->code) {
	case EXO_OP_MAP:
	case EXO_OP_MAP_DEVICE:
		return commit_entries(step, plan->target, plan->va, true, map_page);
	case EXO_OP_UNMAP:
		return commit_entries(step, plan->target, plan->va, false, unmap_page);
	case EXO_OP_PROTECT:
		return commit_entries(step, plan->target, plan->va, false, protect_page);
	case EXO_OP_CLONE:
		return commit_entries(step, plan->source, plan->source_va, false, clone_page);
	case EXO_OP_ZERO:
	case EXO_OP_COPY:
		return commit_contents(d, step);
	}
	BUG();
}
