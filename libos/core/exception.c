/* SPDX-License-Identifier: MIT */
/* See exception.h. */
#include "core/exception.h"
#include <exo/abi.h>
#include "core/log.h"

#define VECTOR_PAGE_FAULT 14
#define PAGE_FAULT_WRITE 2ul
#define PAGE_FAULT_FETCH 16ul

static const char *const names[] = {
	[0] = "a division by zero, or out of range",
	[1] = "a single step",
	[3] = "a breakpoint",
	[6] = "an instruction that does not exist",
	[13] = "an instruction or an address that the processor refuses",
	[16] = "an error of the x87 unit",
	[17] = "an address that is not aligned",
	[19] = "an error of vector arithmetic",
};

bool exception_is_page_fault(const struct exo_regs *regs)
{
	return regs->vector == VECTOR_PAGE_FAULT;
}

void exception_describe(char *to, size_t size, const struct exo_regs *regs, uint64_t address)
{
	if (exception_is_page_fault(regs))
		format(to, size, "%s 0x%lx",
		       regs->error & PAGE_FAULT_FETCH   ? "a jump to"
		       : regs->error & PAGE_FAULT_WRITE ? "a write to"
							: "a read of",
		       address);
	else if (regs->vector < sizeof(names) / sizeof(names[0]) && names[regs->vector])
		format(to, size, "%s", names[regs->vector]);
	else
		format(to, size, "exception %lu", regs->vector);
}
