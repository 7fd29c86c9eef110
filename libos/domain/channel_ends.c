/* SPDX-License-Identifier: MIT */
/*
 * The ends of channels that domains have which we have made.  The memory is ours, and stays as long as
 * anybody has an end; a domain that takes the end of one that died goes on where that one was.
 */
#include "domain/channel.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/memory.h"
#include "domain/domain.h"

/* Under lock. */
static bool end_is_free(const struct channel *c, unsigned end)
{
	return !c->ends[end].domain && !(c->files && c->side == end);
}

/* Under lock. */
static int take_end(struct channel *c, struct domain *d, struct link_page *page)
{
	unsigned end = end_is_free(c, 0) ? 0 : 1;

	if (!end_is_free(c, end) || c->ends[!end].domain == d)
		return -EBUSY;
	if (!c->memory)
		c->memory = pages_alloc(CHANNEL_PAGES);
	if (!c->memory)
		return -ENOMEM;
	page->side = end;
	c->ends[end].domain = d;
	c->ends[end].page = page;
	return 0;
}

int channel_join(struct domain *d, const char *name, uint64_t *va)
{
	struct link_page *page;
	int r;
	struct channel *c = channel_find(name, &r);

	if (!c)
		return r;
	page = pages_alloc(1);
	if (!page)
		return -ENOMEM;
	lock_acquire(&c->lock);
	r = take_end(c, d, page);
	lock_release(&c->lock);
	if (r) {
		heap_free(page);
		return r;
	}
	return link_show(d, va, CHANNEL_KIND, name, page, c->memory, CHANNEL_PAGES);
}

/* Under lock: what `d` calls the vcore of the other end: that of a domain of ours, or else our own. */
static int introduce(struct channel *c, unsigned end)
{
	const struct domain *d = c->ends[end].domain;
	int64_t name = c->ends[!end].vcore;

	if (name)
		name = exo_handle_copy((exo_handle)name, d->domain, EXO_RIGHT_USE);
	if (name <= 0 && name != -ENOSPC)
		name = (int64_t)d->boot->parent; /* there is none, or it is just dying */
	if (name < 0)
		return (int)name;
	link_set_peer(c->ends[end].page, 0, (exo_handle)name, d);
	return 0;
}

static int connect(struct channel *c, struct domain *d)
{
	exo_handle first = d->vcores[__builtin_ctzl(d->cpus)].vcore;
	int r = 0, other;

	lock_acquire(&c->lock);
	for (unsigned end = 0; end < 2; end++) {
		if (c->ends[end].domain != d || c->ends[end].vcore == first)
			continue;
		c->ends[end].vcore = first;
		r = introduce(c, end);
		other = c->ends[!end].vcore ? introduce(c, !end) : 0;
		r = r ? r : other;
	}
	lock_release(&c->lock);
	return r;
}

int channels_connect(struct domain *d)
{
	int r = 0;

	for (struct channel *c = channel_first(); c; c = c->next) {
		int one = connect(c, d);

		r = r ? r : one;
	}
	return r;
}

/* Under lock. */
static void leave_end(struct channel *c, unsigned end, bool lost)
{
	if (!lost)
		heap_free(c->ends[end].page);
	c->ends[end].domain = NULL;
	c->ends[end].page = NULL;
	c->ends[end].vcore = 0;
	atomic_store(&c->memory->sides[end].open, 0);
	if (c->ends[!end].vcore) {
		(void)introduce(c, !end);
		(void)exo_send(c->ends[!end].vcore, 0, 0, 0);
	}
	wake_all(&c->changed, WAKE_ANY);
	if (c->files || c->ends[!end].domain)
		return;
	if (lost)
		c->memory = NULL;
	else
		channel_free_memory(c);
}

void channels_leave(struct domain *d, bool lost)
{
	for (struct channel *c = channel_first(); c; c = c->next) {
		lock_acquire(&c->lock);
		for (unsigned end = 0; end < 2; end++)
			if (c->ends[end].domain == d)
				leave_end(c, end, lost);
		lock_release(&c->lock);
	}
}
