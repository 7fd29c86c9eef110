/* SPDX-License-Identifier: MIT */
/*
 * Page tables shared between spaces until one of them changes an entry.
 *
 *	directory entry            table of 512 entries
 *	PTE_WRITE set              this space's alone
 *	PTE_WRITE clear, "shared"  perhaps others' too: `maps` of its frame says how many more
 *
 * A shared table is never changed, and none of its entries is writable (a clone has marked them for
 * copy on write), so that whoever has it sees what a table of his own would say.  An entry of it counts
 * once in its frame's map count, since it is one entry.  Who wants to change it has to leave: with a
 * copy of his own, whose entries count as well, or, if he wants to remove it all, with nothing.  The
 * last one cannot leave, and finds that the table is his alone.
 *
 * Only among spaces of one domain, and only tables and pages that the domain itself owns: so nobody
 * keeps what is another's, and no entry holds a pin.
 *
 * Why no lock covers a table that is in two spaces: its entries do not change while it is, and the
 * number of its users is one word, changed by compare-and-swap.  Users are added only by who is one,
 * under the lock of his space, so who finds himself alone stays alone while he holds that lock.
 *
 * One thing does change an entry in a shared table: a frame that is taken from the domain goes from all of
 * its users at once (revoke_page()).  That is done under the lock of one user, so that the table stays, and
 * that of the domain's shared region, so that only one does it; and all CPUs that have any space of the
 * domain loaded are told.  Tables are not shared further while there are such frames: else one might hide
 * from the sweep in spaces that it has passed.
 *
 * I10.  A CPU that has found its way through a table may remember the way (the processor caches
 * directory entries, and the window shows tables as pages), and the frames behind it.  Who leaves
 * therefore publishes an epoch and puts its stamp on the table's frame before he is counted out.  So
 * who finds himself alone sees the stamps of all who left; he adds the table's stamp to whatever he
 * removes from it, and to the table when that goes.
 */
#ifndef EXO_TABLE_SHARE_H
#define EXO_TABLE_SHARE_H

#include "page_table.h"
#include "tlb_epoch.h"

/* Of a directory entry that points to a table. */
static inline bool table_is_shared(const table_entry *directory)
{
	return !(atomic_load_explicit(directory, memory_order_relaxed) & PTE_WRITE);
}

/*
 * table_share - a table of `from` becomes the target's too
 *
 * source, target  their directory entries; under both locks
 * lost            out: entries of `from` may have lost the right to write, true or false
 *
 * False: it cannot be shared (the target has a table there, or something in it is not the domain's
 * own); but entries may have become copy-on-write nevertheless.
 */
bool table_share(struct space *from, table_entry *source, struct space *to, table_entry *target, bool *lost);

/* Under the lock of s, whose table is shared.  True: s does not use it any more, and has no table
 * there.  False: s is its only user, and it is not shared any more.  *stamp: see tlb_publish(). */
bool table_leave(struct space *s, table_entry *directory, tlb_stamp *stamp);

/* Under the lock of s, whose table is shared: s gets its own.  0, -ENOMEM (the pool is empty), or
 * -EAGAIN (a map count is full). */
int table_unshare(struct space *s, table_entry *directory, tlb_stamp *stamp);

#endif
