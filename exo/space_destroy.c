/* SPDX-License-Identifier: MIT */
/*
 * Taking an address space apart, in bounded steps.
 *
 * No CPU has it loaded and none will (begin), so nothing of it is in any TLB and its
 * entries need no epoch.  A step walks down from the root to the first table that still has
 * entries, empties tables from the bottom up, and stops when it has looked at enough entries or
 * the list is full.  The next step finds its place by walking down again, past empty entries.
 */
#include "kernel.h"
#include "calls.h"
#include "page_table.h"

/* Looks at lines of tables, and at entries in lines that are not empty.  More than the walk down needs (four
 * tables), so that every step gets somewhere. */
#define STEP_LOOKS 4096
#define PRIVATE_SLOTS 253u

struct stripping {
	struct space *space;
	struct frame_list *list;
	int looks_left;
	bool blocked; /* by a TLB elsewhere */
};

static void list_add(struct frame_list *list, uint64_t frame)
{
	ASSERT_INVARIANT(list->count < list->room);
	list->frames[list->count++] = frame;
}

/* Give a frame back to who paid for it. */
static void hand_back(struct frame_list *list, uint64_t frame)
{
	frame_release(frame);
	if (frame_word_owner(frame_word(frame)) == list->owner)
		list_add(list, frame);
}

/*
 * Why nobody is there, or comes, once this has found nobody.  Only vcores of its own domain go there.  Who
 * looked it up before `dying` was set has a reference, or has put it after his vcore was there: so references
 * are counted first.  Who remembers it finds another time than he has noted, or has said where he goes before
 * the clock was counted on here (switch_at_once).  A vcore that leaves the table meanwhile, and whose frame
 * may be anything by now, was dead, and nowhere.  And one that has gone elsewhere may still have it loaded:
 * so that comes last.  On this CPU nothing is loaded but where its vcore is.
 *
 * Not before what updates of it have removed is acknowledged everywhere.  That can be later than the
 * last CPU leaves it, since a frame brings the stamps of its removals from other spaces along; and
 * once the space has gone nobody could ask for the epoch any more.
 */
static int begin(struct space *s)
{
	/* Through tables that are about to go; and who revokes may have walked since the last step. */
	s->walked = 0;
	if (atomic_load(&s->dying))
		return 0;
	atomic_store(&s->dying, true);
	atomic_fetch_add(&stale_clock, 1);

	bool used = object_users(&s->object) != 1;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct vcore *v = atomic_load(&s->object.owner->vcores[cpu]);

		used |= v && atomic_load(&v->space) == s;
	}
	if (!used && !tlb_others_with(s) && tlb_acknowledged(atomic_load(&s->stale)))
		return 0;
	atomic_store(&s->dying, false);
	return -EBUSY;
}

/* The frame may be handed back at once, so no TLB may still reach it from another space. */
static bool strip_page(struct stripping *st, table_entry *entry)
{
	uint64_t frame = pte_frame(atomic_load(entry)), word;

	if (frame_is_ram(frame)) {
		if (!tlb_frame_acknowledged(frame)) {
			st->blocked = true;
			return false;
		}
		word = frame_unmap(frame, frame_word(frame), st->space->object.owner->id);
		if ((word & ~FRAME_WORD_PINS) == frame_word_make(st->list->owner, EXO_FRAME_USER)) {
			/* Its other entry may have gone since the first look: all stamps are there now. */
			if (tlb_frame_acknowledged(frame)) {
				list_add(st->list, frame);
			} else if (frame_map(frame, st->list->owner, st->space->object.owner->id)) {
				st->blocked = true;
				return false;
			}
		}
	}
	atomic_store(entry, 0);
	return true;
}

/* A table to be emptied, which other spaces may use as well: then it is left to them.  If not, it and
 * its pages may still be in the TLBs of those who used it before. */
static bool leave_table(struct stripping *st, uint64_t table)
{
	if (frame_table_leave(table))
		return true;
	st->blocked = !tlb_frame_acknowledged(table);
	return false;
}

/* Empty the first `count` entries of a table; false if the step ends before that is done. */
static bool strip_table(struct stripping *st, uint64_t table_frame, unsigned level, unsigned count)
{
	table_entry *table = frame_pointer(table_frame);

	st->looks_left -= TABLE_ENTRIES / 8;
	for (unsigned i = table_pass_empty(table, 0); i < count; i = table_pass_empty(table, i + 1)) {
		uint64_t entry = atomic_load_explicit(&table[i], memory_order_relaxed);

		if (st->looks_left-- <= 0 || st->list->count == st->list->room)
			return false;
		if (!(entry & PTE_PRESENT))
			continue;
		if (level == 0) {
			if (!strip_page(st, &table[i]))
				return false;
			continue;
		}
		if (level == 1 && leave_table(st, pte_frame(entry))) {
			atomic_store(&table[i], 0);
			continue;
		}
		if (st->blocked || !strip_table(st, pte_frame(entry), level - 1, TABLE_ENTRIES) ||
		    st->list->count == st->list->room)
			return false;
		atomic_store(&table[i], 0);
		hand_back(st->list, pte_frame(entry));
	}
	return true;
}

static bool strip_pool(struct stripping *st)
{
	uint64_t frame;

	while (st->list->count < st->list->room && (frame = page_table_pool_take(st->space)))
		hand_back(st->list, frame);
	/* A CPU that was idle when begin() looked may be awake again, and not have flushed its TLB yet. */
	st->blocked |= st->space->pool && st->list->count < st->list->room;
	return !st->space->pool;
}

int space_destroy_step(struct space *s, struct frame_list *list)
{
	struct stripping st = { .space = s, .list = list, .looks_left = STEP_LOOKS };
	uint64_t root = s->root, object = s->object.frame;
	int error;
	bool stripped;

	lock_acquire(&s->lock);
	error = begin(s);
	ASSERT_INVARIANT(error || !tlb_others_with(s));
	stripped = !error &&
		   strip_table(&st, root, 3 - s->is_shared, s->is_shared ? TABLE_ENTRIES : PRIVATE_SLOTS) &&
		   strip_pool(&st) && list->count + 2 <= list->room;
	lock_release(&s->lock);
	if (error || (st.blocked && list->count == 0))
		return -EBUSY;
	if (!stripped || !object_word_retire(s->object.frame))
		return 1;
	hand_back(list, root);
	debug_poison(object);
	hand_back(list, object);
	return 0;
}

/* (space, out, room) -> frames handed back.  The table asks for a handle of any kind, since one that
 * asks for a space does not find those that are being destroyed. */
int64_t call_space_destroy(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *d = domain_current();
	struct frame_list list = { .owner = d->id, .room = min(regs->rdx, FRAME_LIST_MAX) };
	int result;

	if (h->kind != OBJECT_SPACE)
		return -EBADF;
	if (h->space->is_shared || list.room < 2)
		return -EINVAL;
	result = space_destroy_step(h->space, &list);
	if (!result) { /* the object, and our reference with it, is gone */
		h->kept = true;
		handle_drop(d, regs->rdi);
	}
	if (result < 0)
		return result;
	/* A list that cannot be written costs nobody but the caller. */
	if (copy_to_user(regs->rsi, list.frames, list.count * sizeof(list.frames[0])))
		return -EFAULT;
	return list.count ? (int64_t)list.count : -EBUSY;
}
