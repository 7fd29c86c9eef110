/* SPDX-License-Identifier: MIT */
/*
 * The lists of vcores that a CPU keeps, and the only function that moves a vcore (I3).
 *
 *	run->lists[READY]:   key = deadline of the SC    -> the first runs next
 *	run->lists[WAITING]: key = time of replenishment -> the first becomes READY next
 *	run->lists[HALTED]:  key = timer deadline        -> the first is woken next
 *
 * Sorted doubly linked lists: a CPU has at most one vcore of each domain, so there are fewer than
 * DOMAINS_MAX, in practice a handful, and the question is always about the first.
 */
#include "kernel.h"
#include "sched_context.h"

#define BIT(place) (1u << (place))

static const uint8_t allowed[VCORE_PLACES] = {
	[VCORE_NEW] = BIT(VCORE_READY) | BIT(VCORE_WAITING) | BIT(VCORE_DEAD),
	[VCORE_RUNNING] = BIT(VCORE_READY) | BIT(VCORE_WAITING) | BIT(VCORE_HALTED) |
			  BIT(VCORE_DONATING) | BIT(VCORE_DEAD),
	[VCORE_READY] = BIT(VCORE_RUNNING) | BIT(VCORE_READY) | BIT(VCORE_WAITING) |
			BIT(VCORE_DEAD),
	[VCORE_WAITING] = BIT(VCORE_RUNNING) | BIT(VCORE_READY) | BIT(VCORE_WAITING) |
			  BIT(VCORE_DEAD),
	[VCORE_HALTED] = BIT(VCORE_RUNNING) | BIT(VCORE_READY) | BIT(VCORE_WAITING) |
			 BIT(VCORE_DEAD),
	[VCORE_DONATING] = BIT(VCORE_RUNNING) | BIT(VCORE_DEAD),
};

static bool has_list(enum vcore_place place)
{
	return place == VCORE_READY || place == VCORE_WAITING || place == VCORE_HALTED;
}

static bool list_contains(const struct vcore_list *list, const struct vcore *vcore)
{
	for (const struct vcore *v = list->first; v; v = v->next) {
		if (v == vcore)
			return true;
	}
	return false;
}

static void list_remove(struct vcore_list *list, struct vcore *vcore)
{
	ASSERT_INVARIANT(list_contains(list, vcore));
	if (vcore->previous)
		vcore->previous->next = vcore->next;
	else
		list->first = vcore->next;
	if (vcore->next)
		vcore->next->previous = vcore->previous;
	else
		list->last = vcore->previous;
	vcore->next = vcore->previous = NULL;
}

static void list_insert(struct vcore_list *list, struct vcore *vcore)
{
	struct vcore *before = list->last;

	ASSERT_INVARIANT(!list_contains(list, vcore));
	while (before && before->sort_key > vcore->sort_key)
		before = before->previous;
	vcore->previous = before;
	vcore->next = before ? before->next : list->first;
	if (before)
		before->next = vcore;
	else
		list->first = vcore;
	if (vcore->next)
		vcore->next->previous = vcore;
	else
		list->last = vcore;
}

void vcore_move(struct vcore *vcore, enum vcore_place from, enum vcore_place to, uint64_t sort_key)
{
	struct run *run = &this_cpu()->run;

	ASSERT_INVARIANT(vcore->cpu == this_cpu()->number); /* I8 */
	ASSERT_INVARIANT(vcore_place(vcore) == from);
	ASSERT_INVARIANT(allowed[from] & BIT(to));

	if (has_list(from))
		list_remove(&run->lists[from], vcore);
	vcore->sort_key = sort_key;
	if (has_list(to))
		list_insert(&run->lists[to], vcore);
	/* Release: whoever sees DEAD may take the object apart, we no longer touch it. */
	atomic_store_explicit(&vcore->where, to, memory_order_release);
}

static bool list_ok(const struct vcore_list *list, enum vcore_place place, unsigned cpu)
{
	const struct vcore *previous = NULL;

	for (const struct vcore *v = list->first; v; v = v->next) {
		if (vcore_place(v) != place || v->cpu != cpu || v->previous != previous)
			return false;
		if (previous && previous->sort_key > v->sort_key)
			return false;
		if (place == VCORE_READY && !v->sc)
			return false;
		previous = v;
	}
	return list->last == previous;
}

bool places_ok(struct cpu *cpu)
{
	static const enum vcore_place listed[] = { VCORE_READY, VCORE_WAITING, VCORE_HALTED };
	unsigned i;

	for (i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
		if (!list_ok(&cpu->run.lists[listed[i]], listed[i], cpu->number))
			return false;
		if (cpu->current && list_contains(&cpu->run.lists[listed[i]], cpu->current))
			return false;
	}
	return !cpu->current || vcore_place(cpu->current) == VCORE_RUNNING;
}
