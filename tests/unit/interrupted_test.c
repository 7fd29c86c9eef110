/* SPDX-License-Identifier: MIT */
/* libos/core/interrupted.c, included: for each range of addresses that entry.h names, where what was
 * interrupted in it goes on, and whose code that is.
 *
 * The ranges are places in an image that has nothing else. */
#include <stdlib.h>
#include "check.h"

#define LIBOS_CPU_SELECTOR_H
#include <exo/abi.h>
#include <stdint.h>
static uint64_t running;
static inline uint64_t cpu_selector(void)
{
	return EXO_CPU_SELECTOR + (running << EXO_CPU_SELECTOR_SHIFT);
}

#include "../../libos/core/interrupted.c"

/* With something else behind each. */
__asm__(".macro range start, end, size\n"
	" .globl \\start, \\end\n"
	" \\start: .skip \\size\n"
	" \\end: .skip 16\n"
	".endm\n"
	".pushsection .rodata\n"
	" .globl libos_text_start, libos_text_end, call_exit_start\n"
	" .balign 256\n"
	"libos_text_start:\n"
	" range call_entry, call_entry_end, 81\n"
	" range foreign_entry, foreign_entry_end, 64\n"
	"call_exit_start: .skip 11\n"
	" range call_exit_checked, call_exit_end, 18\n"
	" range mask_start, mask_end, 21\n"
	" range lock_take_start, lock_take_end, 21\n"
	" range masked_start, masked_end, 17\n"
	" range leave_start, leave_end, 2\n"
	" .balign 64\n"
	" range quick_start, quick_end, 192\n"
	" .balign 256\n"
	" range doors_start, doors_end, 512\n"
	" .balign 16\n"
	" range leave_jumps, leave_jumps_end, 1024\n"
	"libos_text_end: .skip 16\n"
	".popsection\n");

enum { CPU = 3 };
#define PROGRAM_RIP 0x401000ul
#define PROGRAM_RSP 0x7ffe0000ul
#define FRAME_RIP 0x402000ul
#define FRAME_RSP 0x7ffd0000ul
#define LEFT_RIP 0x403000ul
#define LEFT_RSP 0x7ffc0000ul

struct vcore_area vcore_areas[EXO_CPUS_MAX];
static char *slot;
static struct task *task;

static void begin(void)
{
	running = CPU;
	if (!slot)
		slot = aligned_alloc(TASK_SLOT_SIZE, TASK_SLOT_SIZE);
	task = (struct task *)(slot + TASK_OFFSET);
	task->frame = (struct exo_regs *)task - 1;
	task->frame->rip = FRAME_RIP;
	task->frame->rsp = FRAME_RSP;
	vcore_of(CPU)->leave.rip = LEFT_RIP;
	vcore_of(CPU)->leave.rsp = LEFT_RSP;
	vcore_of(CPU)->leave.rflags = 0x246;
}

static uint64_t task_rsp(void)
{
	return (uint64_t)task->frame - 256;
}

/* Interrupted at [start, end), at each of its bytes, it goes on at `rip` with `rsp`: 0: as it was. */
static void goes_on(const char *start, const char *end, uint64_t rsp_before, bool program,
		    uint64_t rip, uint64_t rsp)
{
	for (const char *at = start; at < end; at++) {
		struct exo_regs regs = { .rip = (uint64_t)at, .rsp = rsp_before };

		CHECK_EQ(interrupted_program(task, &regs), program);
		CHECK_EQ(regs.rip, rip ? rip : (uint64_t)at);
		CHECK_EQ(regs.rsp, rsp ? rsp : rsp_before);
	}
}

static void the_program_is_the_program(void)
{
	struct exo_regs regs = { .rip = PROGRAM_RIP, .rsp = PROGRAM_RSP };

	begin();
	CHECK(interrupted_program(task, &regs));
	CHECK_EQ(regs.rip, PROGRAM_RIP);
	regs = (struct exo_regs){ .rip = (uint64_t)libos_text_end, .rsp = task_rsp() };
	CHECK(interrupted_program(task, &regs));
}

