/* SPDX-License-Identifier: MIT */
/*
 * Taking back what was granted, visibly: announced with a deadline, and what was not given up by then
 * is taken and listed in the repossession ring, in the page of each of the domain's vcores.
 */
#include "kernel.h"

/* Room for the message is set aside (EXO_MAILBOX_RESERVED).  A libos that spoils its own ring, or
 * lets it fill up, sees only the event. */
void revoke_announce(struct vcore *vcore, const struct revoked *what, uint64_t deadline_tsc)
{
	mailbox_post(vcore, EXO_MESSAGE_REVOKE, what->kind | what->number << 8, deadline_tsc,
		     what->count);
	vcore_ring(vcore, EXO_EVENT_REVOKE);
}

/* Release: who sees the sequence sees the entry.  Two that are a whole ring apart at the same time might
 * mix theirs; no domain is taken from that fast. */
static void list_in(struct vcore *vcore, const struct revoked *what, uint64_t now)
{
	uint32_t index = atomic_fetch_add_explicit(&vcore->taken_tail, 1, memory_order_relaxed);
	struct exo_taken *slot = &vcore->page->taken[index % EXO_TAKEN_SLOTS];

	__atomic_store_n(&slot->sequence, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_release);
	slot->kind = what->kind;
	slot->number = what->number;
	slot->count = what->count;
	slot->tsc = now;
	__atomic_store_n(&slot->sequence, index + 1, __ATOMIC_RELEASE);
	vcore_ring(vcore, EXO_EVENT_REVOKE);
}

void revoke_list(struct domain *d, const struct revoked *what)
{
	uint64_t now = tsc_read();

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct vcore *v = domain_vcore_get(d, cpu);

		if (!v)
			continue;
		list_in(v, what, now);
		object_put(&v->object);
	}
}
