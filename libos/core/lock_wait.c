/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a spin lock: masked, so not for long.
 *
 * Whoever comes may take a lock that is free; so a CPU that takes it again as soon as it has dropped it
 * could keep another waiting for ever.  Who has looked in vain many times therefore writes itself beside
 * the holder.  That makes the one compare-and-exchange of lock_take() fail for everybody, so all who wait
 * come here, and here the one that is named goes first.  (lock_try() heeds no name: who only tries does not
 * wait for anybody.)
 *
 * Why nobody waits for one that does not come, as its host CPU does something else: the others are patient
 * for so many looks only, then they take the lock, and that ends the privilege; it is asked for again.
 *
 * Why a name is not left behind: who takes the lock writes the whole word.  The holder's release
 * writes its own half only, and so leaves a name that has come meanwhile.
 */
#include "core/lock.h"

static bool is_free_for(uint16_t word, uint16_t me, unsigned patience)
{
	uint16_t holder = word & 0xff, first = (uint16_t)(word >> 8);

	return holder == 0 && (first == 0 || first == me || patience == 0);
}

void lock_wait(struct lock *l, uint32_t cpu)
{
	uint16_t me = (uint16_t)cpu;
	unsigned patience = LOCK_LOOKS;

	for (;;) {
		/* Only reads, until it looks free: what the last holder did comes with the exchange. */
		uint16_t word = atomic_load_explicit(&l->word, memory_order_relaxed);

		if (is_free_for(word, me, patience) &&
		    atomic_compare_exchange_strong_explicit(
			    &l->word, &word, me, memory_order_acquire, memory_order_relaxed))
			return;
		if (patience > 0) {
			patience--;
			__builtin_ia32_pause();
			continue;
		}
		if (word >> 8 == 0)
			atomic_compare_exchange_strong_explicit(
				&l->word, &word, (uint16_t)(word | me << 8), memory_order_relaxed,
				memory_order_relaxed);
		patience = LOCK_LOOKS;
	}
}
