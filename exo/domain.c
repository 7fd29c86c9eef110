/* SPDX-License-Identifier: MIT */
/* Domains: numbered, made, declared dead.  domain_kill.c takes them apart. */
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
	return e->text_start >= EXO_SHARED_BASE && e->text_end <= EXO_VCORE_BASE &&
	       e->text_start < e->text_end && inside(e->event, e->text_start, e->text_end) &&
	       inside(e->fault, e->text_start, e->text_end) &&
	       inside(e->fault_masked, e->text_start, e->text_end) &&
	       inside(e->foreign, e->text_start, e->text_end) &&
	       inside(e->resume_start, e->text_start, e->text_end) &&
	       e->resume_end >= e->resume_start && e->resume_end <= e->text_end;
}

struct domain *domain_init(const struct domain_parts *parts)
{
	struct domain *d = frame_pointer(parts->object_frame);

	frame_zero(parts->object_frame);
	d->id = take_id(d);
	if (!d->id)
		return NULL;
	d->entries = parts->entries;
	for (unsigned i = 0; i < parts->handle_frame_count; i++) {
		frame_zero(parts->handle_frames[i]);
		d->handles[i] = frame_pointer(parts->handle_frames[i]);
	}
	d->handle_hint = FIRST_COPIED_SLOT;
	object_init(&d->object, OBJECT_DOMAIN, d, parts->object_frame);
	d->shared = space_init(d, parts->shared_object_frame, parts->shared_root_frame, NULL);
	return d;
}

/* ---------------------------------------------------------------- the call */

/* Checked and held. */
struct create_plan {
	struct exo_domain_create args;
	struct domain *parent;
	struct object *parent_vcore;
	struct creation making;
	int64_t shared_slot;
};

static unsigned children_of(const struct object *vcore)
{
	unsigned count = 0;

	for (uint16_t id = 1; id < DOMAINS_MAX; id++) {
		const struct domain *d = domain_by_id(id);

		count += d && (const struct object *)d->parent_vcore == vcore;
	}
	return count;
}

static int decode_create(struct create_plan *plan)
{
	struct exo_domain_create *args = &plan->args;
	int error;

	if (!domain_entries_ok(&args->entries))
		return -EINVAL;
	error = handle_lookup(plan->parent, args->parent_vcore, OBJECT_VCORE, EXO_RIGHT_MANAGE,
			      &plan->parent_vcore);
	if (error)
		return error;
	error = -ENOSPC;
	if (children_of(plan->parent_vcore) >= CHILDREN_PER_VCORE)
		goto out_vcore;
	plan->shared_slot = handle_reserve(plan->parent);
	if (plan->shared_slot < 0)
		goto out_vcore;
	plan->making = (struct creation){ .count = 4, .frames = { args->object_frame,
		args->handle_frame, args->shared_object_frame, args->shared_root_frame } };
	error = creation_begin(&plan->making, EXO_FRAME_TABLE);
	if (!error)
		return 0;
	handle_cancel(plan->parent, plan->shared_slot);
out_vcore:
	object_put(plan->parent_vcore);
	return error;
}

/* What a domain can name from the start: itself and its shared region. */
static void install_own_handles(struct domain *d)
{
	handle_fill(d, handle_reserve_slot(d, EXO_SLOT_DOMAIN), OBJECT_DOMAIN, EXO_RIGHTS_ALL,
		    d->object.frame, 0, 0);
	handle_fill(d, handle_reserve_slot(d, EXO_SLOT_SHARED), OBJECT_SPACE, EXO_RIGHTS_ALL,
		    d->shared->object.frame, 0, 0);
}

/* (struct exo_domain_create *) -> handle */
int64_t call_domain_create(struct exo_regs *regs, struct handle_view *h)
{
	struct create_plan plan = { .parent = domain_current() };
	struct exo_domain_create *args = &plan.args;
	struct domain_parts parts;
	struct domain *d;
	exo_handle handle;
	int error = copy_from_user(args, regs->rdi, sizeof(*args));

	if (!error)
		error = decode_create(&plan);
	if (error)
		return error;
	parts = (struct domain_parts){
		.object_frame = args->object_frame,
		.shared_object_frame = args->shared_object_frame,
		.shared_root_frame = args->shared_root_frame,
		.handle_frames = &args->handle_frame,
		.handle_frame_count = 1,
		.entries = args->entries,
	};
	d = domain_init(&parts);
	if (!d) {
		creation_undo(&plan.making);
		handle_cancel(plan.parent, plan.shared_slot);
		object_put(plan.parent_vcore);
		return -ENOSPC;
	}
	d->parent_id = plan.parent->id;
	d->parent_vcore = (struct vcore *)plan.parent_vcore;
	d->parent_word = args->parent_word;
	install_own_handles(d);
	args->shared = handle_fill(plan.parent, plan.shared_slot, OBJECT_SPACE, EXO_RIGHTS_ALL,
				   args->shared_object_frame, 0, 0);
	handle = creation_finish(&plan.making, OBJECT_DOMAIN);
	object_put(&d->shared->object);
	object_put(&d->object);
	/* If this fails the caller has lost the shared region's handle, and can kill the domain. */
	return copy_to_user(regs->rdi, args, sizeof(*args)) ? -EFAULT : (int64_t)handle;
}

/* ---------------------------------------------------------------- death */

static void request_stop(struct domain *d)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct vcore *v = atomic_load(&d->vcores[cpu]);

		if (v)
			vcore_ring(v, VCORE_REQUEST_KILL);
	}
}

/*
 * Why a vcore in the table stays while we ring it: only the holder of `dismantling` takes vcores
 * out.  Whoever finds it taken has nothing to add: the holder is declaring the domain dead, or is
 * taking it apart because it is.
 */
void domain_die(struct domain *d, uint64_t status)
{
	if (!domain_dismantle_begin(d))
		return;
	if (atomic_load(&d->state) == DOMAIN_ALIVE) {
		atomic_store(&d->exit_status, status);
		atomic_store(&d->state, DOMAIN_DYING);
		kprintf("exo: domain %u died, status %lu\n", d->id, status);
		if (!d->parent_vcore)
			panic("there is nothing left to run");
		request_stop(d);
		mailbox_post(d->parent_vcore, EXO_MESSAGE_DEATH, d->parent_word, status, 0);
	}
	domain_dismantle_end(d);
}
