/* SPDX-License-Identifier: MIT */
/*
 * The only spin lock of the libos.  It masks upcalls while held, so that its holder is neither
 * preempted nor interrupted on its own CPU, and it has a rank: locks are taken in rising rank.
 * docs/locking.md has the table; debug builds keep a per-CPU stack of held locks and stop on an
 * inversion, on a sleep while masked, and on a wake made under a leaf lock.
 *
 * Wakes made while a lock is held are queued on the CPU and delivered when the last one is
 * dropped, or the CPU left (wait.h), so a wake never nests a run-queue operation inside somebody's lock.
 */
#ifndef LIBOS_LOCK_H
#define LIBOS_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/log.h"

enum lock_rank {
	/* Object locks: wakes are allowed under them.  At most one of each rank at a time,
	 * but for a second bucket that is only tried (proc/futex_two.c). */
	RANK_PROCESS = 10, /* process tree, process groups, sessions, wait4, signal state */
	RANK_FILES = 20,   /* one descriptor table */
	RANK_INODE = 30, /* one inode's attributes, the index of a file's pages, the tree's links */
	RANK_TTY = 40,   /* one terminal */
	RANK_PIPE = 45,  /* one pipe, one pair of sockets */
	RANK_MUTEX = 50, /* inside a sleeping mutex */
	RANK_FUTEX = 55, /* one futex hash bucket */
	RANK_POLLERS = 58, /* who waits for epolls, by poll or in another one */
	RANK_EPOLL = 60,   /* the ready items of one epoll */
	RANK_TASK = 65,    /* one task's affinity and priorities */
	RANK_TRACE = 70,   /* who waits until every CPU traces, or none does */
	/* Leaf locks: nothing is woken under them, and only memory's and the log's are taken, in this
	 * order. */
	RANK_LEAF = 80,
	RANK_HEAP = 81,
	RANK_FRAMES = 82,
	RANK_TIMER = 83,
	RANK_LOG = 90,
};

struct lock {
	/*
	 * Not a ticket lock: a virtual CPU whose turn it is may be off its host CPU for milliseconds, and
	 * everybody behind it would wait for that.  But who has waited for long goes first (lock_wait.c).
	 * CPUs are named by their number + 1, 0 is none.  The holder may write `holder`, to drop the lock;
	 * all other changes are of the whole word.
	 */
	union {
		_Atomic uint16_t word;
		struct {
			_Atomic uint8_t holder;
			_Atomic uint8_t first; /* has waited for long */
		};
	};
	uint16_t rank;    /* fixed */
	const char *name; /* fixed */
};

#define LOCK_INIT(lock_name, lock_rank) { .rank = (lock_rank), .name = (lock_name) }
void lock_init(struct lock *l, const char *name, enum lock_rank rank);

/* masking.asm, and with the checks of a debug build (I11).  lock_take(), upcalls_mask() and those that are
 * keeping change no register but RAX and RCX, which the compiler is told where they are called; not on the
 * host, where tests have others. */
void lock_take(struct lock *l);
void lock_take_masked(struct lock *l);
void lock_drop(struct lock *l);
void lock_drop_keeping(struct lock *l);
void lock_take_checked(struct lock *l);
void lock_take_masked_checked(struct lock *l);
void lock_drop_checked(struct lock *l);
void lock_forget_checked(struct lock *l);

/* Any context.  Masks upcalls; nests by count. */
static inline void lock_acquire(struct lock *l)
{
	if (EXO_DEBUG)
		lock_take_checked(l);
	else if (__STDC_HOSTED__)
		lock_take(l);
	else
		__asm__ volatile("call lock_take" : : "D"(l) : "rax", "rcx", "cc", "memory");
}

/* By who is masked, and holds no lock: what unmasks is the release of l. */
static inline void lock_acquire_masked(struct lock *l)
{
	if (EXO_DEBUG)
		lock_take_masked_checked(l);
	else
		lock_take_masked(l);
}

/* So often a CPU looks before it asks to go first, and so long it lets another that has asked. */
#define LOCK_LOOKS 1000u
/* For masking.asm, masked: takes a lock that was not free, for the CPU, which is named as in a lock. */
void lock_wait(struct lock *l, uint32_t cpu);

bool lock_try(struct lock *l);

/* Delivers queued wakes and pending upcalls when the mask count falls to zero. */
static inline void lock_release(struct lock *l)
{
	if (EXO_DEBUG)
		lock_drop_checked(l);
	else
		lock_drop(l);
}

/* The same for who needs its registers afterwards, and has woken nobody: otherwise it takes longer. */
static inline void lock_release_keeping(struct lock *l)
{
	if (EXO_DEBUG)
		lock_drop_checked(l);
	else if (__STDC_HOSTED__)
		lock_drop(l);
	else
		__asm__ volatile("call lock_drop_keeping" : : "D"(l) : "rax", "rcx", "cc", "memory");
}

/* Drops l and leaves upcalls masked, for who is to sleep (wait.c): the caller unmasks, or takes another lock
 * with lock_acquire_masked().  Wakes made under l are delivered by that, or by switch_away(). */
static inline void lock_release_masked(struct lock *l)
{
	if (EXO_DEBUG)
		lock_forget_checked(l);
	/* Release: whoever takes it next finds what was done under it. */
	atomic_store_explicit(&l->holder, 0, memory_order_release);
}

bool lock_held(const struct lock *l);

/* Masking alone.  upcalls_mask() nests; every call is paired with upcalls_unmask(). */
void upcalls_mask(void);
void upcalls_unmask(void);
bool upcalls_masked(void);
void unmask_keeping(void);

/* The same for who needs its registers afterwards, and has woken nobody. */
static inline void upcalls_mask_keeping(void)
{
	if (__STDC_HOSTED__)
		upcalls_mask();
	else
		__asm__ volatile("call upcalls_mask" : : : "rax", "rcx", "cc", "memory");
}

static inline void upcalls_unmask_keeping(void)
{
	if (__STDC_HOSTED__)
		upcalls_unmask();
	else
		__asm__ volatile("call unmask_keeping" : : : "rax", "rcx", "cc", "memory");
}

#endif
