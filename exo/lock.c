/* SPDX-License-Identifier: MIT */
/* The ranked ticket lock. */
#include "kernel.h"

/* I11: no lock of a rank above `rank` is held, nor of that rank itself unless it is one of a pair. */
static bool rank_allowed(enum lock_rank rank, bool second_of_pair)
{
	const struct cpu *cpu = this_cpu();

	for (unsigned r = rank + 1; r < LOCK_RANKS; r++)
		if (cpu->locks_held[r])
			return false;
	return cpu->locks_held[rank] == (second_of_pair ? 1 : 0);
}

static void acquire(struct lock *lock, bool second_of_pair)
{
	ASSERT_INVARIANT(!interrupts_enabled());
	ASSERT_INVARIANT(rank_allowed(lock->rank, second_of_pair));
	uint32_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);
	/* Acquire pairs with the release in lock_release: what the previous holder wrote is seen. */
	while (__builtin_expect(atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket, false))
		cpu_pause();
	debug_lock_taken(lock, this_cpu());
}

void lock_acquire(struct lock *lock)
{
	acquire(lock, false);
}

void lock_release(struct lock *lock)
{
	ASSERT_INVARIANT(lock_held(lock));
	debug_lock_given_back(lock, this_cpu());
	/* Only the holder writes `serving`, so a plain increment published by a release does. */
	atomic_store_explicit(&lock->serving, lock->serving + 1, memory_order_release);
}

void lock_acquire_pair(struct lock *first, struct lock *second)
{
	acquire(first < second ? first : second, false);
	if (second != first)
		acquire(first < second ? second : first, true);
}

void lock_release_pair(struct lock *first, struct lock *second)
{
	if (second != first)
		lock_release(second);
	lock_release(first);
}

bool lock_held(const struct lock *lock)
{
	return atomic_load_explicit(&lock->owner, memory_order_relaxed) == this_cpu()->number + 1;
}
