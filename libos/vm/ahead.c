/* SPDX-License-Identifier: MIT */
/*
 * Pages that are sure to be touched, asked for together.  A program that starts touches half a dozen pages
 * at once, and one more page of an update costs a third of an update of its own, a fault even more.
 *
 * It is no more than a wish: what there is no memory for or no right to is not asked for, and whoever touches
 * it takes the fault that he would have taken.
 */
#include "vm/space.h"
#include <asm/mman.h>
#include "core/memory.h"

#define OPS_MAX 48

struct asking {
	struct exo_op ops[OPS_MAX];
	struct vm_wish *own[OPS_MAX]; /* whose page of its own the operation makes, or NULL */
	unsigned count;
};

static bool is_asked(const struct asking *a, uint64_t va)
{
	for (unsigned i = 0; i < a->count; i++)
		if (va - a->ops[i].va < a->ops[i].count * PAGE)
			return true;
	return false;
}

/* As a fault would bring them, but none that has been asked for already: an operation maps only what is
 * absent. */
static void ask_around(struct asking *a, const struct mapping *m, uint64_t va)
{
	uint64_t low, high;

	page_around(m, va, &low, &high);
	for (unsigned i = 0; i < a->count; i++) {
		uint64_t start = a->ops[i].va, end = start + a->ops[i].count * PAGE;

		if (end <= va && end > low)
			low = end;
		if (start > va && start < high)
			high = start;
	}
	int n = around_ops(m, va, low, high, &a->ops[a->count]);

	for (; n > 0; n--)
		a->own[a->count++] = NULL;
}

/* A page that nobody else has: of zeros, or a copy of the file's. */
static void ask_own(struct asking *a, const struct mapping *m, uint64_t va, struct vm_wish *w)
{
	long source = m->file && w->how == WISH_WRITE ? backing_frame(m, va, true) : 0;
	uint64_t frame = source >= 0 ? frame_take_or_spare() : 0;

	if (!frame)
		return;
	a->own[a->count] = w;
	a->ops[a->count++] = (struct exo_op){ .code = EXO_OP_MAP, .prot = mapping_own_prot(m), .count = 1,
					      .flags = source ? EXO_OP_FILL : EXO_OP_CLEAR, .va = va,
					      .frame = frame, .source = (uint64_t)source };
}

static void ask(struct vm *v, struct asking *a, struct vm_wish *w)
{
	uint64_t va = PAGE_DOWN(w->address);
	const struct mapping *m = w->how == WISH_NONE ? NULL : mapping_find(v, va);

	if (!m || m->shared || !(m->prot & (w->how == WISH_READ ? PROT_READ : PROT_WRITE)) ||
	    a->count + AROUND_PAGES > OPS_MAX || space_entry(va) || is_asked(a, va))
		return;
	v->faults++; /* as if it had been one */
	if (m->file && w->how == WISH_READ)
		ask_around(a, m, va);
	else
		ask_own(a, m, va, w);
}

void vm_touch_ahead(struct vm *v, struct vm_wish *wishes, unsigned count)
{
	struct asking a; /* not cleared: only what is asked for is looked at */
	uint64_t epoch = 0;
	int r = 0;

	a.count = 0;
	mutex_lock(&v->mutex);
	for (unsigned i = 0; i < count; i++) {
		wishes[i].is_own = false;
		ask(v, &a, &wishes[i]);
	}
	if (a.count > 0)
		r = space_update(v, a.ops, a.count, &epoch);
	space_add_resident(v, pages_mapped(a.ops, a.count, r));
	for (unsigned i = 0; i < a.count; i++) {
		if (!a.own[i])
			continue;
		a.own[i]->is_own = r == 0 || frame_maps(a.ops[i].frame) != 0;
		if (!a.own[i]->is_own)
			frame_free(a.ops[i].frame);
	}
	vm_unlock(v, epoch);
}
