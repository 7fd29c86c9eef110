/* SPDX-License-Identifier: MIT */
/*
 * The kernel's only lock: a fair spin lock with a rank.  Locks are taken in the order of their
 * ranks, with interrupts off (they always are in the kernel, K1), and nobody waits for another
 * CPU's answer while holding one.  Debug builds check all of that where the lock is taken.
 */
#ifndef EXO_LOCK_H
#define EXO_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In the order in which they may be taken. */
enum lock_rank {
	LOCK_SPACE,   /* one address space; two of them only through lock_acquire_pair */
	LOCK_IOAPIC,  /* the select and window registers of one IO APIC */
	LOCK_CONSOLE, /* the debug console; a leaf */
	LOCK_RANKS,
};

struct lock {
	/* Fixed after initialisation, which is to set it in a zeroed structure. */
	enum lock_rank rank;

	/* Any CPU.  A taker draws `next` and waits until `serving` reaches it. */
	_Atomic uint32_t next, serving;

	/* In debug builds, written by the CPU that holds the lock, for assertions. */
	_Atomic uint32_t owner; /* CPU number + 1, or 0 */
};

void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);

/* Two locks of one rank, taken in the order of their addresses; they may be the same lock, which is
 * then taken once. */
void lock_acquire_pair(struct lock *first, struct lock *second);
void lock_release_pair(struct lock *first, struct lock *second);

/* Does the calling CPU hold it?  For assertions. */
bool lock_held(const struct lock *lock);

#endif
