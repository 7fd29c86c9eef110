/* SPDX-License-Identifier: MIT */
/*
 * The operation and comparison of FUTEX_WAKE_OP, packed into one number: futex(2).
 *
 *	31   28 27        24 23     12 11      0
 *	| op  | comparison | operand | compared with |	both signed; op bit 3: 1 << operand
 */
#ifndef LIBOS_FUTEX_OPERATION_H
#define LIBOS_FUTEX_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

/* Is its comparison one of those that exist? */
bool futex_operation_known(uint32_t code);

/* Changes the word at a user address in one step; *old is what it was.  0, -ENOSYS (no such
 * operation), or -EFAULT with nothing done.  Any task, also masked. */
int futex_change_word(uint64_t address, uint32_t code, uint32_t *old);

/* Does the comparison, which is known, hold for the old value? */
bool futex_word_was(uint32_t code, uint32_t old);

#endif
