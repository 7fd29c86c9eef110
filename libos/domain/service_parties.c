/* SPDX-License-Identifier: MIT */
/*
 * Who serves and who calls, among the domains that we have made: the pages are ours, the server sees
 * all of them, each caller its own, and each caller may give time to the server's vcores.
 */
#include "abi/errno.h"
#include "core/exo.h"
#include "core/memory.h"
#include "core/vcore.h"
#include "domain/domain.h"
#include "domain/service.h"

/* Under lock. */
static int make_pages(struct service *s)
{
	if (!s->pages)
		s->pages = pages_alloc(SERVICE_CALLERS);
	return s->pages ? 0 : -ENOMEM;
}

/* ---------------------------------------------------------------- being shown it */

int service_show_server(struct domain *d, const char *name, uint64_t *va)
{
	struct link_page *page;
	int r;
	struct service *s = service_find(name, &r);

	if (!s)
		return r;
	page = pages_alloc(1);
	if (!page)
		return -ENOMEM;
	lock_acquire(&s->lock);
	r = s->server.domain ? -EBUSY : make_pages(s);
	if (r == 0) {
		s->server.domain = d;
		s->server.page = page;
		atomic_store(&s->pages->serving, 0);
		atomic_store(&s->pages->held, 0);
	}
	lock_release(&s->lock);
	if (r) {
		heap_free(page);
		return r;
	}
	d->serving = &s->pages->serving;
	link_set_peer(page, 0, d->boot->parent, d);
	return link_show(d, va, SERVICE_SERVE, name, page, s->pages, SERVICE_CALLERS);
}

/* Under lock: what the last caller wrote is not for the next. */
static void clear_page(struct service_page *page)
{
	for (unsigned n = 1; n < SERVICE_SLOTS; n++) {
		struct service_slot *slot = service_slot(page, n);

		for (unsigned i = 0; i < SERVER_WORDS; i++)
			slot->words[i] = 0;
		atomic_store(&slot->state, SLOT_FREE);
	}
}

/* Under lock. */
static int take_page(struct service *s, struct domain *d, struct link_page *page, unsigned *caller)
{
	int r = make_pages(s);

	if (r)
		return r;
	for (*caller = 1; *caller < SERVICE_CALLERS; (*caller)++) {
		/* Acquire: a server that is done with it does not write there any more. */
		if (s->callers[*caller].domain ||
		    (atomic_load_explicit(&s->pages->held, memory_order_acquire) >> *caller & 1))
			continue;
		clear_page(&s->pages[*caller]);
		s->callers[*caller].domain = d;
		s->callers[*caller].page = page;
		return 0;
	}
	return -ENOSPC;
}

int service_show_caller(struct domain *d, const char *name, uint64_t *va)
{
	struct link_page *page;
	unsigned caller = 0;
	int r;
	struct service *s = service_find(name, &r);

	if (!s)
		return r;
	page = pages_alloc(1);
	if (!page)
		return -ENOMEM;
	lock_acquire(&s->lock);
	r = take_page(s, d, page, &caller);
	lock_release(&s->lock);
	if (r) {
		heap_free(page);
		return r;
	}
	return link_show(d, va, SERVICE_USE, name, page, &s->pages[caller], 1);
}

/* ---------------------------------------------------------------- getting to know each other */

/* Under lock: the caller's names for the server's vcores, on CPUs that both have; those that it has stay.
 * A vcore that is replaced by another is gone for a while, and its name with it: see update_vcores(). */
static int introduce(struct service *s, unsigned caller)
{
	const struct domain *d = s->callers[caller].domain;
	struct link_page *page = s->callers[caller].page;
	int r = 0;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++) {
		bool both = s->vcores[cpu] && (d->cpus >> cpu & 1);
		int64_t name = 0;

		if (both == (atomic_load(&page->peers[cpu]) != 0))
			continue;
		if (both)
			name = exo_handle_copy(s->vcores[cpu], d->domain, EXO_RIGHT_USE | EXO_RIGHT_DONATE);
		/* Its table is full: what it is to lose it loses all the same.  Any other error: one of the
		 * two is just dying. */
		if (name == -ENOSPC)
			r = -ENOSPC;
		link_set_peer(page, cpu, name < 0 ? 0 : (exo_handle)name, d);
	}
	return r;
}

