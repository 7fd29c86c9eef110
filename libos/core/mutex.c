/* SPDX-License-Identifier: MIT */
/*
 * The sleeping lock: see mutex.h.  Nearly always nobody else wants it: then one compare-and-swap takes it,
 * and one gives it back.
 *
 * Why nobody sleeps on while the mutex is free: who is to wait marks the owner as wanted and registers, both
 * under m->lock.  The owner's compare-and-swap finds the mark, or it came before the mark: then there was no
 * owner to mark.  In the first case the owner wakes one under m->lock, so after he has registered.
 *
 * That clears the mark, although others may still wait.  While somebody waits, either the owner is marked, or
 * one who was woken is on his way into mutex_wait(), where he marks whoever has it by then, or takes it with
 * the mark.  Who is awake for no reason, as a late wake of his last sleep may come, does the same.
 *
 * Who is woken finds the mutex taken again, more often than not, if the owner is one that takes it again and
 * again: he goes on while the other waits for a CPU, and is preempted with it in his hands.  Two things help.
 *
 * An owner who waits for the CPU that we are on has the rest of our slice, until he drops the mutex; then we
 * have what is left of it, at once.  That keeps him from nothing: he does on our time what he has to do
 * anyway, and goes to the end of his queue for it once for each time that he was preempted with a mutex.
 *
 * And who has been woken IN_VAIN_MAX times in vain is the next owner, whoever comes meanwhile.
 */
#include "core/mutex.h"
#include "core/log.h"
#include "core/mutex_in_place.h"
#include "core/task.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "debug/inject.h"
#include "sched/donation.h"

#define IN_VAIN_MAX 2

void mutex_init(struct mutex *m, const char *name, enum mutex_rank rank)
{
	lock_init(&m->lock, name, RANK_MUTEX);
	wait_queue_init(&m->queue);
	m->next = NULL;
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
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

/* Under m->lock.  Takes it if it is free; else it is wanted. */
static bool take_or_want(struct mutex *m)
{
	uintptr_t self = (uintptr_t)current() | (list_empty(&m->queue.waiters) ? 0 : MUTEX_WANTED);
	uintptr_t owner = atomic_load_explicit(&m->owner, memory_order_relaxed), new;

	do {
		ASSERT_INVARIANT((owner & ~MUTEX_WANTED) != (uintptr_t)current());
		new = owner ? owner | MUTEX_WANTED : self;
	} while (!atomic_compare_exchange_weak_explicit(&m->owner, &owner, new, memory_order_acquire,
							memory_order_relaxed));
	return !owner;
}

static struct task *owner_of(const struct mutex *m)
{
	return (struct task *)(atomic_load_explicit(&m->owner, memory_order_relaxed) & ~MUTEX_WANTED);
}

/*
 * Under m->lock, wanted by us.  False: nothing is done, and it is as before.
 *
 * Why the owner is not gone when m->lock is dropped: he is queued on this CPU, which stays masked.  We are in
 * no queue while he runs, but his mark makes him stop as soon as he has dropped it; if he stops before, for
 * whatever reason, we go on, too.
 */
static bool lend_slice(struct mutex *m)
{
	struct vcore *v = this_vcore();
	bool lent;

	if (!donation_may_lend(v, owner_of(m)))
		return false;
	lock_release_masked(&m->lock);
	lent = donation_lend(v, owner_of(m));
	lock_acquire_masked(&m->lock);
	return lent;
}

/*
 * Under m->lock, wanted by us.  We own it on return.
 *
 * Why nobody takes it before us: the owner is marked, so it is under m->lock that he drops it, and there he
 * finds us.  And why his wake is not lost: we are BLOCKING before we leave m->lock.
 */
static void be_next(struct mutex *m)
{
	m->next = current();
	while (m->next == current()) {
		wait_begin();
		(void)wait_sleep_unlock(&m->lock, 0, 0);
		lock_acquire(&m->lock);
	}
}

/* The free mutex goes to whoever comes first, not to the one woken: handing it over would leave it idle until
 * that task has reached a CPU.  So that is done for who has waited for long, and for one at a time. */
static __attribute__((noinline)) void mutex_wait(struct mutex *m)
{
	unsigned in_vain = 0;

	lock_acquire(&m->lock);
	for (; !take_or_want(m); in_vain++) {
		if (in_vain >= IN_VAIN_MAX && !m->next) {
			be_next(m);
			break;
		}
		if (!lend_slice(m))
			wait_on(&m->queue, &m->lock, 0, 0);
	}
	lock_release(&m->lock);
}

/* Acquire here, release below: each owner sees what the one before has done. */
void mutex_lock(struct mutex *m)
{
	ASSERT_INVARIANT(!upcalls_masked()); /* it may sleep, and no spin lock comes before a mutex */
	if (EXO_DEBUG)
		check_order(m);
	race_point();
	if (!mutex_take_at_once(m))
		mutex_wait(m);
	if (EXO_DEBUG)
		push_held(m);
}

/* Under m->lock, by the owner. */
static void hand_over(struct mutex *m, struct task *to)
{
	uintptr_t wanted = list_empty(&m->queue.waiters) ? 0 : MUTEX_WANTED;

	m->next = NULL;
	atomic_store_explicit(&m->owner, (uintptr_t)to | wanted, memory_order_release);
	wake_later(to, DONATION_NONE);
}

/*
 * A plain store is enough: while there is an owner with a mark, only those under m->lock change the word, and
 * we have that.  After it another may take the mutex and give it back while we are still here; but not free
 * it with what it is part of: somebody waits, keeps it alive, and needs m->lock to go on.
 */
static __attribute__((noinline)) void mutex_wake(struct mutex *m)
{
	lock_acquire(&m->lock);
	if (m->next) {
		hand_over(m, m->next);
	} else {
		atomic_store_explicit(&m->owner, 0, memory_order_release);
		wake_one(&m->queue, WAKE_ANY);
	}
	if (current()->lent)
		this_vcore()->need_resched = true;
	lock_release(&m->lock);
}

static void give_back(struct mutex *m)
{
	ASSERT_INVARIANT((atomic_load_explicit(&m->owner, memory_order_relaxed) & ~MUTEX_WANTED) ==
			 (uintptr_t)current());
	if (EXO_DEBUG)
		pop_held(m);
	if (!mutex_drop_at_once(m))
		mutex_wake(m);
	race_point();
}

void mutex_unlock(struct mutex *m)
{
	ASSERT_INVARIANT(!upcalls_masked());
	give_back(m);
}

bool mutex_try_masked(struct mutex *m)
{
	ASSERT_INVARIANT(upcalls_masked());
	if (EXO_DEBUG)
		check_order(m);
	race_point();
	if (!mutex_take_at_once(m))
		return false;
	if (EXO_DEBUG)
		push_held(m);
	return true;
}

/* Who is woken comes to a queue when upcalls are unmasked. */
void mutex_unlock_masked(struct mutex *m)
{
	ASSERT_INVARIANT(upcalls_masked());
	give_back(m);
}
