/* SPDX-License-Identifier: MIT */
/* Constants that the kernel's nasm sources take from C (mk/offsets.h). */
#include "kernel.h"

void offsets(void);
void offsets(void)
{
	OFFSET(CPU_STACK_TOP, struct cpu, stack_top);
	OFFSET(CPU_USER_RSP, struct cpu, user_rsp);
	OFFSET(CPU_TEXT_START, struct cpu, entries.text_start);
	OFFSET(CPU_TEXT_END, struct cpu, entries.text_end);
	OFFSET(CPU_FOREIGN_ENTRY, struct cpu, entries.foreign);
	OFFSET(CPU_FAULT_ENTRY, struct cpu, entries.fault);
	OFFSET(CPU_FOREIGN_CALLS, struct cpu, stats.foreign_calls);
	DEFINE(CPU_AREA_BLOCK_OFFSET, CPU_AREA_BLOCK);
	DEFINE(TRAMPOLINE_ADDRESS, TRAMPOLINE_PAGE);

	OFFSET(REGS_R15, struct exo_regs, r15);
	OFFSET(REGS_CS, struct exo_regs, cs);
	OFFSET(REGS_RIP, struct exo_regs, rip);
	OFFSET(REGS_RFLAGS, struct exo_regs, rflags);
	OFFSET(REGS_RSP, struct exo_regs, rsp);

	DEFINE(VECTOR_EXO_CALL_NUMBER, VECTOR_EXO_CALL);
	DEFINE(USER_CODE, SELECTOR_USER_CODE);
	DEFINE(USER_DATA, SELECTOR_USER_DATA);
	DEFINE(FLAGS_ALWAYS, RFLAGS_IF | RFLAGS_FIXED);
	DEFINE(FLAGS_OF_USER, RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID);
}
