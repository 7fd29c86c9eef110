/* SPDX-License-Identifier: MIT */
/* What FUTEX_WAKE_OP does to its second word, and asks of it. */
#include "proc/futex_operation.h"
#include <linux/futex.h>
#include "abi/errno.h"
#include "core/usercopy.h"

/* A field of 12 bits, signed. */
static int32_t field(uint32_t code, unsigned lowest)
{
	return (int32_t)(code << (20 - lowest)) >> 20;
}

static uint32_t comparison(uint32_t code)
{
	return (code >> 24) & 0xf;
}

bool futex_operation_known(uint32_t code)
{
	return comparison(code) <= FUTEX_OP_CMP_GE;
}

static int operate(uint32_t operation, uint32_t old, uint32_t argument, uint32_t *result)
{
	switch (operation) {
	case FUTEX_OP_SET:
		*result = argument;
		return 0;
	case FUTEX_OP_ADD:
		*result = old + argument;
		return 0;
	case FUTEX_OP_OR:
		*result = old | argument;
		return 0;
	case FUTEX_OP_ANDN:
		*result = old & ~argument;
		return 0;
	case FUTEX_OP_XOR:
		*result = old ^ argument;
		return 0;
	default:
		return -ENOSYS;
	}
}

int futex_change_word(uint64_t address, uint32_t code, uint32_t *old)
{
	uint32_t operation = code >> 28, argument = (uint32_t)field(code, 12), result, found;

	if (operation & FUTEX_OP_OPARG_SHIFT) {
		operation &= ~(uint32_t)FUTEX_OP_OPARG_SHIFT;
		argument = 1u << (argument & 31);
	}
	int r = load_user32(old, address);

	while (r == 0) {
		r = operate(operation, *old, argument, &result);
		if (r == 0)
			r = cmpxchg_user32(address, *old, result, &found);
		if (r < 0 || found == *old)
			break;
		*old = found;
	}
	return r;
}

bool futex_word_was(uint32_t code, uint32_t old)
{
	int32_t was = (int32_t)old, argument = field(code, 0);

	switch (comparison(code)) {
	case FUTEX_OP_CMP_EQ:
		return was == argument;
	case FUTEX_OP_CMP_NE:
		return was != argument;
	case FUTEX_OP_CMP_LT:
		return was < argument;
	case FUTEX_OP_CMP_LE:
		return was <= argument;
	case FUTEX_OP_CMP_GT:
		return was > argument;
	default:
		return was >= argument;
	}
}
