/* SPDX-License-Identifier: MIT */
/*
 * Page tables of ring 3: finding an entry, and what an entry may say.  All under the lock of the
 * space.  Only 4 KiB pages; every table is a TABLE frame out of the space's pool.
 */
#ifndef EXO_PAGE_TABLE_H
#define EXO_PAGE_TABLE_H

#include "frame.h"
#include "object.h"
#include "x86/paging.h"

#define TABLE_ENTRIES 512u
#define TABLE_SPAN (TABLE_ENTRIES * EXO_PAGE_SIZE) /* of addresses */
/* Tables grant everything; the last level decides.  But see table_share.h for PTE_WRITE. */
#define TABLE_BITS (PTE_PRESENT | PTE_WRITE | PTE_USER)

/* The processor sets ACCESSED and DIRTY at any time, hence atomic. */
typedef _Atomic uint64_t table_entry;

/* Where a walk has ended. */
struct table_place {
	table_entry *directory; /* the last entry on the way: points to the page's table, or is empty */
	unsigned level;         /* of that entry */
};

/* For how many pages from va on an empty directory entry says that they have no table. */
static inline uint64_t table_pages_missing(uint64_t va, const struct table_place *at)
{
	uint64_t covered = 1ul << (9 * at->level);

	return covered - ((va >> EXO_PAGE_SHIFT) & (covered - 1));
}

/* Is this the first entry of a line, and is all of it empty?  Not by atomic loads, which are an instruction
 * each: under the lock an empty entry stays empty. */
static inline bool table_line_is_empty(const table_entry *entry)
{
	const uint64_t *e = (const void *)entry;

	return (uintptr_t)e % 64 == 0 && !(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]);
}

/* From entry i on, past the lines of entries that are empty, as most of a table is; up to its end. */
static inline unsigned table_pass_empty(const table_entry *table, unsigned i)
{
	while (i < TABLE_ENTRIES && table_line_is_empty(&table[i]))
		i += 8;
	return i;
}

/* The table that a directory entry points to. */
static inline table_entry *table_entries(uint64_t directory)
{
	return phys_to_virt(directory & PTE_ADDRESS);
}

/* How many entries there are from this one to the end of its table. */
static inline unsigned table_entries_left(const table_entry *entry)
{
	return TABLE_ENTRIES - (uintptr_t)entry / sizeof(*entry) % TABLE_ENTRIES;
}

/*
 * page_table_walk - the entry for a page
 *
 * last  0; or 1 for the directory entry for the 2 MiB around it
 *
 * NULL: a table is missing on the way; page_table_make() makes it, unless the pool is empty, and the next
 * walk gets further.  Before an entry is changed: table_is_shared(at->directory)?
 */
table_entry *page_table_walk(struct space *s, uint64_t va, unsigned last, struct table_place *at);
bool page_table_make(struct space *s, const struct table_place *at);

/* A frame for the pool; the caller has claimed it as a TABLE, or taken it out of the directory. */
void page_table_pool_add(struct space *s, uint64_t frame);
/* 0 when the pool is empty, or a TLB elsewhere may still hold the way through what would be next. */
uint64_t page_table_pool_take(struct space *s);

/* May domain d change [va, va + pages) in this space? */
bool page_table_range_ok(const struct space *s, const struct domain *d, uint64_t va, uint64_t pages);

/* The rights and software bits of enum exo_prot as bits of an entry. */
uint64_t page_table_bits(unsigned prot);
/* All bits that page_table_bits() can set, in either sense. */
#define PTE_SOFT (EXO_PTE_SOFT0 | EXO_PTE_SOFT1 | EXO_PTE_SOFT2)
#define PTE_RIGHTS (PTE_WRITE | PTE_USER | PTE_NX)

static inline uint64_t pte_frame(uint64_t entry)
{
	return entry << 12 >> (12 + EXO_PAGE_SHIFT); /* PTE_ADDRESS, without a constant */
}

/* Does `after`, of the same frame, forbid anything that `before` allows?  Then TLBs must forget it. */
static inline bool pte_loses_rights(uint64_t before, uint64_t after)
{
	return (before ^ after) & (before ^ PTE_NX) & (PTE_PRESENT | PTE_RIGHTS);
}

/*
 * page_table_copied - what a copy of an entry is to say, once more in the count of its frame
 *
 * place        where the entry stands, under the lock of a space that uses the table
 * owner        of the space that the copy is for
 *
 * 0: the count is full.  EXO_PTE_LOST: the frame is being taken from the domain.  That happens under another
 * lock if the table is shared, and then the frame may be anybody's already: so the entry is looked at again
 * after it was counted.  If it is still there, the frame is still whose it was.
 */
uint64_t page_table_copied(const table_entry *place, uint64_t entry, uint16_t owner);
/*
 * The same for entries from[i] and so on, before from[end], written to to[i] and so on, neither accessed
 * nor dirty, but for those that are empty, or present in `to`.  It goes as far as that is simple, as it
 * nearly always is: where it ends, the entry has other bits of `mask` than all but PTE_WRITE, or its frame
 * has other uses.
 */
uint64_t page_table_copy(table_entry *to, const table_entry *from, uint64_t i, uint64_t end, uint64_t mask,
			 uint16_t owner);

#endif
