/* SPDX-License-Identifier: MIT */
/* One op of an update: copied once, checked, turned into a plan.  Nothing is changed here. */
#include "kernel.h"
#include "page_table.h"
#include "update.h"

#define PROT_ALL (EXO_PROT_READ | EXO_PROT_WRITE | EXO_PROT_EXEC | EXO_PROT_SOFT0 | \
		  EXO_PROT_SOFT1 | EXO_PROT_SOFT2)
#define FLAGS_ALL (EXO_OP_REPLACE | EXO_OP_COW | EXO_OP_KEEP_COW | EXO_OP_WRITE_COMBINE)
#define FRAME_NUMBERS_END (1ul << 40)

/* The libos is W^X (K7); what a program does in its private part is its own affair. */
static bool prot_ok(const struct space *s, unsigned prot)
{
	unsigned both = EXO_PROT_WRITE | EXO_PROT_EXEC;

	return !(s->is_shared && (prot & both) == both);
}

/* Frames out of a loan: the op counts them from the loan's first. */
static int decode_loan(struct domain *d, const struct exo_op *op, struct update_plan *plan)
{
	unsigned rights = EXO_RIGHT_USE | (op->prot & EXO_PROT_WRITE ? EXO_RIGHT_WRITE : 0);
	int error = handle_view(d, op->source, OBJECT_LOAN, rights, &plan->loan);

	if (error) {
		plan->loan.kind = OBJECT_NONE;
		return error;
	}
	if (op->frame > plan->loan.count || op->count > plan->loan.count - op->frame)
		return -EINVAL;
	plan->frame = plan->loan.first + op->frame;
	plan->frame_owner = frame_word_owner(frame_word(plan->loan.first));
	return 0;
}

static int decode_map(struct domain *d, const struct exo_op *op, struct update_plan *plan)
{
	uint16_t owner = frame_word_owner(frame_word(op->frame));

	plan->replace = op->flags & EXO_OP_REPLACE;
	if (op->source)
		return decode_loan(d, op, plan);
	/* Owned by nobody and yet to be mapped: that is the frame table, which all may read. */
	if (owner == 0 && (op->prot & (EXO_PROT_WRITE | EXO_PROT_EXEC)))
		return -EPERM;
	/* Who makes another domain maps its own frames there, and those it has given. */
	if (owner != 0 && owner != d->id && owner != plan->target->object.owner->id)
		return -EPERM;
	plan->frame_owner = owner;
	return 0;
}

static int decode_map_device(struct domain *d, const struct exo_op *op, struct update_plan *plan)
{
	unsigned rights = EXO_RIGHT_USE | (op->prot & EXO_PROT_WRITE ? EXO_RIGHT_WRITE : 0);
	struct handle_view view;
	int error = handle_view(d, op->source, OBJECT_DEVICES, rights, &view);

	if (error)
		return error;
	handle_view_put(&view);
	plan->replace = op->flags & EXO_OP_REPLACE;
	/* Page attribute table: entry 1 is write-combining (features.c), 3 uncached. */
	plan->bits |= PTE_WRITE_THROUGH;
	if (!(op->flags & EXO_OP_WRITE_COMBINE))
		plan->bits |= PTE_CACHE_DISABLE;
	return 0;
}

static int decode_clone(struct domain *d, const struct exo_op *op, struct update_plan *plan)
{
	unsigned rights = EXO_RIGHT_USE | (op->flags & EXO_OP_COW ? EXO_RIGHT_WRITE : 0);
	struct handle_view view;
	int error = handle_view(d, op->source, OBJECT_SPACE, rights, &view);

	if (error)
		return error;
	plan->copy_on_write = op->flags & EXO_OP_COW;
	plan->source_va = op->source_va;
	plan->source = view.space;
	return page_table_range_ok(plan->source, d, op->source_va, op->count) ? 0 : -EINVAL;
}

static int decode_copy(const struct exo_op *op, struct update_plan *plan)
{
	plan->source_frame = op->source;
	if (plan->count == 0)
		plan->count = 1;
	return op->source < FRAME_NUMBERS_END ? 0 : -EINVAL;
}

static int decode_code(struct domain *d, const struct exo_op *op, struct update_plan *plan)
{
	switch (plan->code) {
	case EXO_OP_MAP:
		return decode_map(d, op, plan);
	case EXO_OP_MAP_DEVICE:
		return decode_map_device(d, op, plan);
	case EXO_OP_CLONE:
		return decode_clone(d, op, plan);
	case EXO_OP_COPY:
		return decode_copy(op, plan);
	case EXO_OP_PROTECT:
		plan->keep_cow = op->flags & EXO_OP_KEEP_COW;
		return 0;
	case EXO_OP_UNMAP:
	case EXO_OP_ZERO:
		return 0;
	}
	return -EINVAL;
}

int update_decode(struct domain *d, struct space *target, uint64_t user_op,
		  struct update_plan *plan)
{
	struct exo_op op;
	bool addresses;
	int error = copy_from_user(&op, user_op, sizeof(op));

	if (error)
		return error;
	if ((op.prot & ~PROT_ALL) || (op.flags & ~FLAGS_ALL) || op.frame >= FRAME_NUMBERS_END)
		return -EINVAL;
	*plan = (struct update_plan){
		.code = op.code,
		.bits = page_table_bits(op.prot),
		.count = op.count,
		.va = op.va,
		.frame = op.frame,
		.target = target,
	};
	addresses = op.code != EXO_OP_ZERO && op.code != EXO_OP_COPY;
	if (addresses && !page_table_range_ok(target, d, op.va, op.count))
		return -EINVAL;
	if (!prot_ok(target, op.prot))
		return -EPERM;
	error = decode_code(d, &op, plan);
	if (error)
		update_plan_put(plan);
	return error;
}

void update_plan_put(struct update_plan *plan)
{
	if (plan->source)
		object_put(&plan->source->object);
	if (plan->loan.kind == OBJECT_LOAN)
		handle_view_put(&plan->loan);
}
