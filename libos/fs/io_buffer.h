/* SPDX-License-Identifier: MIT */
/* Where bytes of a transfer come from or go to: a program's memory or the libos's own. */
#ifndef LIBOS_IO_BUFFER_H
#define LIBOS_IO_BUFFER_H

#include <exo/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/string.h"
#include "core/usercopy.h"

struct io_buffer {
	uint64_t address;
	bool is_user; /* false: libos memory, which cannot fault */
};

static inline struct io_buffer io_user(uint64_t address)
{
	return (struct io_buffer){ .address = address, .is_user = true };
}

static inline struct io_buffer io_kernel(const void *p)
{
	return (struct io_buffer){ .address = (uint64_t)p };
}

/* All three: n bytes at `at` bytes into the buffer; 0 or -EFAULT. */
static inline int io_put(struct io_buffer b, size_t at, const void *from, size_t n)
{
	if (b.is_user)
		return copy_to_user_keeping(b.address + at, from, n);
	memcpy((void *)(b.address + at), from, n);
	return 0;
}

static inline int io_put_zeros(struct io_buffer b, size_t at, size_t n)
{
	if (b.is_user) {
		long result = zero_user(b.address + at, n);

		return result < 0 ? (int)result : 0;
	}
	memset((void *)(b.address + at), 0, n);
	return 0;
}

static inline int io_get(void *to, struct io_buffer b, size_t at, size_t n)
{
	if (b.is_user)
		return copy_from_user_keeping(to, b.address + at, n);
	memcpy(to, (const void *)(b.address + at), n);
	return 0;
}

/* How many bytes there are, from `at` on, in the program's page that has the first of them. */
static inline size_t io_in_page(struct io_buffer b, size_t at)
{
	return EXO_PAGE_SIZE - (b.address + at) % EXO_PAGE_SIZE;
}

#endif
