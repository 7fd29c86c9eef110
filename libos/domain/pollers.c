/* SPDX-License-Identifier: MIT */
/* Who is told when something has happened to a domain: who waits for that, and who polls a file of it. */
#include "domain/domain.h"

void domain_tell_locked(struct domain *d)
{
	wake_all(&d->changed, WAKE_ANY);
	list_for_each(link, &d->files)
		wake_all(&list_entry(link, struct domain_pollers, link)->queue, WAKE_ANY);
}

void domain_attach(struct domain *d, struct domain_pollers *p)
{
	lock_acquire(&domains_lock);
	list_push_back(&d->files, &p->link);
	wake_all(&p->queue, WAKE_ANY);
	lock_release(&domains_lock);
}

void domain_detach(struct domain_pollers *p)
{
	lock_acquire(&domains_lock);
	list_remove(&p->link);
	lock_release(&domains_lock);
}
