/* SPDX-License-Identifier: MIT */
/* In words, for the log: what an exception was, and whether an instruction is a call. */
#ifndef LIBOS_EXCEPTION_H
#define LIBOS_EXCEPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exo_regs;

/* "a write to 0x8", "a division by zero, or out of range"; `address` is that of a page fault. */
void exception_describe(char *to, size_t size, const struct exo_regs *regs, uint64_t address);
bool exception_is_page_fault(const struct exo_regs *regs);

/* Do the CALL_LONGEST bytes before `end` end with a call?  E8 and four bytes; FF /2 with none to five. */
#define CALL_LONGEST 7
static inline bool ends_with_call(const uint8_t *end)
{
	if (end[-5] == 0xe8)
		return true;
	for (int length = 2; length <= CALL_LONGEST; length++)
		if (end[-length] == 0xff && (end[1 - length] >> 3 & 7) == 2)
			return true;
	return false;
}

#endif
