/* SPDX-License-Identifier: MIT */
/*
 * Who inherits how much urgency from whom: see inheritance.h.
 *
 *	lock A <--- waits: t1 (FIFO 30)          t1, t2: the more urgent first
 *	  |  ^----- waits: t2 (FIFO 10)
 *	owner: t3 (nice 0, in force: FIFO 30) ---waits---> lock B ---owner---> t4 (in force: FIFO 30)
 *
 * Two sets of parameters belong to a task: what was set, which calls report and children inherit; and what is
 * in force, which schedulers go by, and the order of those who wait.  They differ only while a task has a
 * lock that a more urgent one waits for: then that one's are in force, all of them.  Nothing else than the
 * parameters changes, so that each scheduler library has priority inheritance that looks at any of them.
 *
 * And one who waits leaves the rest of his slice to the owner, if that is queued on his CPU, under every
 * library that does not refuse (sched/donate.c).
 */
#include "proc/inheritance.h"
#include "abi/errno.h"
#include "core/memory.h"
#include "core/task.h"
#include "core/vcore.h"
#include "core/wake.h"
#include "proc/process.h"
#include "sched/donation.h"

/* As Linux's max_lock_depth: what is walked along with upcalls masked is bounded. */
#define CHAIN_MAX 1024

struct lock inheritance_lock = LOCK_INIT("inheritance", RANK_FUTEX);

/* Under inheritance_lock: struct contended_lock.named, by hash. */
static struct named *contended_locks;

/* ---------------------------------------------------------------- how urgent */

/* Smaller is more urgent: deadlines first, then real-time priorities, then by nice value, as sched(7) has
 * them. */
static uint64_t urgency_key(const struct sched_parameters *p)
{
	const uint64_t deadlines = 1ul << 61; /* keys span less than 2^63 (libos/ordered.h) */

	switch (p->policy) {
	case SCHED_POLICY_DEADLINE:
		return p->deadline_ns >> 2;
	case SCHED_POLICY_FIFO:
	case SCHED_POLICY_RR:
		return deadlines + 100 - (uint64_t)p->priority;
	case SCHED_POLICY_IDLE:
		return deadlines + 200;
	default:
		return deadlines + 120 + (uint64_t)(int64_t)p->nice;
	}
}

static struct sched_parameters in_force(struct task *t)
{
	struct sched_parameters p;

	lock_acquire(&t->lock);
	p = sched_in_force_locked(t);
	lock_release(&t->lock);
	return p;
}

struct lock_waiter *contended_first(const struct contended_lock *l)
{
	return container_of(ordered_first(&l->waiters), struct lock_waiter, node);
}

/* l takes its place among what its owner has, now that another is the first to wait, or nobody. */
static void put_to_owner(struct contended_lock *l)
{
	struct ordered_heap *contended = &l->owner->inheritance->contended;

	if (ordered_is_queued(&l->of_owner))
		ordered_remove(contended, &l->of_owner);
	if (contended_is_wanted(l))
		ordered_insert(contended, &l->of_owner, ordered_first(&l->waiters)->key);
}

/* The most urgent of those who wait for what t has, or NULL. */
static struct task *heir_of(const struct task *t)
{
	struct ordered_node *n = ordered_first(&t->inheritance->contended);

	return n ? contended_first(container_of(n, struct contended_lock, of_owner))->task : NULL;
}

/* What was set, or what it inherits, comes into force: *key says how urgent that is.  False: it is in force
 * already. */
static bool update_one(struct task *t, uint64_t *key)
{
	struct task *from = heir_of(t);
	struct sched_parameters p, inherited = { 0 };
	uint32_t changed;

	if (from)
		inherited = in_force(from);
	lock_acquire(&t->lock);
	p = t->inheritance->own;
	t->inherits = from && urgency_key(&inherited) < urgency_key(&p);
	if (t->inherits)
		p = inherited;
	changed = sched_put_in_force_locked(t, &p);
	lock_release(&t->lock);
	*key = urgency_key(&p);
	if (changed)
		sched_changed_masked(t, changed);
	return changed;
}

/* t has other parameters, or somebody else waits for what it has: and so on along the chain.  It ends, as
 * nobody waits for himself (contended_enter()).  It may be longer than anybody has seen who entered, if the
 * owner has done so after the others: who is beyond the bound learns of it when something changes there. */
static void update(struct task *t)
{
	struct lock_waiter *w;
	uint64_t key;

	for (unsigned depth = 0;
	     depth < CHAIN_MAX && update_one(t, &key) && (w = t->inheritance->waits); depth++) {
		struct contended_lock *l = w->lock;

		ordered_remove(&l->waiters, &w->node);
		ordered_insert(&l->waiters, &w->node, key);
		put_to_owner(l);
		t = l->owner;
	}
}

/* ---------------------------------------------------------------- locks, owners and who waits */

struct contended_lock *contended_find(const struct futex_name *name)
{
	struct named *n = named_find(&contended_locks, name->hash), *last;

	if (!n)
		return NULL;
	for (last = named_last(n); n; n = named_next(n, last)) {
		struct contended_lock *l = container_of(n, struct contended_lock, named);

		if (futex_same_name(&l->name, name))
			return l;
	}
	return NULL;
}

