/* SPDX-License-Identifier: MIT */
/*
 * Access to a program's memory, always with fault fixup, never "validated, then trusted".
 *
 * In task context, unmasked, a page that is missing is faulted in like any other; the result is
 * -EFAULT only if there is nothing to fault in.  While masked (a lock is held) no fault can be
 * served: any fault ends the copy with -EFAULT, and the caller drops its locks, calls user_touch()
 * and tries again; user_touch() says -EFAULT when the address is really bad.
 * Addresses at or above EXO_USER_TOP are refused.
 */
#ifndef LIBOS_USERCOPY_H
#define LIBOS_USERCOPY_H

#include <stddef.h>
#include <stdint.h>

int copy_from_user(void *dst, uint64_t src, size_t n);  /* 0 or -EFAULT */
int copy_to_user(uint64_t dst, const void *src, size_t n);
/* The same for who needs its registers afterwards. */
static inline int copy_from_user_keeping(void *dst, uint64_t src, size_t n)
{
	int result;

	if (__STDC_HOSTED__)
		return copy_from_user(dst, src, n);
	__asm__ volatile("call copy_from_user"
			 : "=a"(result), "+D"(dst), "+S"(src)
			 : "d"(n)
			 : "rcx", "cc", "memory");
	return result;
}

static inline int copy_to_user_keeping(uint64_t dst, const void *src, size_t n)
{
	int result;

	if (__STDC_HOSTED__)
		return copy_to_user(dst, src, n);
	__asm__ volatile("call copy_to_user"
			 : "=a"(result), "+D"(dst), "+S"(src)
			 : "d"(n)
			 : "rcx", "cc", "memory");
	return result;
}

long zero_user(uint64_t dst, size_t n); /* n or -EFAULT */
/* Length without the NUL, -EFAULT, or -ENAMETOOLONG when there is none in max bytes. */
long copy_string_from_user(char *dst, uint64_t src, size_t max);
/* Make [addr, addr+n), which is not empty, resident, for writing if `write`; task context, unmasked. */
int user_touch(uint64_t addr, size_t n, int write);

/* One aligned word, atomically (futexes, thread exit).  0 or -EFAULT. */
int load_user32(uint32_t *value, uint64_t addr);
/* The same of a word that is known to be aligned, and the user's; usercopy.asm. */
int user_load32(uint32_t *value, const uint32_t *from);
int store_user32(uint64_t addr, uint32_t value);
/* *old receives what was there; stores only if it equals expect.  0 or -EFAULT. */
int cmpxchg_user32(uint64_t addr, uint32_t expect, uint32_t value, uint32_t *old);

#endif
