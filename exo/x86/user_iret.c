/* SPDX-License-Identifier: MIT */
/*
 * IRETQ is allowed in ring 3, and is how a libos or a run-time system goes back to a complete set
 * of registers.  QEMU's emulation (TCG) before 9.1 reads the frame with the kernel's rights even
 * then, so that with SMAP the instruction faults on any user stack ("target/i386/tcg: Allow IRET
 * from user mode to user mode with SMAP" repaired it).  Giving up SMAP would be worse; instead the
 * kernel does what the instruction should have done.
 *
 * A far return is read with the kernel's rights too.  Of what is no return address to ring 3 the processor
 * tells two bytes in the error code of the exception that it raises: these are not handed on.
 *
 * Such a fault cannot be mistaken for another: its error code says that the access was the
 * supervisor's, while the code that made it runs in ring 3.
 */
#include "kernel.h"

#define PAGE_FAULT_USER (1ul << 2) /* error code: the access was made in ring 3 */

#define IRETQ 0xcf48 /* the instruction, as a word */

bool user_iret_repair(struct exo_regs *regs)
{
	struct {
		uint64_t rip, cs, rflags, rsp, ss;
	} frame;
	uint16_t code;

	if (regs->vector != VECTOR_PAGE_FAULT)
		regs->error = 0;
	if (regs->vector != VECTOR_PAGE_FAULT || (regs->error & PAGE_FAULT_USER))
		return false;
	regs->error |= PAGE_FAULT_USER; /* as it should have been, if it is reported after all */
	if (copy_from_user(&code, regs->rip, sizeof(code)) || code != IRETQ ||
	    copy_from_user(&frame, regs->rsp, sizeof(frame)) || frame.cs != SELECTOR_USER_CODE ||
	    frame.ss != SELECTOR_USER_DATA)
		return false;
	/* What ring 3 may not have in RIP and RFLAGS is removed on every way out (machine.h). */
	regs->rip = frame.rip;
	regs->rflags = frame.rflags;
	regs->rsp = frame.rsp;
	return true;
}
