/* SPDX-License-Identifier: MIT */
/*
 * Declaring a domain dead, and taking it apart, one bounded step per call of whoever holds the right to
 * (its parent, usually): EXO_CALL_DOMAIN_KILL until it returns 0.
 *
 *	STOP     its vcores leave their CPUs, its interrupt lines fall silent
 *	OBJECTS  spaces, loans and scheduling contexts that it owns end (a sweep over all frames)
 *	SHARED   the shared region
 *	FRAMES   what it owned is scrubbed and goes to its parent (a sweep over all frames)
 *	SELF     the handle table and the domain itself
 *
 * Its own children come first.  Anything that others still use (a handle lookup in progress, a
 * borrower's mapping, a CPU that has yet to flush) makes a step return -EBUSY, with nothing lost.
 */
#include "kernel.h"
#include "calls.h"
#include "sched_context.h"

/* How much one step does: frames looked at, and frames scrubbed; an object's end counts as eight of these. */
#define SWEEP_FRAMES 8192u
#define SWEEP_SCRUBS 64u

enum phase { PHASE_STOP, PHASE_OBJECTS, PHASE_SHARED, PHASE_FRAMES, PHASE_SELF };

/* Whoever has begun is alone in changing what only one may change; false: somebody else is. */
static bool dismantle_begin(struct domain *d)
{
	bool idle = false;

	return atomic_compare_exchange_strong(&d->dismantling, &idle, true);
}

/* ---------------------------------------------------------------- death */

static void request_stop(struct domain *d)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct vcore *v = domain_vcore_get(d, cpu);

		if (!v)
			continue;
		vcore_ring(v, VCORE_REQUEST_KILL);
		object_put(&v->object);
	}
}

/*
 * Whoever finds `dismantling` taken has nothing to add: the holder is declaring the domain dead, or is
 * taking it apart because it is.
 *
 * Why no death is missed, however full the parent's mailbox is: the status is stored, then `dying`, and
 * a message that finds no room is made up for by an event, which is a bit and so always has some.  The
 * parent that sees the event asks each of its children, and finds `dying` and the status.
 */
void domain_die(struct domain *d, uint64_t status)
{
	if (!dismantle_begin(d))
		return;
	if (!atomic_load(&d->dying)) {
		d->status = status & INT64_MAX;
		atomic_store(&d->dying, true);
		kprintf("exo: domain %u died, status %lu\n", d->id, status);
		if (!d->parent_vcore)
			panic("there is nothing left to run");
		request_stop(d);
		if (mailbox_post(d->parent_vcore, EXO_MESSAGE_DEATH, d->parent_word, d->status, 0))
			vcore_ring(d->parent_vcore, EXO_EVENT_DEATH);
	}
	atomic_store(&d->dismantling, false);
}

/* ---------------------------------------------------------------- taking apart */

/* Every handle to it becomes stale.  The caller holds a reference; false if somebody else was faster. */
static bool revoke(struct object *o)
{
	return object_word_renew(o->frame, object_generation(o->frame));
}

/* ---------------------------------------------------------------- STOP */

/*
 * No handle names it any more, so once it has left its CPU nobody rings it.  Until then it is asked
 * again: it may have been made after its domain died.  One that somebody else is just retiring is
 * waited for: he has yet to take it out of the table, which is the domain's.
 */
static bool stop_vcore(struct domain *d, unsigned cpu)
{
	struct vcore *v = domain_vcore_get(d, cpu);

	if (!v)
		return !atomic_load(&d->vcores[cpu]);
	revoke(&v->object);
	if (irq_unbind_vcore(v) && vcore_retire(v))
		return true;
	if (vcore_place(v) != VCORE_DEAD)
		vcore_ring(v, VCORE_REQUEST_KILL);
	object_put(&v->object);
	return false;
}

/*
 * Why nothing is added to the domain after this: whoever would give it a frame, a space or a vcore
 * takes a reference and then refuses if the domain is not alive.  It has been dying since before
 * this look, so with no reference but ours nobody is in the middle of it, and nobody begins.
 */
static bool stop(struct domain *d)
{
	bool stopped = object_users(&d->object) == 1;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		stopped &= stop_vcore(d, cpu);
	return stopped;
}

/* ---------------------------------------------------------------- OBJECTS */

/* The caller's reference ends.  0 when it is gone, 1 when there is more to do, -EBUSY. */
static int destroy_object(struct object *o)
{
	struct frame_list nobody_reads = { .room = FRAME_LIST_MAX };
	uint64_t frame = o->frame;
	/* The end of these takes no more than the last reference.  An SC's CPU takes it out of its tree when
	 * the vcore there dies. */
	bool is_loose = o->kind == OBJECT_LOAN ||
			(o->kind == OBJECT_SC && atomic_load(&((struct sched_context *)o)->detached));
	int result = -EBUSY;

	if (o->kind == OBJECT_SPACE && revoke(o)) {
		result = space_destroy_step((struct space *)o, &nobody_reads);
	} else if (is_loose && revoke(o) && object_word_retire(frame)) {
		debug_release(frame);
		result = 0;
	}
	if (result)
		object_put(o);
	return result;
}

/* What is in a frame of the domain's, but not the two that go last. */
static int destroy_in(const struct domain *d, uint64_t frame, unsigned *scrubs)
{
	struct object *o = object_find(d, frame);

	*scrubs += o ? 8 : 0;
	if (o && o != &d->object && o != &d->shared->object)
		return destroy_object(o);
	if (o)
		object_put(o);
	return 0;
}

