/* SPDX-License-Identifier: MIT */
/* One op of an update: copied once, checked, turned into a plan.  Nothing is changed here. */
#include "kernel.h"
#include "page_table.h"
#include "update.h"

#define PROT_WRITE_EXEC (EXO_PROT_WRITE | EXO_PROT_EXEC)
#define FRAME_NUMBERS_END (1ul << 40)

/* What the handle in the op names, held as long as the plan; WRITE too if a condition asks for it. */
static int hold(struct domain *d, enum object_kind kind, bool write, struct update_plan *plan)
{
	return handle_view(d, plan->op.source, kind, EXO_RIGHT_USE | (write ? EXO_RIGHT_WRITE : 0),
			   &plan->held);
}

/* Frames out of a loan: the op counts them from the loan's first, the plan does not. */
static int decode_loan(struct domain *d, struct update_plan *plan)
{
	const struct handle_view *loan = &plan->held;
	struct exo_op *op = &plan->op;
	int error = hold(d, OBJECT_LOAN, op->prot & EXO_PROT_WRITE, plan);

	if (error)
		return error;
	if (op->frame > loan->count || op->count > loan->count - op->frame)
		return -EINVAL;
	op->frame += loan->first;
	plan->frame_owner = frame_word_owner(frame_word(loan->first));
	return 0;
}

static int decode_map(struct domain *d, struct update_plan *plan)
{
	uint16_t owner = frame_word_owner(frame_word(plan->op.frame));

	plan->frame_owner = owner;
	if (plan->op.flags & UPDATE_FILLS)
		return owner == d->id ? 0 : -EPERM;
	if (plan->op.source)
		return decode_loan(d, plan);
	/* Owned by nobody and yet to be mapped: that is the frame table, which all may read. */
	if (owner == 0)
		return plan->op.prot & PROT_WRITE_EXEC ? -EPERM : 0;
	/* Who makes another domain maps its own frames there, and those it has given. */
	return owner == d->id || owner == plan->target->object.owner->id ? 0 : -EPERM;
}

static int decode_clone(struct domain *d, struct update_plan *plan)
{
	const struct exo_op *op = &plan->op;
	int error = hold(d, OBJECT_SPACE, true, plan);

	if (error)
		return error;
	plan->source = plan->held.space;
	/* A program's page may be writable and executable; nothing that all of a domain's spaces have is. */
	if (plan->target->is_shared && !plan->source->is_shared)
		return -EPERM;
	return page_table_range_ok(plan->source, d, op->source_va, op->count) ? 0 : -EINVAL;
}

static __attribute__((noinline)) int decode_code(struct domain *d, struct update_plan *plan)
{
	const struct exo_op *op = &plan->op;

	switch (op->code) {
	case EXO_OP_MAP:
		return decode_map(d, plan);
	case EXO_OP_MAP_DEVICE:
		plan->op.flags &= EXO_OP_REPLACE;
		plan->bits |= PTE_WRITE_THROUGH | PTE_CACHE_DISABLE;
		return hold(d, OBJECT_DEVICES, op->prot & EXO_PROT_WRITE, plan);
	case EXO_OP_CLONE:
		return decode_clone(d, plan);
	case EXO_OP_COPY:
		plan->frame_owner = d->id;
		return 0;
	}
	return -EINVAL;
}

int update_check(struct domain *d, struct space *target, struct update_plan *plan)
{
	const struct exo_op *op = &plan->op;
	int error;

	if ((op->prot & ~UPDATE_PROT) || (op->flags & ~UPDATE_FLAGS) || op->frame >= FRAME_NUMBERS_END)
		return -EINVAL;
	plan->revoke = false;
	plan->bits = page_table_bits(op->prot);
	plan->target = plan->source = target;
	plan->held.kept = true; /* until there is something to put */
	if (op->code != EXO_OP_COPY && !page_table_range_ok(target, d, op->va, op->count))
		return -EINVAL;
	/* The libos is W^X (K7); what a program does in its private part is its own affair. */
	if (target->is_shared && (op->prot & PROT_WRITE_EXEC) == PROT_WRITE_EXEC)
		return -EPERM;
	if (op->code == EXO_OP_PROTECT || op->code == EXO_OP_UNMAP)
		return 0; /* there is no more to them */
	error = decode_code(d, plan);
	if (error)
		update_plan_put(plan);
	return error;
}

int update_decode(struct domain *d, struct space *target, uint64_t user_op, struct update_plan *plan)
{
	int error = copy_from_user(&plan->op, user_op, sizeof(plan->op));

	return error ? error : update_check(d, target, plan);
}

void update_plan_put(struct update_plan *plan)
{
	handle_view_put(&plan->held);
}
