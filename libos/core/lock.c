/* SPDX-License-Identifier: MIT */
/* The ranked spin lock that masks upcalls: see lock.h. */
#include "core/lock.h"
#include "core/log.h"
#include "core/vcore.h"
#include "debug/inject.h"

void lock_init(struct lock *l, const char *name, enum lock_rank rank)
{
	atomic_store_explicit(&l->word, 0, memory_order_relaxed);
	l->rank = (uint16_t)rank;
	l->name = name;
}

/* I11.  Upcalls are masked, so the stack of held locks is this CPU's alone. */
static void check_order(const struct vcore *v, const struct lock *l)
{
	for (unsigned i = 0; i < v->held_count; i++)
		if (v->held[i]->rank >= l->rank)
			libos_panic("lock order: %s (rank %u) is wanted while %s (rank %u) is held",
				    l->name, l->rank, v->held[i]->name, v->held[i]->rank);
}

static void push_held(struct lock *l)
{
	struct vcore *v = this_vcore();

	ASSERT_INVARIANT(v->held_count < VCORE_HELD_MAX);
	v->held[v->held_count++] = l;
}

static void pop_held(struct lock *l)
{
	struct vcore *v = this_vcore();
	unsigned i = v->held_count;

	while (i > 0 && v->held[i - 1] != l)
		i--;
	if (i == 0)
		libos_panic("%s is released by a CPU that does not hold it", l->name);
	for (; i < v->held_count; i++)
		v->held[i - 1] = v->held[i];
	v->held_count--;
}

/* The inner pair of masks keeps us on this CPU from the check to the entry in the stack. */
void lock_take_checked(struct lock *l)
{
	upcalls_mask();
	check_order(this_vcore(), l);
	race_point();
	lock_take(l);
	push_held(l);
	race_point();
	this_vcore()->mask_depth--;
}

void lock_take_masked_checked(struct lock *l)
{
	struct vcore *v = this_vcore();

	ASSERT_INVARIANT(v->mask_depth == 1 && v->held_count == 0);
	race_point();
	lock_take_masked(l);
	push_held(l);
}

void lock_forget_checked(struct lock *l)
{
	ASSERT_INVARIANT(lock_held(l));
	pop_held(l);
	race_point();
}

void lock_drop_checked(struct lock *l)
{
	lock_forget_checked(l);
	ASSERT_INVARIANT(this_vcore()->mask_depth > 1 || this_vcore()->held_count == 0);
	lock_drop(l);
	race_point();
}

/* A lock that is free is taken whoever is to go first: who tries again and again would wait for that one. */
bool lock_try(struct lock *l)
{
	uint16_t word;
	bool taken;

	upcalls_mask();
	word = atomic_load_explicit(&l->word, memory_order_relaxed);
	taken = (word & 0xff) == 0 &&
		atomic_compare_exchange_strong_explicit(&l->word, &word, this_vcore()->holder,
							memory_order_acquire, memory_order_relaxed);
	if (!taken)
		upcalls_unmask();
	else if (EXO_DEBUG)
		push_held(l);
	return taken;
}

/* By this CPU.  Unmasked, the answer is no: a lock is never held unmasked. */
bool lock_held(const struct lock *l)
{
	return atomic_load_explicit(&l->holder, memory_order_relaxed) == this_vcore()->holder &&
	       upcalls_masked();
}
