/* SPDX-License-Identifier: MIT */
/* Vcore objects: making them, and moving their state in and out of the processor. */
#include "kernel.h"
#include "calls.h"
#include "sched_context.h"

/*
 * x87, SSE and AVX registers.  The kernel itself never uses them; it saves them only when a CPU
 * changes to another vcore.  Save areas are kernel memory, so what is in them came from the
 * processor and needs no checking.  They are cpu_features.vector_size bytes, 64-byte aligned.
 */
#define MXCSR_INITIAL 0x1f80u /* every exception masked, round to nearest */
#define X87_CONTROL_INITIAL 0x37fu

/* Makes an area from which vcore_restore() loads the state after a reset. */
static void vector_init(void *area)
{
	memset(area, 0, cpu_features.vector_size);
	*(uint16_t *)area = X87_CONTROL_INITIAL;
	*(uint32_t *)((char *)area + 24) = MXCSR_INITIAL;
}

struct vcore *vcore_init(struct space *space, const struct exo_vcore_create *create)
{
	struct vcore *vcore = frame_pointer(create->object_frame);

	frame_zero(create->object_frame);
	frame_zero(create->page_frame);
	vcore->cpu = create->cpu;
	vcore->page = frame_pointer(create->page_frame);
	vcore->stack_top = create->stack_top;
	vcore->fault_stack_top = create->fault_stack_top;
	vcore->vector_state = frame_pointer(create->vector_frame);
	vector_init(vcore->vector_state);
	vcore->space = space;
	vcore->names[0].handle = 1; /* 0, of which nothing is known, is not */
	return vcore;
}

/*
 * The bases of ring 3.  Its GS base waits in the processor's second one while the kernel runs, and
 * is swapped in for the two instructions that reach it; an NMI in between does not rely on GS.
 * WRFSBASE and its like fault in ring 3 on a non-canonical address, so what is saved is canonical.
 */
void vcore_save(struct vcore *vcore, const struct exo_regs *frame)
{
	void *area = vcore->vector_state;

	if (frame != &vcore->regs)
		vcore->regs = *frame;
	if (cpu_features.xsaveopt)
		asm volatile("xsaveopt64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		asm volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	asm volatile("rdfsbase %0" : "=r"(vcore->fs_base));
	asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(vcore->gs_base) : : "memory");
}

/* The selectors before the bases, as loading one changes its base: a vcore finds them null, but for ES. */
void vcore_restore(const struct vcore *vcore)
{
	/* Some processors do not load where the x87 unit erred last: that was not in another domain. */
	asm volatile("fnclex; emms; fildl %0" : : "m"(vcore->cpu));
	asm volatile("xrstor64 (%0)" : : "r"(vcore->vector_state), "a"(~0u), "d"(~0u) : "memory");
	asm volatile("movl %0, %%ds; movl %1, %%es; movl %0, %%fs"
		     : : "r"(0), "r"(EXO_CPU_SELECTOR + (vcore->cpu << EXO_CPU_SELECTOR_SHIFT)));
	asm volatile("wrfsbase %0" : : "r"(vcore->fs_base));
	asm volatile("swapgs; movl %0, %%gs; wrgsbase %1; swapgs" : : "r"(0), "r"(vcore->gs_base) : "memory");
}

/*
 * Why nobody touches the vcore once it is retired.  Others reach it only through references, of which
 * the caller's is the last.  Whoever had one and latched something has also pushed it before it
 * gave the reference back; and as `latched` was 0, its CPU has taken it out.  From then on it is not 0:
 * who gets a reference after that look, and gives it back before it ends, rings in vain.  What he wants of
 * a dead vcore nobody misses.  It leaves its domain's table before its frames go: domain_vcore_get() relies
 * on that, and the domain waits for it.
 */
bool vcore_retire(struct vcore *v)
{
	uint64_t frame = v->object.frame, page = frame_of_pointer(v->page);
	uint64_t vector_frame = frame_of_pointer(v->vector_state), none = 0;

	if (atomic_load_explicit(&v->where, memory_order_acquire) != VCORE_DEAD ||
	    !atomic_compare_exchange_strong(&v->latched, &none, VCORE_REQUEST_KILL))
		return false;
	if (!object_word_retire(frame)) {
		atomic_store(&v->latched, 0);
		return false;
	}
	atomic_store(&v->object.owner->vcores[v->cpu], NULL);
	frame_unshare(page);
	frame_release(vector_frame);
	debug_release(frame);
	return true;
}

/* What is to be made, and of which frames: the object, the vector state, and the page. */
static int decode_create(const struct handle_view *h, const struct exo_vcore_create *args,
			 struct creation *making)
{
	const struct space *space = h[1].space;

	if (args->cpu >= cpu_count || args->stack_top >= EXO_SHARED_END ||
	    args->fault_stack_top >= EXO_SHARED_END)
		return -EINVAL;
	if (atomic_load(&h->domain->dying))
		return -ESRCH; /* see stop() in domain_kill.c */
	if (space->object.owner != h->domain || space->is_shared)
		return -EINVAL;
	*making = (struct creation){ .count = 3, .frames = { args->object_frame, args->vector_frame,
		args->page_frame } };
	return creation_begin(making, EXO_FRAME_PINNED);
}

/* (domain handle, space, struct exo_vcore_create *) -> handle */
int64_t call_vcore_create(struct exo_regs *regs, struct handle_view *h)
{
	struct exo_vcore_create args;
	struct creation making;
	struct vcore *vcore, *none = NULL;
	struct domain *domain = h->domain;
	exo_handle handle;
	int error = copy_from_user(&args, regs->rdx, sizeof(args));

	if (!error)
		error = decode_create(h, &args, &making);
	if (error)
		return error;

	/* It comes to life when it has its place: who looks for it there before finds nothing alive, and a
	 * life could not be undone while somebody looks what the frame holds (object_find). */
	vcore = vcore_init(h[1].space, &args);
	if (!atomic_compare_exchange_strong(&domain->vcores[args.cpu], &none, vcore)) {
		creation_undo(&making);
		return -EEXIST;
	}
	object_init(&vcore->object, OBJECT_VCORE, domain, args.object_frame);
	handle = creation_finish(&making, OBJECT_VCORE);
	/* Either domain_die() finds the vcore in the table and alive, or we find the domain dying: it sets
	 * the state and then looks, we bring it to life and then look (both seq_cst). */
	if (atomic_load(&domain->dying))
		vcore_ring(vcore, VCORE_REQUEST_KILL);
	object_put(&vcore->object);
	return handle;
}

int64_t call_vcore_start(struct exo_regs *regs, struct handle_view *h)
{
	vcore_ring(h->vcore, VCORE_REQUEST_START);
	return 0;
}
