/* SPDX-License-Identifier: MIT */
/*
 * The lists of vcores that a CPU keeps, and the only function that moves a vcore (I3).
 *
 *	run->lists[READY]:   key = deadline of the SC    -> the first runs next
 *	run->lists[WAITING]: key = time of replenishment -> the first becomes READY next
 *	run->lists[HALTED]:  key = timer deadline        -> the first is woken next
 *
 * Sorted singly linked lists: a CPU has at most one vcore of each domain, so there are fewer than
 * DOMAINS_MAX, in practice a handful, and the question is always about the first.
 */
#include "kernel.h"
#include "sched_context.h"

#define BIT(place) (1u << (place))

static const uint8_t allowed[VCORE_PLACES] = {
	[VCORE_NEW] = BIT(VCORE_READY) | BIT(VCORE_WAITING) | BIT(VCORE_DEAD),
	[VCORE_RUNNING] = BIT(VCORE_READY) | BIT(VCORE_WAITING) | BIT(VCORE_HALTED) |
			  BIT(VCORE_DONATING) | BIT(VCORE_DEAD),
	[VCORE_READY] = BIT(VCORE_RUNNING) | BIT(VCORE_READY) | BIT(VCORE_WAITING) | BIT(VCORE_DEAD),
	[VCORE_WAITING] = BIT(VCORE_RUNNING) | BIT(VCORE_READY) | BIT(VCORE_WAITING) | BIT(VCORE_DEAD),
	[VCORE_HALTED] = BIT(VCORE_RUNNING) | BIT(VCORE_READY) | BIT(VCORE_WAITING) | BIT(VCORE_DEAD),
	[VCORE_DONATING] = BIT(VCORE_RUNNING) | BIT(VCORE_DEAD),
};

/* The link that points to the vcore; the one at the list's end if it is not there. */
static struct vcore **list_find(struct vcore **link, const struct vcore *vcore)
{
	while (*link && *link != vcore)
		link = &(*link)->next;
	return link;
}

static void list_remove(struct vcore **list, struct vcore *vcore)
{
	struct vcore **link = list_find(list, vcore);

	ASSERT_INVARIANT(*link == vcore);
	*link = vcore->next;
}

static void list_insert(struct vcore **list, struct vcore *vcore)
{
	ASSERT_INVARIANT(!*list_find(list, vcore));
	while (*list && (*list)->sort_key <= vcore->sort_key)
		list = &(*list)->next;
	vcore->next = *list;
	*list = vcore;
}

void vcore_move(struct vcore *vcore, enum vcore_place from, enum vcore_place to, uint64_t sort_key)
{
	struct run *run = &this_cpu()->run;

	ASSERT_INVARIANT(vcore->cpu == this_cpu()->number); /* I8 */
	ASSERT_INVARIANT(vcore_place(vcore) == from);
	ASSERT_INVARIANT(allowed[from] & BIT(to));

	if (place_has_list(from))
		list_remove(&run->lists[from], vcore);
	vcore->sort_key = sort_key;
	if (place_has_list(to))
		list_insert(&run->lists[to], vcore);
	/* Release: whoever sees DEAD may take the object apart, we no longer touch it. */
	atomic_store_explicit(&vcore->where, to, memory_order_release);
}

static bool list_ok(const struct vcore *v, enum vcore_place place, const struct cpu *cpu)
{
	for (; v; v = v->next) {
		if (vcore_place(v) != place || v->cpu != cpu->number || v == cpu->current)
			return false;
		if (v->next && v->next->sort_key < v->sort_key)
			return false;
		if (place == VCORE_READY && (!v->sc || v->sc->held))
			return false;
	}
	return true;
}

bool places_ok(const struct cpu *cpu)
{
	for (enum vcore_place place = 0; place < VCORE_PLACES; place++)
		if (!list_ok(cpu->run.lists[place], place, cpu))
			return false;
	return !cpu->current || vcore_place(cpu->current) == VCORE_RUNNING;
}
