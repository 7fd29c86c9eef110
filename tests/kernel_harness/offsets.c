/* SPDX-License-Identifier: MIT */
/* Constants for entry.asm (mk/offsets.h). */
#include <exo/abi.h>

void offsets(void);
void offsets(void)
{
	OFFSET(PAGE_MASKED, struct exo_vcore_page, masked);
	OFFSET(PAGE_PENDING, struct exo_vcore_page, pending);
	OFFSET(PAGE_EVENT, struct exo_vcore_page, event);
	OFFSET(PAGE_FAULT, struct exo_vcore_page, fault);
	OFFSET(PAGE_FAULT_MASKED, struct exo_vcore_page, fault_masked);
	OFFSET(REGS_RIP, struct exo_regs, rip);
	OFFSET(REGS_CS, struct exo_regs, cs);
	OFFSET(REGS_RFLAGS, struct exo_regs, rflags);
	OFFSET(REGS_RSP, struct exo_regs, rsp);
	OFFSET(REGS_SS, struct exo_regs, ss);
	OFFSET(PAGE_IS_CHILD, struct exo_vcore_page, reserved1);
	DEFINE(IMAGE_MAGIC, EXO_IMAGE_MAGIC);
	DEFINE(IMAGE_ABI, EXO_ABI_VERSION);
}
