/* SPDX-License-Identifier: MIT */
/* Vcore objects: making them, and moving their state in and out of the processor. */
#include "kernel.h"
#include "calls.h"
#include "sched_context.h"
#include "x86/vector_state.h"

#define VECTOR_FRAMES_MAX 3

unsigned vcore_vector_frames(void)
{
	return (cpu_features.vector_size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
}

struct vcore *vcore_init(const struct vcore_parts *parts)
{
	struct vcore *vcore = frame_pointer(parts->object_frame);

	frame_zero(parts->object_frame);
	frame_zero(parts->page_frame);
	vcore->cpu = parts->cpu;
	vcore->page = frame_pointer(parts->page_frame);
	vcore->page_address = EXO_VCORE_BASE + parts->cpu * EXO_VCORE_STRIDE;
	vcore->page_frame = parts->page_frame;
	vcore->stack_top = parts->stack_top;
	vcore->fault_stack_top = parts->fault_stack_top;
	vcore->vector_state = frame_pointer(parts->vector_frame[0]);
	memcpy(vcore->vector_frame, parts->vector_frame, sizeof(vcore->vector_frame));
	vector_init(vcore->vector_state);
	vcore->space = parts->space;
	atomic_store_explicit(&vcore->where, VCORE_NEW, memory_order_relaxed);
	object_init(&vcore->object, OBJECT_VCORE, parts->domain, parts->object_frame);
	return vcore;
}

/*
 * Why nobody touches the vcore after this has returned true.  Others reach it only through
 * references, of which the caller's is the last.  Whoever had one and latched something has also
 * pushed it before it gave the reference back; and as `latched` is 0, its CPU has taken it out.
 */
bool vcore_gone(struct vcore *vcore)
{
	return atomic_load_explicit(&vcore->where, memory_order_acquire) == VCORE_DEAD &&
	       object_users(&vcore->object) == 1 && atomic_load(&vcore->latched) == 0;
}

/*
 * The bases of ring 3.  Its GS base waits in the processor's second one while the kernel runs, and
 * is swapped in for the two instructions that reach it; an NMI in between does not rely on GS.
 * WRFSBASE and its like fault in ring 3 on a non-canonical address, so what is saved is canonical.
 */
static void save_bases(struct vcore *vcore)
{
	asm volatile("rdfsbase %0" : "=r"(vcore->fs_base));
	asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(vcore->gs_base) : : "memory");
}

/* The selectors first, as loading one changes its base: a vcore finds them all null. */
static void restore_bases(const struct vcore *vcore)
{
	asm volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%fs" : : "r"(0));
	asm volatile("wrfsbase %0" : : "r"(vcore->fs_base));
	asm volatile("swapgs; movl %0, %%gs; wrgsbase %1; swapgs"
		     : : "r"(0), "r"(vcore->gs_base) : "memory");
}

void vcore_save(struct vcore *vcore, const struct exo_regs *frame)
{
	if (frame != &vcore->regs)
		vcore->regs = *frame;
	vector_save(vcore->vector_state);
	save_bases(vcore);
}

void vcore_restore(const struct vcore *vcore)
{
	vector_restore(vcore->vector_state);
	restore_bases(vcore);
}

/* EXO_CALL_VCORE_CREATE: what is to be made, checked and held. */
struct create_plan {
	struct vcore_parts parts;
	struct creation making; /* of the object, vector state, and the page */
};

static int list_frames(const struct exo_vcore_create *args, struct create_plan *plan)
{
	struct creation *c = &plan->making;

	c->frames[c->count++] = args->object_frame;
	for (unsigned i = 0; i < vcore_vector_frames(); i++) {
		if (args->vector_frame[i] != args->vector_frame[0] + i)
			return -EINVAL;
		c->frames[c->count++] = plan->parts.vector_frame[i] = args->vector_frame[i];
	}
	c->frames[c->count++] = args->page_frame;
	return 0;
}

/* The domain, which the caller must manage, and one of its spaces; holds both on success. */
static int find_owner(const struct exo_vcore_create *args, struct vcore_parts *parts)
{
	struct domain *caller = domain_current();
	struct object *domain;
	int error = handle_lookup(caller, args->domain, OBJECT_DOMAIN, EXO_RIGHT_MANAGE, &domain);

	if (error)
		return error;
	error = space_lookup(caller, args->space, EXO_RIGHT_USE, &parts->space);
	if (error)
		goto out_domain;
	parts->domain = (struct domain *)domain;
	if (atomic_load(&parts->domain->state) != DOMAIN_ALIVE)
		error = -ESRCH; /* see stop() in domain_kill.c */
	else if (parts->space->object.owner != parts->domain || parts->space->is_shared)
		error = -EINVAL;
	if (!error)
		return 0;
	object_put(&parts->space->object);
out_domain:
	object_put(domain);
	return error;
}

static int decode_create(const struct exo_vcore_create *args, struct create_plan *plan)
{
	struct vcore_parts *parts = &plan->parts;
	int error = list_frames(args, plan);

	if (error || args->cpu >= cpu_count || args->stack_top >= EXO_SHARED_END ||
	    args->fault_stack_top >= EXO_SHARED_END)
		return -EINVAL;
	parts->cpu = args->cpu;
	parts->object_frame = args->object_frame;
	parts->page_frame = args->page_frame;
	parts->stack_top = args->stack_top;
	parts->fault_stack_top = args->fault_stack_top;
	error = find_owner(args, parts);
	if (error)
		return error;
	error = creation_begin(&plan->making, EXO_FRAME_PINNED);
	if (error) {
		object_put(&parts->space->object);
		object_put(&parts->domain->object);
	}
	return error;
}

/* Somebody else has made the domain's vcore on this CPU meanwhile. */
static void undo_create(struct create_plan *plan, struct vcore *vcore)
{
	object_retire(&vcore->object);
	creation_undo(&plan->making);
	object_put(&plan->parts.space->object);
	object_put(&plan->parts.domain->object);
}

int64_t call_vcore_create(struct exo_regs *regs, struct handle_view *h)
{
	struct exo_vcore_create args;
	struct create_plan plan = { 0 };
	struct vcore *vcore, *none = NULL;
	struct domain *domain;
	exo_handle handle;
	int error = copy_from_user(&args, regs->rdi, sizeof(args));

	if (!error)
		error = decode_create(&args, &plan);
	if (error)
		return error;

	domain = plan.parts.domain;
	vcore = vcore_init(&plan.parts);
	if (!atomic_compare_exchange_strong(&domain->vcores[args.cpu], &none, vcore)) {
		undo_create(&plan, vcore);
		return -EEXIST;
	}
	handle = creation_finish(&plan.making, OBJECT_VCORE);
	/* Either domain_die() finds the vcore in the table, or we find the domain dying: it sets
	 * the state and then looks, we put it there and then look (both seq_cst). */
	if (atomic_load(&domain->state) != DOMAIN_ALIVE)
		vcore_ring(vcore, VCORE_REQUEST_KILL);
	object_put(&vcore->object);
	object_put(&domain->object);
	return handle;
}

int64_t call_vcore_start(struct exo_regs *regs, struct handle_view *h)
{
	vcore_ring(h->vcore, VCORE_REQUEST_START);
	return 0;
}
