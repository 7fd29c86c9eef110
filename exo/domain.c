/* SPDX-License-Identifier: MIT */
/* Domains: numbered, made.  domain_kill.c declares them dead and takes them apart. */
#include "kernel.h"
#include "calls.h"

/* Where the search for a free slot starts in a domain made by another: behind EXO_SLOT_DOMAIN, so
 * that the first handle copied to it, that of its address space, becomes EXO_SLOT_SPACE. */
#define FIRST_COPIED_SLOT EXO_SLOT_SPACE
/* Room in a mailbox is set aside for the kernel's messages (EXO_MAILBOX_RESERVED). */
#define CHILDREN_PER_VCORE 8

/* Any CPU, by compare-and-swap from and to NULL. */
static struct domain *_Atomic domains[DOMAINS_MAX];

struct domain *domain_by_id(uint16_t id)
{
	return id < DOMAINS_MAX ? atomic_load(&domains[id]) : NULL;
}

struct domain *domain_current(void)
{
	return this_cpu()->current->object.owner;
}

/*
 * The frame may have become anything (object.h), and a vcore leaves the table before its frame is given
 * back.  So one that is still there after we have got a reference to what is in the frame is what we have
 * got; and as long as we hold it, it stays.
 */
struct vcore *domain_vcore_get(struct domain *d, unsigned cpu)
{
	struct vcore *v = atomic_load(&d->vcores[cpu]);
	uint64_t frame = v ? frame_of_pointer(v) : 0;

	if (!v || !object_word_get_live(frame))
		return NULL;
	if (atomic_load(&d->vcores[cpu]) == v)
		return v;
	object_word_put(frame);
	return NULL;
}

static uint16_t take_id(struct domain *d)
{
	for (uint16_t id = 1; id < DOMAINS_MAX; id++) {
		struct domain *none = NULL;

		if (atomic_compare_exchange_strong(&domains[id], &none, d))
			return id;
	}
	return 0;
}

void domain_forget(struct domain *d)
{
	atomic_store(&domains[d->id], NULL);
}

static bool inside(uint64_t address, uint64_t start, uint64_t end)
{
	return address >= start && address < end;
}

bool domain_entries_ok(const struct exo_entries *e)
{
	return e->text_start >= EXO_SHARED_BASE && e->text_end <= EXO_INFO_BASE &&
	       e->text_start < e->text_end && inside(e->event, e->text_start, e->text_end) &&
	       inside(e->fault, e->text_start, e->text_end) &&
	       inside(e->fault_masked, e->text_start, e->text_end) &&
	       inside(e->foreign, e->text_start, e->text_end) &&
	       inside(e->resume_start, e->text_start, e->text_end) &&
	       e->resume_end >= e->resume_start && e->resume_end <= e->text_end;
}

struct domain *domain_init(const struct exo_domain_create *create)
{
	struct domain *d = frame_pointer(create->object_frame);
	/* Its maker names these two as well, and must not lose them by its revoking them. */
	unsigned rights = EXO_RIGHTS_ALL & ~EXO_RIGHT_REVOKE;

	frame_zero(create->object_frame);
	d->id = take_id(d);
	if (!d->id)
		return NULL;
	d->entries = create->entries;
	handle_feed(d, create->handle_frame);
	object_init(&d->object, OBJECT_DOMAIN, d, create->object_frame);
	d->shared = space_init(d, create->shared_object_frame, create->shared_root_frame, NULL);
	handle_install(d, EXO_SLOT_DOMAIN, OBJECT_DOMAIN, create->object_frame, rights);
	handle_install(d, EXO_SLOT_SHARED, OBJECT_SPACE, create->shared_object_frame, rights);
	d->handle_hint = FIRST_COPIED_SLOT;
	return d;
}

/* ---------------------------------------------------------------- the call */

static unsigned children_of(const struct vcore *vcore)
{
	unsigned count = 0;

	for (uint16_t id = 1; id < DOMAINS_MAX; id++) {
		const struct domain *d = domain_by_id(id);

		count += d && d->parent_vcore == vcore;
	}
	return count;
}

/* (vcore of the parent, struct exo_domain_create *) -> handle */
__attribute__((cold)) int64_t call_domain_create(struct exo_regs *regs, struct handle_view *h)
{
	struct domain *parent = domain_current(), *d;
	struct exo_domain_create args;
	struct creation making;
	exo_handle handle;
	int64_t shared_slot;
	int error = copy_from_user(&args, regs->rsi, sizeof(args));

	if (error)
		return error;
	/* The vcore is the maker's own: another's would be held by who does not end with its domain. */
	if (!domain_entries_ok(&args.entries) || h->vcore->object.owner != parent)
		return -EINVAL;
	if (children_of(h->vcore) >= CHILDREN_PER_VCORE)
		return -ENOSPC;
	shared_slot = handle_reserve(parent);
	if (shared_slot < 0)
		return shared_slot;
	making = (struct creation){ .count = 4, .frames = { args.object_frame, args.handle_frame,
		args.shared_object_frame, args.shared_root_frame } };
	error = creation_begin(&making, EXO_FRAME_TABLE);
	if (error)
		goto out_slot;
	error = -ENOSPC;
	d = domain_init(&args);
	if (!d)
		goto out_making;
	d->parent_vcore = h->vcore;
	h->kept = true;
	d->parent_word = args.parent_word;
	/* Last: whoever takes our own domain apart finds it by this from now on, and tells that vcore. */
	__atomic_store_n(&d->parent_id, parent->id, __ATOMIC_RELEASE);
	args.shared = handle_fill(parent, shared_slot, OBJECT_SPACE, EXO_RIGHTS_ALL,
				  args.shared_object_frame, 0, 0);
	handle = creation_finish(&making, OBJECT_DOMAIN);
	object_put(&d->shared->object);
	object_put(&d->object);
	/* If this fails the caller has lost the shared region's handle, and can kill the domain. */
	return copy_to_user(regs->rsi, &args, sizeof(args)) ? -EFAULT : (int64_t)handle;

out_making:
	creation_undo(&making);
out_slot:
	handle_cancel(parent, shared_slot);
	return error;
}
