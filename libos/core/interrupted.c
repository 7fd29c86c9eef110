/* SPDX-License-Identifier: MIT */
/*
 * What an event or a fault has interrupted, and where that goes on: entry.h has the ranges of addresses.
 */
#include "core/entry.h"
#include "core/event.h"
#include "core/string.h"
#include "core/vcore.h"

extern const char libos_text_start[], libos_text_end[];

static bool in_range(uint64_t rip, const char *start, const char *end)
{
	return rip >= (uint64_t)start && rip < (uint64_t)end;
}

bool interrupted_program(const struct task *t, struct exo_regs *regs)
{
	if (in_range(regs->rip, leave_start, leave_end) ||
	    in_range(regs->rip, leave_jumps[0], leave_jumps_end)) {
		regs->rip = this_vcore()->leave.rip;
		regs->rsp = this_vcore()->leave.rsp;
		regs->rflags = this_vcore()->leave.rflags;
	}
	if (!in_range(regs->rip, libos_text_start, libos_text_end))
		return true;
	if (in_range(regs->rip, call_entry, call_entry_end)) {
		regs->rip = (uint64_t)call_entry;
		return true;
	}
	if (in_range(regs->rip, foreign_entry, foreign_entry_end)) {
		regs->rip = (uint64_t)foreign_entry;
		return true;
	}
	if (in_range(regs->rip, quick_start, quick_end)) {
		if (regs->rip % QUICK_SIZE > QUICK_CHECK)
			regs->rip = (regs->rip & ~(uint64_t)(QUICK_SIZE - 1)) + QUICK_CHECK;
		return true;
	}
	if (in_range(regs->rip, doors_start, doors_end) && regs->rip % DOOR_SIZE < DOOR_OUTSIDE) {
		regs->rip &= ~(uint64_t)(DOOR_SIZE - 1);
		return true;
	}
	if (in_range(regs->rip, call_exit_checked, call_exit_end)) {
		regs->rip = t->frame->rip;
		regs->rsp = t->frame->rsp;
		return true;
	}
	if (in_range(regs->rip, call_exit_start, call_exit_checked))
		regs->rip = (uint64_t)call_exit_start;
	else if (in_range(regs->rip, mask_start, mask_end))
		regs->rip = (uint64_t)mask_start;
	else if (in_range(regs->rip, lock_take_start, lock_take_end))
		regs->rip = (uint64_t)lock_take_start;
	else if (in_range(regs->rip, masked_start, masked_end))
		regs->rip = (uint64_t)masked_start;
	return regs->rsp - ((uint64_t)t & ~(TASK_SLOT_SIZE - 1)) > TASK_SLOT_SIZE;
}

struct exo_regs *interrupted_save(struct task *t, struct exo_regs *regs, bool program)
{
	struct exo_regs *place = t->frame;

	if (!program)
		place = (struct exo_regs *)((regs->rsp & ~15ul) - sizeof(*place));
	/* A resume that was interrupted has them there already. */
	if (place != regs)
		memmove(place, regs, sizeof(*place));
	if (program) {
		t->entry = ENTRY_FULL;
		t->vector_live = true;
	}
	return place;
}
