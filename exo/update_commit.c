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
	h->frames[h->frame_count++] = pte_frame(entry);
}

/*
 * Contents are reached through the physmap.  Frame `to` is the caller's meanwhile, by a pin or a map count;
 * false: what it is to be filled with is not.
 */
static bool fill(const struct update_plan *plan, uint64_t to, uint64_t index)
{
	uint64_t from = plan->op.source + index;

	if (plan->op.flags & EXO_OP_CLEAR) {
		frame_zero(to);
		return true;
	}
	if (!frame_pin(from, plan->frame_owner))
		return false;
	frame_copy(to, from);
	frame_unpin(from);
	return true;
}

static inline __attribute__((always_inline)) int
map_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	const struct update_plan *plan = step->plan;
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed);
	uint64_t frame = plan->op.frame + index;
	uint16_t space_owner = plan->target->object.owner->id;

	if ((old & PTE_PRESENT) && !(plan->op.flags & EXO_OP_REPLACE))
		return -EEXIST;
	if (plan->op.code == EXO_OP_MAP_DEVICE ? !frame_is_device(frame) :
						 !frame_map(frame, plan->frame_owner, space_owner))
		return -EPERM;
	if ((plan->op.flags & UPDATE_FILLS) && !fill(plan, frame, index)) {
		frame_unmap(frame, frame_word(frame), space_owner);
		return -EPERM;
	}
	harvest_removed(&step->harvest, va, atomic_exchange(entry, frame << EXO_PAGE_SHIFT | plan->bits));
	return 0;
}

/* Is all that the table around va maps in the range of the op? */
static bool covers_table(const struct update_plan *plan, uint64_t va)
{
	uint64_t start = va & ~(TABLE_SPAN - 1);

	return start >= plan->op.va && start - plan->op.va + TABLE_SPAN <= plan->op.count * EXO_PAGE_SIZE;
}

/* Is there a table, the space's alone, and do all TLBs know it?  By its directory entry. */
static bool table_is_own(uint64_t directory)
{
	uint64_t frame = pte_frame(directory);

	return (directory & PTE_WRITE) && (!frame_private[frame] || tlb_frame_acknowledged(frame));
}

/*
 * The entry for the page at va, in a table that is the space's own; NULL: there is none, which is an
 * error if it was to be made.  A table that is shared is copied first, or left if the op removes all of it.
 * What comes into a table waits until no CPU of those who left it can find its way there (EBUSY): it would
 * read another space's page.  What goes from it, they may see for a while: the epoch says until when.
 */
static table_entry *entry_to_change(struct update_step *step, struct space *s, uint64_t va,
				    bool make, struct table_place *at)
{
	tlb_stamp *left = &step->harvest.left;
	table_entry *entry;

	while (!(entry = page_table_walk(s, va, 0, at)))
		if (!make || (step->error = page_table_make(s, at) ? 0 : -ENOMEM))
			return NULL;
	if (table_is_own(*at->directory))
		return entry;
	if (table_is_shared(at->directory) && !step->plan->revoke) {
		step->cost += UPDATE_TABLE_COST;
		if (step->plan->op.code == EXO_OP_UNMAP && covers_table(step->plan, va))
			table_leave(s, at->directory, left);
		else
			step->error = table_unshare(s, at->directory, left);
		entry = page_table_walk(s, va, 0, at);
	}
	if (entry)
		*left = tlb_stamp_union(*left, frame_private[pte_frame(*at->directory)]);
	if (make && !step->error && !table_is_own(*at->directory))
		step->error = -EBUSY;
	return entry;
}

/*
 * UNMAP has come to the end of a table all of whose pages it removes: the table is given back like
 * them.  Unless it is not empty: the op may have been begun in the middle, and between its chunks
 * others may map.
 */