/* Its stack pointer may be anything: nothing of it is looked at. */
static void an_entry_begins_again(void)
{
	begin();
	goes_on(call_entry, call_entry_end, task_rsp(), true, (uint64_t)call_entry, 0);
	goes_on(foreign_entry, foreign_entry_end, PROGRAM_RSP, true, (uint64_t)foreign_entry, 0);
}

static void a_quick_entry_goes_back_to_behind_its_check(void)
{
	begin();
	for (const char *entry = quick_start; entry < quick_end; entry += QUICK_SIZE) {
		goes_on(entry, entry + QUICK_CHECK, PROGRAM_RSP, true, 0, 0);
		goes_on(entry + QUICK_CHECK, entry + QUICK_SIZE, PROGRAM_RSP, true,
			(uint64_t)entry + QUICK_CHECK, 0);
	}
}

static void a_door_is_the_program_s_until_the_change_of_stack(void)
{
	begin();
	for (const char *door = doors_start; door < doors_end; door += DOOR_SIZE) {
		goes_on(door, door + DOOR_OUTSIDE, PROGRAM_RSP, true, (uint64_t)door, 0);
		goes_on(door + DOOR_OUTSIDE, door + DOOR_SIZE, task_rsp(), false, 0, 0);
	}
}

static void an_exit_looks_again_or_is_finished(void)
{
	begin();
	goes_on(call_exit_start, call_exit_checked, task_rsp(), false, (uint64_t)call_exit_start,
		0);
	goes_on(call_exit_checked, call_exit_end, task_rsp(), true, FRAME_RIP, FRAME_RSP);
}

static void what_masks_begins_again(void)
{
	begin();
	goes_on(mask_start, mask_end, task_rsp(), false, (uint64_t)mask_start, 0);
	goes_on(lock_take_start, lock_take_end, task_rsp(), false, (uint64_t)lock_take_start, 0);
	goes_on(masked_start, masked_end, task_rsp(), false, (uint64_t)masked_start, 0);
}

/* In both parts of the way out RSP points into the vcore, or is that of what is resumed already. */
static void what_leaves_has_left(void)
{
	begin();
	goes_on(leave_start, leave_end, (uint64_t)&vcore_of(CPU)->leave.rflags, true, LEFT_RIP,
		LEFT_RSP);
	goes_on(leave_jumps[0], leave_jumps_end, LEFT_RSP, true, LEFT_RIP, LEFT_RSP);
}

/* Into the libos: what is resumed there may be in a range as well. */
static void what_leaves_for_a_range_begins_that_again(void)
{
	begin();
	vcore_of(CPU)->leave.rip = (uint64_t)mask_start + 5;
	vcore_of(CPU)->leave.rsp = task_rsp();
	goes_on(leave_jumps[0], leave_jumps_end, task_rsp(), false, (uint64_t)mask_start, 0);
}

static void other_code_of_the_libos_is_told_by_its_stack(void)
{
	begin();
	goes_on(call_entry_end, call_entry_end + 16, task_rsp(), false, 0, 0);
	goes_on(call_entry_end, call_entry_end + 16, PROGRAM_RSP, true, 0, 0);
}

int main(void)
{
	RUN(the_program_is_the_program);
	RUN(an_entry_begins_again);
	RUN(a_quick_entry_goes_back_to_behind_its_check);
	RUN(a_door_is_the_program_s_until_the_change_of_stack);
	RUN(an_exit_looks_again_or_is_finished);
	RUN(what_masks_begins_again);
	RUN(what_leaves_has_left);
	RUN(what_leaves_for_a_range_begins_that_again);
	RUN(other_code_of_the_libos_is_told_by_its_stack);
	free(slot);
	return check_result();
}
