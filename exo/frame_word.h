/* SPDX-License-Identifier: MIT */
/*
 * One entry of the frame table as one 64-bit word, and every step that such a word may take.
 *
 *	63           32 31   24 23   16 15      0
 *	| maps         | pins  | type  | owner   |	struct exo_frame_info, little endian
 *
 * Why a word and not a lock: mapping and unmapping, on all CPUs at once, are the hot paths, they
 * touch one frame each, and everything that must be consistent about a frame (who owns it, what it
 * is, how often it is used) fits one compare-and-swap.  So there is no frame lock, nothing to rank
 * and no CPU that waits; ring 3 reads the same words through its window.
 *
 * Pure: a step takes a word and returns the next one, or FRAME_WORD_REFUSED.  frame.c applies
 * them.  Compiles on the host for its tests.
 */
#ifndef EXO_FRAME_WORD_H
#define EXO_FRAME_WORD_H

#include <exo/abi.h>
#include <stdbool.h>
#include <stdint.h>

/* No word has this value: there is no such type. */
#define FRAME_WORD_REFUSED UINT64_MAX
#define FRAME_WORD_PINS (0xfful << 24)
#define FRAME_WORD_MAP (1ul << 32) /* one entry */

static inline uint64_t frame_word_make(uint16_t owner, enum exo_frame_type type)
{
	return owner | (uint64_t)type << 16;
}

static inline uint16_t frame_word_owner(uint64_t word)
{
	return word & 0xffff;
}

static inline enum exo_frame_type frame_word_type(uint64_t word)
{
	return word >> 16 & 0xff;
}

static inline unsigned frame_word_pins(uint64_t word)
{
	return word >> 24 & 0xff;
}

static inline uint32_t frame_word_maps(uint64_t word)
{
	return word >> 32;
}

/* I9, as far as one word shows it. */
bool frame_word_ok(uint64_t word);

/*
 * One more page table entry, in a space of domain `space_owner`.  A frame that somebody else owns
 * gets a pin as well, so that its owner can tell borrowers' entries from its own.
 * The frame table itself (PINNED, owned by nobody) may be mapped by all, without pins.
 */
uint64_t frame_word_map(uint64_t word, uint16_t frame_owner, uint16_t space_owner);
uint64_t frame_word_unmap(uint64_t word, uint16_t space_owner);

/*
 * A page table is used by one more space (table_share.h): `maps` of a TABLE counts the directory entries
 * that point to it beyond the first.  By one less: frame_word_unmap(), REFUSED for the only user.
 */
uint64_t frame_word_share(uint64_t word);

/* A use by the kernel or by a loan, which keeps the frame what it is. */
uint64_t frame_word_pin(uint64_t word, uint16_t owner);
uint64_t frame_word_unpin(uint64_t word);

/* USER, unused -> KERNEL, TABLE or PINNED, and back. */
uint64_t frame_word_claim(uint64_t word, uint16_t owner, enum exo_frame_type type);
/* USER, in no loan -> REVOKED, however often it is mapped. */
uint64_t frame_word_revoke(uint64_t word, uint16_t owner);
/* REVOKED -> KERNEL when it is not mapped; and so a dead owner's USER frame, whatever loans it was in.  A
 * PINNED one is the page of a vcore that it has made for another domain, and stays until that has ended. */
uint64_t frame_word_seize(uint64_t word, uint16_t owner);
uint64_t frame_word_release(uint64_t word, uint16_t new_owner);
/* PINNED -> USER, as it is: mapped, or not. */
uint64_t frame_word_unshare(uint64_t word);

#endif