static void remove_table(table_entry *directory, struct update_step *step)
{
	const table_entry *table = frame_pointer(pte_frame(*directory));

	if (table_pass_empty(table, 0) < TABLE_ENTRIES)
		return;
	step->harvest.frames[step->harvest.frame_count++] = pte_frame(atomic_exchange(directory, 0));
	step->harvest.changed += UPDATE_FLUSH_ALL;
	step->cost++;
}

/*
 * CLONE: the table around va as a whole, if the op clones all of it copy-on-write.  False: page by
 * page, then.
 */
static bool clone_table(struct update_step *step, uint64_t index, table_entry *source)
{
	const struct update_plan *plan = step->plan;
	uint64_t va = plan->op.va + index * EXO_PAGE_SIZE;
	struct table_place at;
	table_entry *target;
	bool shared = table_is_shared(source), lost = false, done;

	if (!(plan->op.flags & EXO_OP_COW) || va % TABLE_SPAN || plan->op.count - index < TABLE_ENTRIES)
		return false;
	while (!(target = page_table_walk(plan->target, va, 1, &at)))
		if (!page_table_make(plan->target, &at))
			return false;
	done = table_share(plan->source, source, plan->target, target, &lost);
	if (lost || (done && !shared))
		step->harvest.changed += UPDATE_FLUSH_ALL;
	if (!done)
		return false;
	step->pages += TABLE_ENTRIES;
	step->cost += shared ? 1 : UPDATE_TABLE_COST;
	return true;
}

/*
 * The entry stands in a table that others may use too, and goes for all of them (table_share.h).
 */
static int revoke_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed);

	if ((old & PTE_PRESENT) && frame_word_type(frame_word(pte_frame(old))) == EXO_FRAME_REVOKED)
		harvest_removed(&step->harvest, va, atomic_exchange(entry, EXO_PTE_LOST));
	return 0;
}

/* Slowly: do TLBs still have the frame, or the table, for somebody who has given it up? */
static __attribute__((noinline, cold)) bool is_given_up(const struct harvest *h, uint64_t frame)
{
	return !tlb_acknowledged(h->left) || !tlb_frame_acknowledged(frame);
}

/*
 * An entry may gain the right to write only if the frame belongs to the space's own domain: what
 * was lent read-only, the frame table and devices stay as they were mapped.  And only when nobody reads the
 * frame any more who has lost it: a libos counts who maps it, and another CPU's TLB may still have it
 * from a space, or a table, that has just given it up.  What the processor adds to the entry meanwhile is
 * kept.
 */
static int protect_entry(const struct update_plan *plan, struct harvest *h, table_entry *entry, uint64_t va)
{
	uint64_t keep = plan->op.flags & EXO_OP_KEEP_COW ? EXO_PTE_SOFT0 : 0, new;
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed), frame = pte_frame(old);

	if (!(old & PTE_PRESENT))
		return 0;
	do {
		new = (old & ~(PTE_RIGHTS | PTE_SOFT)) | plan->bits;
		if (__builtin_expect_with_probability(old & keep, 0, 0.99)) /* rare enough for a jump */
			new = (new & ~PTE_WRITE) | keep;
		if (!(PTE_WRITE & new & ~old))
			continue;
		if (frame_word_owner(frame_word(frame)) != plan->target->object.owner->id)
			return -EPERM;
		if (__builtin_expect(frame_private[frame] | h->left, 0) && is_given_up(h, frame))
			return -EBUSY;
	} while (!atomic_compare_exchange_weak(entry, &old, new));
	if (pte_loses_rights(old, new))
		harvest_change(h, va);
	return 0;
}

static int protect_page(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index)
{
	return protect_entry(step->plan, &step->harvest, entry, va);
}

/* Are all entries of the plan in one table, which is the space's own?  Then *first is where they begin. */
static bool entries_at_hand(const struct update_plan *plan, table_entry **first)
{
	struct table_place at;
	const table_entry *directory = page_table_walk(plan->target, plan->op.va, 1, &at);
	uint64_t table = directory ? *directory : 0, i = plan->op.va / EXO_PAGE_SIZE % TABLE_ENTRIES;

	*first = table_entries(table) + i;
	return i + plan->op.count <= TABLE_ENTRIES && table_is_own(table);
}

