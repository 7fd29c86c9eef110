/* SPDX-License-Identifier: MIT */
/* Page tables that several spaces use: see table_share.h. */
#include "kernel.h"
#include "table_share.h"

static uint64_t entry_load(const table_entry *entry)
{
	return atomic_load_explicit(entry, memory_order_relaxed);
}

/* Makes every entry copy-on-write; false at the first whose frame is not the domain's own. */
static bool forbid_writes(table_entry *table, uint16_t owner, bool *lost)
{
	for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t entry = entry_load(&table[i]);

		if (!(entry & PTE_PRESENT))
			continue;
		if (frame_word_owner(frame_word(pte_frame(entry))) != owner)
			return false;
		if ((entry & (PTE_WRITE | EXO_PTE_SOFT0)) == EXO_PTE_SOFT0)
			continue;
		/* Not a store: the processor may set other bits meanwhile. */
		if (atomic_fetch_or(&table[i], EXO_PTE_SOFT0) & PTE_WRITE) {
			atomic_fetch_and(&table[i], ~PTE_WRITE);
			*lost = true;
		}
	}
	return true;
}

bool table_share(struct space *from, table_entry *source, struct space *to, table_entry *target, bool *lost)
{
	uint16_t owner = from->object.owner->id;
	uint64_t table = pte_frame(entry_load(source));

	ASSERT_INVARIANT(lock_held(&from->lock) && lock_held(&to->lock));
	if (atomic_load(&from->object.owner->revoked))
		return false;
	if (from == to || from->is_shared || to->is_shared || to->object.owner->id != owner ||
	    frame_word_owner(frame_word(table)) != owner || entry_load(target))
		return false;
	if (!table_is_shared(source) && !forbid_writes(frame_pointer(table), owner, lost))
		return false;
	if (!frame_table_share(table))
		return false;
	atomic_fetch_and(source, ~PTE_WRITE);
	atomic_store_explicit(target, table << EXO_PAGE_SHIFT | (TABLE_BITS & ~PTE_WRITE),
			      memory_order_release);
	return true;
}

/* The order matters: see I10 in table_share.h.  The entry comes back if all others have left since
 * the first look; a fault meanwhile finds the libos's lock on the space taken. */
bool table_leave(struct space *s, table_entry *directory, tlb_stamp *stamp)
{
	uint64_t table = pte_frame(entry_load(directory));

	ASSERT_INVARIANT(table_is_shared(directory));
	if (frame_word_maps(frame_word(table)) > 0) {
		atomic_exchange(directory, 0);
		*stamp = tlb_stamp_union(*stamp, tlb_publish(s));
		if (s == this_cpu()->run.space) {
			this_cpu()->stats.tlb_flushes++;
			tlb_flush_all();
		}
		tlb_stamp_frame(table, *stamp);
		if (frame_table_leave(table))
			return true;
	}
	atomic_store_explicit(directory, table << EXO_PAGE_SHIFT | TABLE_BITS, memory_order_release);
	return false;
}

/* How many entries it could copy, all unless a map count was full. */
static unsigned copy_entries(table_entry *to, const table_entry *from, uint16_t owner)
{
	for (unsigned i = 0; (i = page_table_copy(to, from, i, TABLE_ENTRIES, PTE_PRESENT, owner)) <
	     TABLE_ENTRIES; i++) {
		uint64_t entry = entry_load(&from[i]);

		entry = page_table_copied(&from[i], entry, owner);
		if (!entry)
			return i;
		atomic_store_explicit(&to[i], entry & ~(PTE_ACCESSED | PTE_DIRTY), memory_order_relaxed);
	}
	return TABLE_ENTRIES;
}

int table_unshare(struct space *s, table_entry *directory, tlb_stamp *stamp)
{
	uint16_t owner = s->object.owner->id;
	uint64_t shared = pte_frame(entry_load(directory)), own;
	table_entry *copy;
	unsigned copied;

	if (frame_word_maps(frame_word(shared)) == 0) {
		table_leave(s, directory, stamp);
		return 0;
	}
	own = page_table_pool_take(s);
	if (!own)
		return -ENOMEM;
	copy = frame_pointer(own);
	copied = copy_entries(copy, frame_pointer(shared), owner);
	if (copied == TABLE_ENTRIES && table_leave(s, directory, stamp)) {
		atomic_store_explicit(directory, own << EXO_PAGE_SHIFT | TABLE_BITS, memory_order_release);
		return 0;
	}
	/* The copy was never seen.  Its frames' counts stay above 0: the table counts them too. */
	for (unsigned i = 0; i < copied; i++)
		if (entry_load(&copy[i]) & PTE_PRESENT)
			frame_unmap(pte_frame(entry_load(&copy[i])),
				    frame_word(pte_frame(entry_load(&copy[i]))), owner);
	page_table_pool_add(s, own);
	return copied == TABLE_ENTRIES ? 0 : -EAGAIN;
}
