/* SPDX-License-Identifier: MIT */
/* Mutexes taken and given back without a call, if nobody else wants them; mutex.c says why that is enough. */
#ifndef LIBOS_MUTEX_IN_PLACE_H
#define LIBOS_MUTEX_IN_PLACE_H

#include "core/mutex.h"
#include "core/task.h"

/* For what is locked each time that a program faults or changes its mappings.  Debug builds count the mutexes
 * that a task has, and tests have mutexes of their own. */
#define MUTEX_IN_PLACE (!EXO_DEBUG && !__STDC_HOSTED__)

static inline bool mutex_take_at_once(struct mutex *m)
{
	uintptr_t nobody = 0;

	return atomic_compare_exchange_strong_explicit(&m->owner, &nobody, (uintptr_t)current(),
						       memory_order_acquire, memory_order_relaxed);
}

static inline bool mutex_drop_at_once(struct mutex *m)
{
	uintptr_t self = (uintptr_t)current();

	return atomic_compare_exchange_strong_explicit(&m->owner, &self, 0, memory_order_release,
						       memory_order_relaxed);
}

static inline void mutex_lock_in_place(struct mutex *m)
{
	if (!MUTEX_IN_PLACE || !mutex_take_at_once(m))
		mutex_lock(m);
}

/* False: somebody else has it, or wants it, and nothing is done. */
static inline bool mutex_lock_if_free(struct mutex *m)
{
	if (MUTEX_IN_PLACE)
		return mutex_take_at_once(m);
	mutex_lock(m);
	return true;
}

static inline bool mutex_unlock_if_unwanted(struct mutex *m)
{
	if (MUTEX_IN_PLACE)
		return mutex_drop_at_once(m);
	mutex_unlock(m);
	return true;
}

static inline void mutex_unlock_in_place(struct mutex *m)
{
	if (!MUTEX_IN_PLACE || !mutex_drop_at_once(m))
		mutex_unlock(m);
}

static inline bool mutex_try_masked_in_place(struct mutex *m)
{
	return MUTEX_IN_PLACE ? mutex_take_at_once(m) : mutex_try_masked(m);
}

static inline void mutex_unlock_masked_in_place(struct mutex *m)
{
	if (!MUTEX_IN_PLACE || !mutex_drop_at_once(m))
		mutex_unlock_masked(m);
}

#endif