int update_commit_protect(const struct update_plan *plan, struct harvest *h)
{
	table_entry *entry;
	int error = entries_at_hand(plan, &entry) ? 0 : -EAGAIN;

	for (uint64_t i = 0; !error && i < plan->op.count; i++)
		error = protect_entry(plan, h, &entry[i], plan->op.va + i * EXO_PAGE_SIZE);
	return error;
}

int update_commit_map(struct update_step *step)
{
	table_entry *entry;

	if (!entries_at_hand(step->plan, &entry) || (*entry & PTE_PRESENT))
		return -EAGAIN;
	return map_page(step, entry, step->plan->op.va, 0);
}

/*
 * CLONE: copies of `run` of the source's entries, the first of which is that of page `index`, as far as the
 * target's table goes.  Those that are empty are passed, and need no table; so are those that the target has
 * already.  A copy starts neither accessed nor dirty.  How far it got.
 */
static uint64_t clone_entries(struct update_step *step, table_entry *entry, uint64_t index, uint64_t run)
{
	const struct update_plan *plan = step->plan;
	uint64_t mask = PTE_PRESENT | (plan->op.flags & EXO_OP_COW ? PTE_WRITE | EXO_PTE_SOFT0 : 0), i = 0;
	uint16_t owner = plan->target->object.owner->id;
	struct table_place at;
	table_entry *copy;

	while (i < run && !atomic_load_explicit(&entry[i], memory_order_relaxed))
		i += table_line_is_empty(&entry[i]) ? 8 : 1;
	if (i >= run)
		return run;
	copy = entry_to_change(step, plan->target, plan->op.va + (index + i) * EXO_PAGE_SIZE, true, &at);
	if (!copy || step->error)
		return i;
	run = min(run, i + table_entries_left(copy));
	for (copy -= i; (i = page_table_copy(copy, entry, i, run, mask, owner)) < run; i++) {
		uint64_t old = atomic_load_explicit(&entry[i], memory_order_relaxed);
		uint64_t new = page_table_copied(&entry[i], old, owner), offset = (index + i) * EXO_PAGE_SIZE;

		if (!new) {
			step->error = -EAGAIN;
			break;
		}
		if ((new & mask) != (mask & ~PTE_WRITE) && (new & PTE_PRESENT)) {
			do
				new = (old & ~PTE_WRITE) | EXO_PTE_SOFT0;
			while (!atomic_compare_exchange_weak(&entry[i], &old, new));
			if (pte_loses_rights(old, new))
				harvest_change(&step->harvest, plan->op.source_va + offset);
		}
		atomic_store_explicit(&copy[i], new & ~(PTE_ACCESSED | PTE_DIRTY), memory_order_release);
	}
	return i;
}

/*
 * UNMAP: takes out `run` entries, the first of which is va's.  As many have changed as there are frames,
 * until a table has gone, from when on nobody looks which.  A store is enough: to an entry that is not
 * present the processor writes nothing, and what it has written before is of no interest.
 */
static uint64_t unmap_entries(struct harvest *h, table_entry *entry, uint64_t va, uint64_t run)
{
	uint64_t n = h->frame_count;

	for (uint64_t i = 0; i < run; i++) {
		uint64_t old = atomic_load_explicit(&entry[i], memory_order_relaxed);

		if (!old)
			i += table_line_is_empty(&entry[i]) ? 7 : 0;
		else
			atomic_store_explicit(&entry[i], 0, memory_order_relaxed);
		if (!(old & PTE_PRESENT))
			continue;
		if (n < UPDATE_FLUSH_SINGLY)
			h->va[n] = va + i * EXO_PAGE_SIZE;
		h->frames[n++] = pte_frame(old);
	}
	h->changed += n - h->frame_count;
	h->frame_count = n;
	return run;
}