/* ---------------------------------------------------------------- FRAMES */

/* 0 when the frame is not, or no longer, the domain's; scrubbed and passed on. */
static int take_frame(const struct domain *d, uint64_t frame, unsigned *scrubs)
{
	uint64_t word = frame_word(frame);

	if (frame_word_owner(word) != d->id || frame_word_type(word) == EXO_FRAME_KERNEL)
		return 0;
	if (!frame_seize(frame, d->id))
		return -EBUSY;
	frame_zero(frame);
	frame_release_to(frame, d->parent_id);
	(*scrubs)++;
	return 0;
}

/* ---------------------------------------------------------------- the sweeps */

/*
 * From where the last step ended.  0: the sweep has come to the end and left nothing; 1: not yet
 * there; -EBUSY: it came to the end, others still hold something, and it begins anew.
 */
static int sweep(struct domain *d)
{
	unsigned scrubs = 0;
	uint64_t end = d->sweep_frame + SWEEP_FRAMES;

	if (end > frame_end)
		end = frame_end;
	while (d->sweep_frame < end && scrubs < SWEEP_SCRUBS) {
		int result;

		if (d->sweep_phase == PHASE_FRAMES)
			result = take_frame(d, d->sweep_frame, &scrubs);
		else
			result = destroy_in(d, d->sweep_frame, &scrubs);
		if (result > 0)
			return 1;
		d->sweep_left += result < 0;
		d->sweep_frame++;
	}
	if (d->sweep_frame < frame_end)
		return 1;
	bool busy = d->sweep_left > 0;
	d->sweep_frame = d->sweep_left = 0;
	return busy ? -EBUSY : 0;
}

/* ---------------------------------------------------------------- SELF */

/*
 * The caller holds a reference; nobody else may.  Once the domain is forgotten its parent is without
 * children, and may be taken apart as well: but not past STOP while we hold it (stop()).
 */
static int finish(struct domain *d)
{
	struct domain *heir = domain_by_id(d->parent_id);
	uint64_t frame = d->object.frame;

	if (!object_word_retire(d->object.frame))
		return -EBUSY;
	object_get(&heir->object);
	domain_forget(d);
	object_put(&d->parent_vcore->object);
	for (unsigned i = 0; i < HANDLE_FRAMES_MAX && d->handles[i]; i++) {
		frame_zero(frame_of_pointer(d->handles[i]));
		frame_release_to(frame_of_pointer(d->handles[i]), heir->id);
	}
	debug_scrub(frame);
	frame_release_to(frame, heir->id);
	object_put(&heir->object);
	return 0;
}

/* 0 when the domain is gone, 1 when there is more to do, -EBUSY when others hold something. */
static __attribute__((cold)) int dismantle_step(struct domain *d)
{
	int result = 0;

	switch ((enum phase)d->sweep_phase) {
	case PHASE_STOP:
		if (!stop(d))
			return 1;
		break;
	case PHASE_OBJECTS:
	case PHASE_FRAMES:
		result = sweep(d);
		break;
	case PHASE_SHARED:
		object_get(&d->shared->object);
		result = destroy_object(&d->shared->object);
		break;
	case PHASE_SELF:
		return finish(d);
	}
	if (result)
		return result;
	d->sweep_phase++;
	return 1;
}

/* ---------------------------------------------------------------- the call */

/* One after the other gets its turn: some can be ended only when a sibling has been. */
static uint16_t child_of(uint16_t parent)
{
	uint64_t first = tsc_read();

	for (unsigned n = 0; n < DOMAINS_MAX; n++) {
		uint16_t id = (first + n) % DOMAINS_MAX;
		const struct domain *d = domain_by_id(id);

		if (d && d->parent_id == parent)
			return id;
	}
	return 0;
}

/*
 * A domain below d that has no children, with a reference; d itself if it has none; NULL if that one is
 * just disappearing.  Its frame may have become anything then (object.h), and its number may be that of a
 * new domain, which is none of d's.  So what we have got is looked at once more from below: as long as it
 * is there, all above it are.
 */
static struct domain *leaf_below(struct domain *d)
{
	uint16_t id = d->id, child;
	struct domain *leaf, *up;

	while ((child = child_of(id)) != 0)
		id = child;
	leaf = domain_by_id(id);
	if (!leaf || !object_word_get_live(frame_of_pointer(leaf)))
		return NULL;
	for (up = domain_by_id(id) == leaf ? leaf : NULL; up && up != d; up = domain_by_id(up->parent_id))
		;
	if (up)
		return leaf;
	object_word_put(frame_of_pointer(leaf));
	return NULL;
}

/* (domain handle, status, or EXO_STATUS_ASK) */
__attribute__((cold)) int64_t call_domain_kill(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *d = h->domain, *leaf;
	int result = 1;

	if (regs->rsi == EXO_STATUS_ASK)
		return atomic_load(&d->dying) ? (int64_t)d->status : -EAGAIN;
	domain_die(d, regs->rsi);
	if (d == domain_current())
		return 0;
	leaf = leaf_below(d);
	handle_view_put(h); /* the last step needs the last reference: the leaf's */
	h->kept = true;
	if (!leaf)
		return 1;
	domain_die(leaf, regs->rsi);
	if (dismantle_begin(leaf)) {
		result = dismantle_step(leaf);
		if (result) /* else it is gone, with our reference */
			atomic_store(&leaf->dismantling, false);
	}
	if (result)
		object_put(&leaf->object);
	return leaf == d || result < 0 ? result : 1;
}
