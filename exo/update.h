/* SPDX-License-Identifier: MIT */
/*
 * EXO_CALL_UPDATE: one call changes many entries of an address space.
 *
 *	update.c          the call: op by op, chunk by chunk; what was removed is harvested
 *	update_decode.c   one op: copied once, checked, turned into a plan; changes nothing
 *	update_commit.c   carries out a chunk of a plan, under the locks; takes no user pointer
 *
 * What only the page tables and the frame table can tell (is the entry free? is the frame still
 * the caller's?) is checked page by page: each page's step either happens whole or not at all, and
 * the progress that is reported says how many did.  That is what makes a call restartable.
 */
#ifndef EXO_UPDATE_H
#define EXO_UPDATE_H

#include "object.h"
#include "page_table.h"
#include "tlb_epoch.h"

/* Pages done under one taking of the lock; also the frames that one chunk can set free. */
#define UPDATE_CHUNK 128u
/* Zeroing or copying a page takes about as long as 1 << this many entries. */
#define UPDATE_FILL_SHIFT 3u
#define UPDATE_FILLS (EXO_OP_CLEAR | EXO_OP_FILL)
/* What an op may say. */
#define UPDATE_PROT (EXO_PROT_READ | EXO_PROT_WRITE | EXO_PROT_EXEC | EXO_PROT_SOFT0 | EXO_PROT_SOFT1 | \
		     EXO_PROT_SOFT2)
#define UPDATE_FLAGS (EXO_OP_REPLACE | EXO_OP_COW | EXO_OP_KEEP_COW | UPDATE_FILLS)
/* As does looking at all the entries of a table. */
#define UPDATE_TABLE_COST 64u
/* Above this many it is cheaper to flush the whole TLB than page by page. */
#define UPDATE_FLUSH_SINGLY 16u
/* Directory entries have changed: no single address says what TLBs have to forget. */
#define UPDATE_FLUSH_ALL (UPDATE_FLUSH_SINGLY + 1)

/* One op, decoded. */
struct update_plan {
	struct exo_op op;         /* the caller's, by value; but frames are counted from 0, not from a loan's
				   * first */
	bool revoke;              /* no op, but update_take_revoked() */
	uint16_t frame_owner;     /* must be the frames' that are mapped or filled */
	uint64_t bits;            /* what the entries will say, without the frame */
	struct space *target;
	struct space *source;     /* CLONE: whose entries are copied; revoke: the domain's shared
				   * region, whose CPUs are all that may know them; else the target */
	struct handle_view held;  /* of a loan, the source, or devices, or nothing */
};

/* Entries that lost rights in one chunk, and frames whose entries are gone. */
struct harvest {
	unsigned changed;     /* above UPDATE_FLUSH_SINGLY: anything may have */
	uint64_t va[UPDATE_FLUSH_SINGLY];
	unsigned frame_count;
	uint64_t frames[UPDATE_CHUNK + 1]; /* or devices' pages; afterwards: those that nothing maps */
	tlb_stamp left;       /* of spaces that used the same tables, or of this one (table_share.h) */
};

/* A chunk of an op. */
struct update_step {
	const struct update_plan *plan;
	uint64_t done;        /* pages of the op in earlier chunks */
	unsigned limit, cost; /* it ends when cost has reached limit; no more frames removed than cost */
	uint64_t pages;       /* how far it got */
	int error;            /* and why not further: errno, or 0 */
	struct harvest harvest;
};

/* Checks an op of a call by domain d.  0 with a plan, to be ended by update_plan_put(); or errno. */
int update_decode(struct domain *d, struct space *target, uint64_t user_op, struct update_plan *plan);
void update_plan_put(struct update_plan *plan);
/* The same for the op that the plan has already. */
int update_check(struct domain *d, struct space *target, struct update_plan *plan);

/*
 * Some of a sweep through a space, from page `*page` of it on: entries that point to REVOKED frames are gone
 * afterwards.  True: there is more.
 */
bool update_take_revoked(struct space *s, uint64_t *page);

/* Carries out what follows the first `done` pages of the plan, limit <= UPDATE_CHUNK, under the locks
 * of both spaces if it changes entries.  0 or an errno; step->pages were done in either case. */
int update_commit(struct update_step *step);

/* PROTECT, under the lock, where nothing but entries of one table is to be changed.  0, or an errno; -EAGAIN:
 * something else is, and nothing has been changed.  Of the harvest only what has changed is looked at. */
int update_commit_protect(const struct update_plan *plan, struct harvest *h);
/* MAP of one page, likewise, where none is: nothing is harvested, so of `step` only the plan is looked at. */
int update_commit_map(struct update_step *step);

#endif
