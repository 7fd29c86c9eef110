/* SPDX-License-Identifier: MIT */
/*
 * The order of a directory's entries, and where a position is in it.
 *
 *	groups      3 ---------------- 5 -------- 6       those without an entry are not there
 *	            |                  |          |
 *	            first              first      first
 *	order       770 - 771 - 900 -- 1281 ----- 1540
 *
 * Positions only rise, so an entry is added behind the last, to the last group or to a new one.
 */
#include "abi/errno.h"
#include "core/memory.h"
#include "fs/directory.h"
#include "fs/space.h"

static struct directory_group *group_of(struct list *link)
{
	return list_entry(link, struct directory_group, link);
}

/* The last group, if that is its number, or a new one; NULL with *error. */
static struct directory_group *group_for(struct directory *d, uint64_t number, int *error)
{
	struct directory_group *g;

	if (!list_empty(&d->groups) && group_of(d->groups.prev)->number == number)
		return group_of(d->groups.prev);
	*error = -ENOSPC;
	if (!space_charge(sizeof(*g)))
		return NULL;
	g = heap_alloc(sizeof(*g));
	if (!g) {
		space_uncharge(sizeof(*g));
		*error = -ENOMEM;
		return NULL;
	}
	g->number = number;
	list_push_back(&d->groups, &g->link);
	return g;
}

int directory_order_append(struct directory *d, struct directory_entry *e)
{
	int error = 0;

	e->group = group_for(d, d->next_position / DIRECTORY_GROUP, &error);
	if (!e->group)
		return error;
	if (!e->group->first)
		e->group->first = e;
	e->position = d->next_position++;
	list_push_back(&d->order, &e->order);
	return 0;
}

void directory_order_remove(struct directory *d, struct directory_entry *e)
{
	struct directory_entry *next = directory_next(d, e);
	struct directory_group *g = e->group;

	list_remove(&e->order);
	if (g->first != e)
		return;
	g->first = next && next->group == g ? next : NULL;
	if (!g->first) {
		list_remove(&g->link);
		heap_free(g);
		space_uncharge(sizeof(*g));
	}
}

struct directory_entry *directory_next(const struct directory *d, const struct directory_entry *e)
{
	return e->order.next == &d->order ? NULL : list_entry(e->order.next, struct directory_entry, order);
}

struct directory_entry *directory_from(const struct directory *d, uint64_t position)
{
	struct directory_entry *e = NULL;

	list_for_each(link, &d->groups) {
		if (group_of(link)->number < position / DIRECTORY_GROUP)
			continue;
		e = group_of(link)->first;
		break;
	}
	while (e && e->position < position)
		e = directory_next(d, e);
	return e;
}
