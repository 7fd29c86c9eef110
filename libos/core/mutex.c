/* SPDX-License-Identifier: MIT */
/* The sleeping lock: see mutex.h. */
#include "core/mutex.h"
#include "core/log.h"
#include "core/task.h"

void mutex_init(struct mutex *m, const char *name, enum mutex_rank rank)
{
	lock_init(&m->lock, name, RANK_MUTEX);
	wait_queue_init(&m->queue);
	m->owner = NULL;
	m->rank = (uint16_t)rank;
}

/* The owner, whose chain nobody else looks at. */
static void push_held(struct mutex *m)
{
	m->below = current()->held_mutexes;
	current()->held_mutexes = m;
}

static void pop_held(const struct mutex *m)
{
	struct mutex **link = &current()->held_mutexes;

	while (*link != m)
		link = &(*link)->below;
	*link = m->below;
}

/* Mutexes are taken in rising rank. */
static void check_order(const struct mutex *m)
{
	for (const struct mutex *held = current()->held_mutexes; held; held = held->below)
		if (held->rank >= m->rank)
			libos_panic("mutex order: %s (rank %u) is wanted while %s (rank %u) is held",
				    m->lock.name, m->rank, held->lock.name, held->rank);
}

void mutex_lock(struct mutex *m)
{
	if (EXO_DEBUG)
		check_order(m);
	lock_acquire(&m->lock);
	ASSERT_INVARIANT(m->owner != current());
	/* The free mutex goes to whoever comes first, not to the one woken: handing it over would
	 * leave it idle until that task has reached a CPU. */
	while (m->owner)
		wait_on(&m->queue, &m->lock, 0, 0);
	m->owner = current();
	if (EXO_DEBUG)
		push_held(m);
	lock_release(&m->lock);
}

void mutex_unlock(struct mutex *m)
{
	lock_acquire(&m->lock);
	ASSERT_INVARIANT(m->owner == current());
	if (EXO_DEBUG)
		pop_held(m);
	m->owner = NULL;
	wake_one(&m->queue, WAKE_ANY);
	lock_release(&m->lock);
}
