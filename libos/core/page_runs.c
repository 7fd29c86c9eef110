/* SPDX-License-Identifier: MIT */
/* Binary buddies over the heap's virtual pages: see page_runs.h. */
#include "core/page_runs.h"

void page_list_push(struct page_runs *r, uint32_t *head, uint32_t page)
{
	r->pages[page].prev = RUN_NONE;
	r->pages[page].next = *head;
	if (*head != RUN_NONE)
		r->pages[*head].prev = page;
	*head = page;
}

void page_list_remove(struct page_runs *r, uint32_t *head, uint32_t page)
{
	struct page_run *p = &r->pages[page];

	if (p->prev == RUN_NONE)
		*head = p->next;
	else
		r->pages[p->prev].next = p->next;
	if (p->next != RUN_NONE)
		r->pages[p->next].prev = p->prev;
}

void page_runs_init(struct page_runs *r, struct page_run *pages)
{
	*r = (struct page_runs){ .pages = pages };
	for (unsigned i = 0; i <= ARENA_ORDER; i++)
		r->free[i] = RUN_NONE;
}

static void add_free(struct page_runs *r, uint32_t page, unsigned order)
{
	r->pages[page].state = RUN_FREE;
	r->pages[page].order = (uint8_t)order;
	page_list_push(r, &r->free[order], page);
}

void page_runs_add_arena(struct page_runs *r)
{
	add_free(r, r->count, ARENA_ORDER);
	r->count += ARENA_PAGES;
	r->free_pages += ARENA_PAGES;
}

uint32_t page_runs_take(struct page_runs *r, unsigned order)
{
	unsigned o = order;

	while (o <= ARENA_ORDER && r->free[o] == RUN_NONE)
		o++;
	if (o > ARENA_ORDER)
		return RUN_NONE;
	uint32_t page = r->free[o];

	page_list_remove(r, &r->free[o], page);
	while (o > order) {
		o--;
		add_free(r, page + (1u << o), o);
	}
	r->pages[page].state = RUN_TAKEN;
	r->pages[page].order = (uint8_t)order;
	r->free_pages -= 1u << order;
	return page;
}

unsigned page_runs_put(struct page_runs *r, uint32_t page)
{
	unsigned order = r->pages[page].order, o = order;

	r->free_pages += 1u << order;
	r->pages[page].state = RUN_PART;
	for (; o < ARENA_ORDER; o++) {
		uint32_t buddy = page ^ (1u << o);

		if (r->pages[buddy].state != RUN_FREE || r->pages[buddy].order != o)
			break;
		page_list_remove(r, &r->free[o], buddy);
		r->pages[buddy].state = RUN_PART;
		page &= ~(1u << o);
	}
	add_free(r, page, o);
	return order;
}

bool page_runs_count(const struct page_runs *r, uint32_t *at, struct page_usage *sum)
{
	uint32_t end = *at + ARENA_PAGES;

	if (*at >= r->count)
		return false;
	while (*at < end) {
		const struct page_run *run = &r->pages[*at];

		if (run->state == RUN_TAKEN && run->slab)
			sum->blocks[run->slab - 1] += run->used;
		else if (run->state == RUN_TAKEN)
			sum->pages += 1ul << run->order;
		*at += 1u << run->order;
	}
	return true;
}