typedef int page_step(struct update_step *step, table_entry *entry, uint64_t va, uint64_t index);

/*
 * Calls `page` for the entries of pages from `start` on, where the chunk and the plan's range meet.
 * make: for every entry, in tables that are made where they are missing; else for each that is not
 * empty, skipping missing tables at the cost of one.  CLONE and UNMAP have no `page`, but loops of their own.
 *
 * Inlined for each `page`: what is done for one page is a few instructions.
 */
static inline __attribute__((always_inline)) int
commit_entries(struct update_step *step, struct space *s, uint64_t start, bool make, page_step page)
{
	const struct update_plan *plan = step->plan;
	bool clones = !page && plan->op.code == EXO_OP_CLONE, unmaps = !page && !clones;

	while (!step->error && step->cost < step->limit && step->done + step->pages < plan->op.count) {
		uint64_t at = step->done + step->pages, va = start + at * EXO_PAGE_SIZE;
		struct table_place place;
		table_entry *entry;
		bool fills = page == map_page && (plan->op.flags & UPDATE_FILLS);
		unsigned run, i, shift = fills ? UPDATE_FILL_SHIFT : 0;

		/* A source is only marked, and if it is shared it is marked already. */
		entry = clones && plan->source != plan->target ? page_table_walk(s, va, 0, &place) :
								entry_to_change(step, s, va, make, &place);
		if (step->error)
			break;
		if (!entry) {
			step->pages += min(table_pages_missing(va, &place), plan->op.count - at);
			step->cost++;
			continue;
		}
		if (clones && va % TABLE_SPAN == 0 && clone_table(step, at, place.directory))
			continue;
		if (step->cost >= step->limit)
			break;
		run = ((step->limit - step->cost - 1) >> shift) + 1;
		run = min(min(table_entries_left(entry), plan->op.count - at), run);
		i = clones ? clone_entries(step, entry, at, run) :
		    unmaps ? unmap_entries(&step->harvest, entry, va, run) : 0;
		for (; page && i < run; i++) {
			if (!make && !atomic_load_explicit(&entry[i], memory_order_relaxed))
				continue;
			step->error = page(step, &entry[i], va + i * EXO_PAGE_SIZE, at + i);
			if (step->error)
				break;
		}
		step->pages += i;
		step->cost += i << shift;
		if (unmaps && (va + run * EXO_PAGE_SIZE) % TABLE_SPAN == 0 && covers_table(plan, va))
			remove_table(place.directory, step);
	}
	return step->error;
}

/* No entry and no lock is involved; the pin keeps the frame the caller's until it is done. */
static int commit_contents(struct update_step *step)
{
	const struct update_plan *plan = step->plan;

	for (; step->cost < step->limit && step->done + step->pages < plan->op.count; step->pages++) {
		uint64_t at = step->done + step->pages, to = plan->op.frame + at;
		bool pinned = frame_pin(to, plan->frame_owner), filled = pinned && fill(plan, to, at);

		if (pinned)
			frame_unpin(to);
		if (!filled)
			return -EPERM;
		step->cost += 1u << UPDATE_FILL_SHIFT;
	}
	return 0;
}

int update_commit(struct update_step *step)
{
	const struct update_plan *plan = step->plan;
	uint64_t va = plan->op.va;

	if (plan->revoke)
		return commit_entries(step, plan->target, va, false, revoke_page);
	switch (plan->op.code) {
	case EXO_OP_MAP:
	case EXO_OP_MAP_DEVICE:
		return commit_entries(step, plan->target, va, true, map_page);
	case EXO_OP_UNMAP:
		return commit_entries(step, plan->target, va, false, NULL);
	case EXO_OP_PROTECT:
		return commit_entries(step, plan->target, va, false, protect_page);
	case EXO_OP_CLONE:
		return commit_entries(step, plan->source, plan->op.source_va, false, NULL);
	case EXO_OP_COPY:
		return commit_contents(step);
	}
	BUG();
}