/* Under lock.  A CPU that it comes to have again it has yet to serve on. */
static void update_vcores(struct service *s)
{
	const struct domain *d = s->server.domain;

	for (unsigned cpu = 0; cpu < vcore_count; cpu++)
		s->vcores[cpu] = d->cpus >> cpu & 1 ? d->vcores[cpu].vcore : 0;
	atomic_fetch_and(&s->pages->serving, d->cpus);
}

/* Whoever has no room for more is no reason to leave out others. */
static int connect(struct service *s, struct domain *d)
{
	int r = 0, one;

	lock_acquire(&s->lock);
	if (s->server.domain == d)
		update_vcores(s);
	for (unsigned caller = 1; caller < SERVICE_CALLERS; caller++) {
		if (!s->callers[caller].domain || (s->callers[caller].domain != d && s->server.domain != d))
			continue;
		one = introduce(s, caller);
		r = r ? r : one;
	}
	lock_release(&s->lock);
	return r;
}

int services_connect(struct domain *d)
{
	int r = 0;

	for (struct service *s = service_first(); s; s = s->next) {
		int one = s->link ? 0 : connect(s, d);

		r = r ? r : one;
	}
	return r;
}

/* ---------------------------------------------------------------- leaving */

/* What it has taken will not be answered: it is nobody's, and whoever waits for it finds the server gone. */
static void end_taken(struct service_page *page)
{
	for (unsigned n = 1; n < SERVICE_SLOTS; n++) {
		uint32_t taken = SLOT_TAKEN;

		atomic_compare_exchange_strong(&service_slot(page, n)->state, &taken, SLOT_FREE);
	}
}

/* All but what the server has taken, or just takes. */
static void end_others(struct service_page *page)
{
	for (unsigned n = 1; n < SERVICE_SLOTS; n++) {
		uint32_t state = atomic_load(&service_slot(page, n)->state);

		if (state != SLOT_TAKEN)
			atomic_compare_exchange_strong(&service_slot(page, n)->state, &state, SLOT_FREE);
	}
}

/* Under lock. */
static void leave_server(struct service *s)
{
	s->server.domain = NULL;
	for (unsigned cpu = 0; cpu < EXO_CPUS_MAX; cpu++)
		s->vcores[cpu] = 0;
	for (unsigned caller = 0; caller < SERVICE_CALLERS; caller++) {
		if (s->callers[caller].domain)
			(void)introduce(s, caller);
		end_taken(&s->pages[caller]);
	}
	atomic_store(&s->pages->held, 0);
}

/* Under lock: what it has wanted and nobody has begun is not done any more.  What the server has begun before
 * the state is looked at here it has told of before that: the page is kept until it is answered. */
static void leave_caller(struct service *s, unsigned caller)
{
	struct service_page *page = &s->pages[caller];

	s->callers[caller].domain = NULL;
	atomic_store(&page->posted, 0);
	end_others(page);
}

/* Under lock. */
static void leave(struct service *s, const struct domain *d, bool lost)
{
	if (s->server.domain == d) {
		if (!lost)
			heap_free(s->server.page);
		leave_server(s);
	}
	for (unsigned caller = 1; caller < SERVICE_CALLERS; caller++) {
		if (s->callers[caller].domain != d)
			continue;
		if (!lost)
			heap_free(s->callers[caller].page);
		leave_caller(s, caller);
	}
}

void services_leave(struct domain *d, bool lost)
{
	for (struct service *s = service_first(); s; s = s->next) {
		lock_acquire(&s->lock);
		leave(s, d, lost);
		lock_release(&s->lock);
	}
}
