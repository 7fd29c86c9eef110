/* SPDX-License-Identifier: MIT */
/*
 * Taking back what was granted, visibly: announced with a deadline, and what was not given up by then
 * is taken and listed in the repossession ring, in the page of each of the domain's vcores.
 */
#include "kernel.h"
#include "calls.h"
#include "sched_context.h"

#define REVOKE_LISTED UINT64_MAX

/* Room for the message is set aside (EXO_MAILBOX_RESERVED).  A libos that spoils its own ring, or
 * lets it fill up, sees only the event. */
void revoke_announce(struct vcore *vcore, const struct revoked *what, uint64_t deadline_tsc)
{
	mailbox_post(vcore, EXO_MESSAGE_REVOKE, what->kind | what->number << 8, deadline_tsc, what->count);
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

/* Each step is one compare-and-swap: several CPUs may revoke the same thing, it is announced once and
 * listed once. */
bool revoke_due(_Atomic uint64_t *by, struct vcore *vcore, const struct revoked *what, uint64_t deadline_tsc)
{
	uint64_t deadline = 0;

	if (atomic_compare_exchange_strong(by, &deadline, deadline_tsc)) {
		revoke_announce(vcore, what, deadline_tsc);
		return false;
	}
	if (deadline == REVOKE_LISTED)
		return true;
	if (tsc_read() < deadline)
		return false;
	if (atomic_compare_exchange_strong(by, &deadline, REVOKE_LISTED))
		revoke_list(vcore->object.owner, what);
	return true;
}

/* ---------------------------------------------------------------- the call */

/*
 * The end of a vcore is a request to its own CPU (K4), and the caller finds it done at a later call.
 * Whatever comes between, its death, another request, a donation to it, is sorted out there.
 */
static int64_t revoke_vcore(struct handle_view *h, uint64_t deadline_tsc)
{
	struct vcore *v = h->vcore;
	struct revoked what = { EXO_REVOKED_VCORE, v->cpu, 0 };

	switch (vcore_place(v)) {
	case VCORE_DEAD:
		h->kept = irq_unbind_vcore(v) && vcore_retire(v);
		return h->kept ? 0 : -EBUSY;
	case VCORE_NEW:
		break;
	default:
		if (v->object.owner != domain_current() && !revoke_due(&v->revoke_by, v, &what, deadline_tsc))
			return 1;
	}
	vcore_ring(v, VCORE_REQUEST_KILL);
	return 1;
}

/* On its CPU, where whatever is bound to it is alive. */
static int64_t revoke_sc(struct exo_regs *regs, struct handle_view *h, uint64_t deadline_tsc)
{
	struct revoked what = { EXO_REVOKED_SC, h->sc->cpu, 0 };
	struct vcore *v;

	if (h->sc->cpu != this_cpu()->number)
		return -EXDEV;
	v = h->sc->vcore;
	if (v && h->sc->parent && v->object.owner != domain_current() &&
	    !revoke_due(&h->sc->revoke_by, v, &what, deadline_tsc))
		return 1;
	return call_sc_reclaim(regs, h);
}

/* (handle, ns) */
__attribute__((cold)) int64_t call_revoke(struct exo_regs *regs, struct handle_view *h)
{
	bool may = h->rights & EXO_RIGHT_REVOKE;
	uint64_t deadline_tsc;

	if (regs->rsi > EXO_REVOKE_NS_MAX)
		return -EINVAL;
	deadline_tsc = tsc_read() + regs->rsi / 1000 * this_cpu()->tsc_khz / 1000;
	switch (h->kind) {
	case OBJECT_VCORE:
		may |= h->vcore->object.owner == domain_current();
		return may ? revoke_vcore(h, deadline_tsc) : -EPERM;
	case OBJECT_SC:
		return may ? revoke_sc(regs, h, deadline_tsc) : -EPERM;
	case OBJECT_LINE:
		return irq_revoke(h, deadline_tsc);
	default:
		return -EINVAL;
	}
}
