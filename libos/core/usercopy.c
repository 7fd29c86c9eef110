/* SPDX-License-Identifier: MIT */
/* Access to a program's memory: address checks around usercopy.asm. */
#include "core/usercopy.h"
#include <exo/abi.h>
#include <stdbool.h>
#include "abi/errno.h"

long user_string(char *to, const char *from, size_t max);
int user_store32(uint32_t *to, uint32_t value);
int user_cmpxchg32(uint32_t *at, uint32_t expect, uint32_t value, uint32_t *old);

static bool is_user(uint64_t addr, size_t n)
{
	return addr < EXO_USER_TOP && n <= EXO_USER_TOP - addr;
}

long copy_string_from_user(char *dst, uint64_t src, size_t max)
{
	long length;

	if (!is_user(src, 1))
		return -EFAULT;
	if (max <= EXO_USER_TOP - src)
		return user_string(dst, (const char *)src, max);
	/* A string that reaches the end of the user part has nothing but a fault behind it. */
	length = user_string(dst, (const char *)src, EXO_USER_TOP - src);
	return length == -ENAMETOOLONG ? -EFAULT : length;
}

/* Aligned, so that the access cannot cross into a page that is not the program's. */
static bool is_user_word(uint64_t addr)
{
	return addr % sizeof(uint32_t) == 0 && is_user(addr, sizeof(uint32_t));
}

int load_user32(uint32_t *value, uint64_t addr)
{
	return is_user_word(addr) ? user_load32(value, (const uint32_t *)addr) : -EFAULT;
}

int store_user32(uint64_t addr, uint32_t value)
{
	return is_user_word(addr) ? user_store32((uint32_t *)addr, value) : -EFAULT;
}

int cmpxchg_user32(uint64_t addr, uint32_t expect, uint32_t value, uint32_t *old)
{
	if (!is_user_word(addr))
		return -EFAULT;
	return user_cmpxchg32((uint32_t *)addr, expect, value, old);
}
