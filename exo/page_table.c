/* SPDX-License-Identifier: MIT */
/*
 * Page tables of ring 3.
 *
 *	ordinary space                     shared region of a domain
 *	PML4 [0 .. 252]  private           PDPT = slot 254 of all the domain's spaces
 *	     [253]       window: itself, read-only
 *	     [254]       the shared PDPT
 *	     [511]       the kernel's, the same everywhere
 */
#include "kernel.h"
#include "page_table.h"

/* From an entry down: the entry of the table that it points to for va, NULL if it points to none. */
static inline table_entry *below(table_entry *entry, unsigned level, uint64_t va, struct table_place *at)
{
	uint64_t next = atomic_load_explicit(entry, memory_order_relaxed) & PTE_ADDRESS;

	*at = (struct table_place){ entry, level };
	return next ? table_entries(next) + (va >> (9 * level + 3)) % TABLE_ENTRIES : NULL;
}

/*
 * Level by level, and not in a loop: whatever is done with a single page comes here.  As far as the directory
 * entry the last way is remembered: a table above the last level stays as long as the space, whose end alone
 * takes it out, and forgets the way first, so the entry has no other place.  What it says is read each time.
 */
table_entry *page_table_walk(struct space *s, uint64_t va, unsigned last, struct table_place *at)
{
	table_entry *entry = s->directory;

	ASSERT_INVARIANT(lock_held(&s->lock));
	if (s->walked != (va | (TABLE_SPAN - 1))) {
		entry = frame_pointer(s->root);
		entry = s->is_shared ? entry + (va >> 30) % TABLE_ENTRIES :
				       below(entry + (va >> 39) % TABLE_ENTRIES, 3, va, at);
		if (!entry || !(entry = below(entry, 2, va, at)))
			return NULL;
		s->walked = va | (TABLE_SPAN - 1);
		s->directory = entry;
	}
	return last == 0 ? below(entry, 1, va, at) : entry;
}

bool page_table_make(struct space *s, const struct table_place *at)
{
	uint64_t frame = page_table_pool_take(s), entry = frame << EXO_PAGE_SHIFT | TABLE_BITS;

	/* Release: a page walk that sees the entry sees an empty table. */
	if (frame)
		atomic_store_explicit(at->directory, entry, memory_order_release);
	return frame;
}

void page_table_pool_add(struct space *s, uint64_t frame)
{
	uint64_t *link = frame_pointer(frame);

	ASSERT_INVARIANT(frame_word_type(frame_word(frame)) == EXO_FRAME_TABLE);
	frame_zero(frame);
	*link = s->pool << EXO_PAGE_SHIFT; /* not present, to a processor that still knows the way here */
	s->pool = frame;
}

uint64_t page_table_pool_take(struct space *s)
{
	uint64_t frame = s->pool, *link = frame_pointer(frame);

	if (!frame || (frame_private[frame] && !tlb_frame_acknowledged(frame)))
		return 0;
	s->pool = *link >> EXO_PAGE_SHIFT;
	*link = 0;
	return frame;
}

/*
 * The first part of the shared region and the last hold the image, the vcore pages and what the kernel
 * shows.  Whoever made the domain fills them; the domain itself cannot change them.
 */
bool page_table_range_ok(const struct space *s, const struct domain *d, uint64_t va, uint64_t pages)
{
	uint64_t low = 0, high = EXO_USER_TOP, room;

	if (s->is_shared) {
		low = s->object.owner == d ? EXO_DYNAMIC_BASE : EXO_SHARED_BASE;
		high = s->object.owner == d ? EXO_MODULE_BASE : EXO_SHARED_END;
	}
	/* In pages, with what is less than one on top: so neither that nor an address below `low` fits. */
	room = (high - low) >> EXO_PAGE_SHIFT;
	va = (va - low) >> EXO_PAGE_SHIFT | (va - low) << (64 - EXO_PAGE_SHIFT);
	return pages <= room && va <= room - pages;
}

/*
 * No rights at all: the entry stays present, for the window and the frame's count, but is the
 * supervisor's.  Ring 3 faults on it; the kernel, which may not execute it (SMEP, NX) and touches
 * it only in the copy routines on the domain's own request, gains nothing by it.
 */
uint64_t page_table_bits(unsigned prot)
{
	static const uint64_t rights[] = { /* by EXO_PROT_READ 1, WRITE 2 and EXEC 4 */
		PTE_NX, PTE_USER | PTE_NX, PTE_USER | PTE_WRITE | PTE_NX, PTE_USER | PTE_WRITE | PTE_NX,
		PTE_USER, PTE_USER, PTE_USER | PTE_WRITE, PTE_USER | PTE_WRITE };

	/* The software bits are in the same order. */
	return rights[prot % 8] | PTE_PRESENT | (prot * (EXO_PTE_SOFT0 / EXO_PROT_SOFT0) & PTE_SOFT);
}

/* A frame that is not the owner's may be one that it has from another. */
uint64_t page_table_copied(const table_entry *place, uint64_t entry, uint16_t owner)
{
	uint64_t frame = pte_frame(entry);
	bool counted, there;

	if (!(entry & PTE_PRESENT) || !frame_is_ram(frame))
		return entry;
	counted = frame_map(frame, owner, owner) ||
		  frame_map(frame, frame_word_owner(frame_word(frame)), owner);
	there = pte_frame(atomic_load(place)) == frame;
	if (there && counted)
		return entry;
	if (counted)
		frame_unmap(frame, frame_word(frame), owner);
	else if (there && frame_word_type(frame_word(frame)) != EXO_FRAME_REVOKED)
		return 0;
	return EXO_PTE_LOST;
}

uint64_t page_table_copy(table_entry *to, const table_entry *from, uint64_t i, uint64_t end, uint64_t mask,
			 uint16_t owner)
{
	uint64_t bits = mask & ~PTE_WRITE, frames = frame_end, entry, frame, seen;
	uint32_t unused = frame_word_make(owner, EXO_FRAME_USER);
	_Atomic uint64_t *words = frame_words;

	for (; i < end; i++) {
		entry = atomic_load_explicit(&from[i], memory_order_relaxed);
		frame = pte_frame(entry);
		if (!entry || (*(const uint64_t *)&to[i] & PTE_PRESENT))
			continue;
		if ((entry & mask) != bits || frame >= frames)
			break;
		seen = atomic_load_explicit(&words[frame], memory_order_relaxed);
		if ((uint32_t)seen != unused || (int64_t)seen < 0 ||
		    !atomic_compare_exchange_strong(&words[frame], &seen, seen + FRAME_WORD_MAP))
			break;
		if (atomic_load(&from[i]) != entry) {
			frame_unmap(frame, frame_word(frame), owner);
			break;
		}
		atomic_store_explicit(&to[i], entry & ~(PTE_ACCESSED | PTE_DIRTY), memory_order_release);
	}
	return i;
}