/* t has an inheritance from now on; false: out of memory. */
static bool ensure_inheritance(struct task *t)
{
	struct inheritance *i;

	if (t->inheritance)
		return true;
	i = heap_alloc(sizeof(*i));
	if (!i)
		return false;
	lock_acquire(&t->lock);
	i->own = sched_in_force_locked(t);
	t->inheritance = i;
	lock_release(&t->lock);
	return true;
}

/* t inherits nothing, so that its own parameters are in force: but for those that somebody has set just now,
 * who has yet to come to inheritance_own_changed(), and tells the library of them himself. */
static void drop_inheritance(struct task *t)
{
	struct inheritance *i = t->inheritance;

	lock_acquire(&t->lock);
	sched_put_in_force_locked(t, &i->own);
	t->inherits = false;
	t->inheritance = NULL;
	lock_release(&t->lock);
	heap_free(i);
}

/*
 * Why nobody comes to wait for one who has gone: we give him an inheritance, and then look whether he has
 * released his locks; he says so, and then looks whether he has one (inheritance_release(); all four
 * sequentially consistent).  So we see that, or he comes for our lock, and finds what we have made.
 */
int contended_create(const struct futex_name *name, struct task *owner,
		     struct contended_lock **made)
{
	bool is_first = !owner->inheritance;
	struct contended_lock *l;

	if (!ensure_inheritance(owner))
		return -ENOMEM;
	if (owner->locks_released) {
		if (is_first) /* else it is not through with what it has */
			drop_inheritance(owner);
		return -ESRCH;
	}
	l = heap_alloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->name = *name;
	l->owner = owner;
	named_insert(&contended_locks, &l->named, name->hash);
	*made = l;
	return 0;
}

void contended_free_unused(struct contended_lock *l)
{
	if (contended_is_wanted(l) || l->unsettled)
		return;
	named_remove(&contended_locks, &l->named);
	heap_free(l);
}

/* Would t wait for itself, if it waited for l? */
static bool would_wait_for_itself(const struct contended_lock *l, const struct task *t)
{
	for (unsigned depth = 0; depth < CHAIN_MAX; depth++) {
		if (l->owner == t)
			return true;
		if (!l->owner->inheritance->waits)
			return false;
		l = l->owner->inheritance->waits->lock;
	}
	return true;
}

int contended_enter(struct contended_lock *l, struct lock_waiter *w)
{
	struct task *t = current();
	struct sched_parameters p;

	if (would_wait_for_itself(l, t))
		return -EDEADLK;
	if (!ensure_inheritance(t))
		return -ENOMEM;
	p = in_force(t);
	*w = (struct lock_waiter){ .task = t, .lock = l };
	ordered_insert(&l->waiters, &w->node, urgency_key(&p));
	t->inheritance->waits = w;
	put_to_owner(l);
	update(l->owner);
	donation_set_successor(t, l->owner, DONATION_MUTEX);
	return 0;
}

static void stop_waiting(struct lock_waiter *w)
{
	ordered_remove(&w->lock->waiters, &w->node);
	put_to_owner(w->lock);
	w->task->inheritance->waits = NULL;
	w->lock = NULL;
}

void contended_leave(struct lock_waiter *w)
{
	struct contended_lock *l = w->lock;
	struct task *owner = l->owner;

	stop_waiting(w);
	contended_free_unused(l);
	update(owner);
}

/* The new owner was the most urgent of those who waited, so that he inherits nothing from the others. */
struct task *contended_pass_on(struct contended_lock *l)
{
	struct lock_waiter *w = contended_first(l);
	struct task *from = l->owner, *to = w->task;

	stop_waiting(w);
	if (contended_is_wanted(l))
		ordered_remove(&from->inheritance->contended, &l->of_owner);
	l->owner = to;
	put_to_owner(l);
	contended_free_unused(l);
	update(from);
	return to;
}

/* ---------------------------------------------------------------- a task's part */

/* Without an inheritance what was set is in force.  If it has got one since, that began with this; and if it
 * has lost it, that ended with this (drop_inheritance()). */
void inheritance_own_changed(struct task *t)
{
	if (!t->inheritance)
		return;
	lock_acquire(&inheritance_lock);
	if (t->inheritance)
		update(t);
	lock_release(&inheritance_lock);
}

/* One lock at a time, so that upcalls are not masked for as long as there are locks. */
static bool release_one(struct task *t)
{
	struct ordered_node *n = ordered_first(&t->inheritance->contended);
	struct contended_lock *l;

	if (!n)
		return false;
	l = container_of(n, struct contended_lock, of_owner);
	l->unsettled = true; /* whose word is out of our reach: it may be in memory that is gone */
	wake_later(contended_pass_on(l), DONATION_NONE);
	return true;
}

void inheritance_release_all(struct task *t)
{
	lock_acquire(&inheritance_lock);
	while (t->inheritance && release_one(t)) {
		lock_release(&inheritance_lock);
		lock_acquire(&inheritance_lock);
	}
	if (t->inheritance)
		drop_inheritance(t);
	lock_release(&inheritance_lock);
}
