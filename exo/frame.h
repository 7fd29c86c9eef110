/* SPDX-License-Identifier: MIT */
/*
 * The frame table: who owns each physical page, what it is, and how often it is used (I9).
 * All functions may be called on any CPU at any time; see frame_word.h for why no lock is needed.
 */
#ifndef EXO_FRAME_H
#define EXO_FRAME_H

#include <exo/abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "frame_word.h"
#include "x86/paging.h"

struct multiboot2_info;

/* Seen by ring 3 as struct exo_frame_info[]; for frame.c, and for loops over many frames. */
extern _Atomic uint64_t *frame_words;
extern uint64_t frame_end; /* one past the highest frame number; fixed after frame_table_init() */
/* What only the kernel knows about each frame, a word: a stamp (tlb_epoch.h) or an object's (object.h). */
extern _Atomic uint64_t *frame_private;
#define FRAME_PRIVATE_OBJECT (1ul << 63) /* which of the two it is */
/* The frames that the table itself lies in; anybody may map them read-only. */
extern struct exo_range frame_table_frames;

static inline void *frame_pointer(uint64_t frame)
{
	return phys_to_virt(frame << EXO_PAGE_SHIFT);
}

static inline uint64_t frame_of_pointer(const void *pointer)
{
	return virt_to_phys(pointer) >> EXO_PAGE_SHIFT;
}

/*
 * Boot CPU.  frame_table_init() places and fills the table, from what the loader left at [at, at +
 * size); then memory is taken out of it by frame_take(): a zeroed frame, or panic.
 */
void frame_table_init(const struct multiboot2_info *loader, uint64_t at, uint64_t size) __attribute__((cold));
void frame_table_place(uint64_t first, uint64_t count);
uint64_t frame_take(uint16_t owner, enum exo_frame_type type);

/* The word now; 0 (not RAM) for a number beyond the table. */
uint64_t frame_word(uint64_t frame);
/* Does the table keep count of it?  If not it is device memory. */
bool frame_is_ram(uint64_t frame);
/* May it be mapped as device memory: not RAM, not an APIC, and a number that exists? */
bool frame_is_device(uint64_t frame);

/* One more or one less page table entry; map returns false if frame_owner does not own it, or it
 * must not be mapped, or a count is full.  unmap is told the word as it was seen last, and returns
 * the one that it leaves. */
bool frame_map(uint64_t frame, uint16_t frame_owner, uint16_t space_owner);
uint64_t frame_unmap(uint64_t frame, uint64_t seen, uint16_t space_owner);
/* Does unmap's work for all of the frames that have more entries, and that nothing but entries uses: their
 * words are `unused` but for that.  Leaves in the list the others, in order; how many those are. */
unsigned frame_unmap_easy(uint64_t *frames, unsigned count, uint32_t unused);

/* One more or one less space that uses a page table; false: the count is full; it is the only one. */
bool frame_table_share(uint64_t frame);
bool frame_table_leave(uint64_t frame);

/* Keep a USER frame from being given away or retyped while the kernel works on its contents. */
bool frame_pin(uint64_t frame, uint16_t owner);
void frame_unpin(uint64_t frame);

/*
 * frame_claim - the kernel takes a frame that a domain gives up (retype)
 *
 * type    EXO_FRAME_KERNEL, EXO_FRAME_TABLE, or EXO_FRAME_PINNED for a page shared with the kernel
 *
 * Returns 0, -EPERM (not the owner's, or not a USER frame), -EBUSY (mapped or pinned), or -EAGAIN:
 * a TLB may still hold a translation to it (I10); the CPUs behind have been reminded.  A frame
 * whose epoch was polled (EXO_CALL_TLB_POLL) never gives EAGAIN.
 */
int frame_claim(uint64_t frame, uint16_t owner, enum exo_frame_type type);
/* Claim `count` frames or none; the last one as a type of its own. */
int frame_claim_all(const uint64_t *frames, unsigned count, uint16_t owner,
		    enum exo_frame_type type, enum exo_frame_type last_type);
/* From now on nobody maps, pins or claims it; false unless it is the owner's, USER and not pinned. */
bool frame_revoke(uint64_t frame, uint16_t owner);
/*
 * Claim a revoked frame, or a dead domain's, lent or not; false while somebody maps it, or a TLB might.
 * Nobody maps such a frame any more: so all of its stamps have been written when its map count is seen to
 * be 0, and it is looked at first.
 */
bool frame_seize(uint64_t frame, uint16_t owner);
/* The way back, to its owner as a USER frame.  The contents are as the kernel left them. */
void frame_release(uint64_t frame);
void frame_release_all(const uint64_t *frames, unsigned count);
/* To somebody else, or to nobody (0); the caller has scrubbed it. */
void frame_release_to(uint64_t frame, uint16_t new_owner);
/* A PINNED page that the kernel shares no longer, mapped or not. */
void frame_unshare(uint64_t frame);

/* Boot only: what the frames [first, end), which nobody has yet, are from now on. */
void frame_assign(uint64_t first, uint64_t end, uint16_t owner, enum exo_frame_type type);
/* Boot only: where frames end whose words are all as the one of `first`, which is in the table. */
uint64_t frame_run_end(uint64_t first);

void frame_zero(uint64_t frame);
void frame_copy(uint64_t to, uint64_t from);

#endif
