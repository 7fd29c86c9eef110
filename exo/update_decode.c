/* SPDX-License-Identifier: MIT */
/* One op of an update: copied once, checked, turned into a plan.  Nothing is changed here. */
#include "kernel.h"
#include "page_table.h"
#include "update.h"

#define PROT_ALL (EXO_PROT_READ | EXO_PROT_WRITE | EXO_PROT_EXEC | EXO_PROT_SOFT0 | \
		  EXO_PROT_SOFT1 | EXO_PROT_SOFT2)
#define FLAGS_ALL (EXO_OP_REPLACE | EXO_OP_COW | EXO_OP_KEEP_COW)
#define FRAME_NUMBERS_END (1ul << 40)

/* The libos is W^X (K7); what a program does in its private part is its own affair. */
static bool prot_ok(const struct space *s, unsigned prot)
{
	unsigned both = EXO_PROT_WRITE | EXO_PROT_EXEC;

	return !(s->is_shared && (prot & both) == both);
}

/* What the handle in the op names, held as long as the plan; WRITE too if a condition asks for it. */
static int hold(struct domain *d, const struct exo_op *op, enum object_kind kind, bool write,
		struct update_plan *plan)
{
	int error = handle_view(d, op->source, kind,
				EXO_RIGHT_USE | (write ? EXO_RIGHT_WRITE : 0), &plan->held);

	if (error)
		plan->held.kind = OBJECT_NONE;
	return error;
}

/* Frames out of a loan: the op counts them from the loan's first. */
static int decode_loan(struct domain *d, const struct exo_op *op, struct update_plan *plan)
{
	const struct handle_view *loan = &plan->held;
	int error = hold(d, op, OBJECT_LOAN, op->prot & EXO_PROT_WRITE, plan);

	if (error)
		return error;
	if (op->frame > loan->count || op->count > loan->count - op->frame)
		return -EINVAL;
	plan->frame = loan->first + op->frame;
	plan->frame_owner = frame_word_owner(frame_word(loan->first));
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
	plan->replace = op->flags & EXO_OP_REPLACE;
	plan->bits |= PTE_WRITE_THROUGH | PTE_CACHE_DISABLE;
	return hold(d, op, OBJECT_DEVICES, op->prot & EXO_PROT_WRITE, plan);
}

static int decode_clone(struct domain *d, const struct exo_op *op, struct update_plan *plan)
{
	int error = hold(d, op, OBJECT_SPACE, op->flags & EXO_OP_COW, plan);

	if (error)
		return error;
	plan->copy_on_write = op->flags & EXO_OP_COW;
	plan->source_va = op->source_va;
	plan->source = plan->held.space;
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
		.source = target,
	};
	if (update_changes_entries(op.code) && !page_table_range_ok(target, d, op.va, op.count))
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
	if (plan->held.kind != OBJECT_NONE)
		handle_view_put(&plan->held);
}
