/* SPDX-License-Identifier: MIT */
/*
 * Labels in core/entry.asm, core/read_write.asm, core/quick.asm, core/masking.asm and core/switch.asm, for
 * the upcall path.
 *
 * Code of the libos that finds its task or its vcore by the number of the CPU can be interrupted
 * and continued on another CPU; and the doors run partly on the program's stack.  What the event
 * and fault paths do with an interrupted RIP (interrupted_program() in interrupted.c):
 *
 *	[call_entry, call_entry_end)          still the program's: RIP = call_entry
 *	[foreign_entry, foreign_entry_end)    still the program's: RIP = foreign_entry
 *	[quick_start, quick_end)              still the program's: RIP = the entry, behind its check
 *	[doors_start, doors_end)              before the change of stack still the program's: RIP = the door
 *	[call_exit_start, call_exit_checked)  libos code: RIP = call_exit_start, check again
 *	[call_exit_checked, call_exit_end)    already the program's: finish it, RIP and RSP from
 *	                                      the frame
 *	[mask_start, mask_end)                libos code: RIP = mask_start
 *	[lock_take_start, lock_take_end)      libos code: RIP = lock_take_start
 *	[masked_start, masked_end)            libos code: RIP = masked_start
 *	[leave_start, leave_end), leave_jumps RIP, RSP and RFLAGS from vcore->leave, then as above and
 *	                                      below
 *	anything else                         libos code if RSP is in the task's slot, else the
 *	                                      program's
 */
#ifndef LIBOS_ENTRY_H
#define LIBOS_ENTRY_H

#include <exo/abi.h>

#define USER_CODE_SELECTOR 0x23
#define USER_DATA_SELECTOR 0x1b
#define USER_FLAGS_INITIAL 0x202 /* interrupts on, and the bit that is always set */
/* OF DF IF SF ZF AF PF CF, the bit that is always set, and RF, which a fault may have set: POPFQ clears it,
 * and nobody here has breakpoints in the processor. */
#define FLAGS_BY_POPFQ 0x10ed7
#define CANONICAL_END 0x800000000000ul /* IRETQ to an address from here on faults in the libos */

/* The entries in quick.asm: the bytes of each, to which they are aligned, and of its check. */
#define QUICK_SIZE 64
#define QUICK_CHECK 13

/* The doors in read_write.asm: bytes of each, to which they are aligned, and up to the change of stack. */
#define DOOR_SIZE 256
#define DOOR_OUTSIDE 66

extern const char call_entry[], call_entry_end[];
extern const char foreign_entry[], foreign_entry_end[], foreign_masked[];
extern const char quick_start[], quick_end[];
extern const char doors_start[], doors_end[];
extern const char call_exit_start[], call_exit_checked[], call_exit_end[];
extern const char mask_start[], mask_end[], masked_start[], masked_end[];
extern const char lock_take_start[], lock_take_end[];
extern const char event_entry[], fault_entry[], fault_masked_entry[];
extern const char resume_start[], resume_end[];
#define LEAVE_JUMP_SIZE 16
extern const char leave_start[], leave_end[], leave_jumps[][LEAVE_JUMP_SIZE], leave_jumps_end[];

/*
 * Goes on where the user frame says, as from a call: RAX, RDI, RSI, RDX, RSP and what a call preserves
 * have the frame's values, all else is lost.  No instruction but jumps: IRETQ costs much more, and
 * in some emulators a kernel entry (exo/x86/user_iret.c).  Unmasked; work that comes meanwhile is
 * still seen.
 */
_Noreturn void return_by_call(struct exo_regs *frame);
/* The same where a handler starts: RDI, RSI, RDX, RBP and RSP have the frame's values, and RAX is 0. */
_Noreturn void return_to_handler(struct exo_regs *frame);
/* Goes on where regs say, unmasked.  Masked, mask depth 1; overwrites regs->vector and regs->error. */
_Noreturn void registers_resume(struct exo_regs *regs);
/* Goes on where regs say, still masked.  On the fault stack. */
_Noreturn void registers_resume_masked(const struct exo_regs *regs);

#endif
