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

void mutex_lock(struct mutex *m)
{
	lock_acquire(&m->lock);
	ASSERT_INVARIANT(m->owner != current());
	/* The free mutex goes to whoever comes first, not to the one woken: handing it over would
	 * leave it idle until that task has reached a CPU. */
	while (m->owner)
		wait_on(&m->queue, &m->lock, 0, 0);
	m->owner = current();
	lock_release(&m->lock);
}

void mutex_unlock(struct mutex *m)
{
	lock_acquire(&m->lock);
	ASSERT_INVARIANT(m->owner == current());
	m->owner = NULL;
	wake_one(&m->queue, WAKE_ANY);
	lock_release(&m->lock);
}

bool mutex_held(struct mutex *m)
{
	lock_acquire(&m->lock);
	bool held = m->owner == current();

	lock_release(&m->lock);
	return held;
}
