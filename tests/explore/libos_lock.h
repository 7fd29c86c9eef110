/* SPDX-License-Identifier: MIT */
/* The libos's locks where nothing else of a CPU matters: no masks, and nobody only tries (libos_cpus.h has
 * those).  Who waits does so in the engine. */
#ifndef TESTS_EXPLORE_LIBOS_LOCK_H
#define TESTS_EXPLORE_LIBOS_LOCK_H

#include "core/lock.h"
#include "explore.h"

static bool lock_is_free(void *l)
{
	return ((struct lock *)l)->holder == 0;
}

void lock_take(struct lock *l)
{
	uint8_t free = 0;

	while (!atomic_compare_exchange_strong(&l->holder, &free, 1)) {
		explore_wait(lock_is_free, l, "waits for the lock");
		free = 0;
	}
}

void lock_drop(struct lock *l)
{
	atomic_store_explicit(&l->holder, 0, memory_order_release);
}

#endif
