/* SPDX-License-Identifier: MIT */
/*
 * The frames that a child domain is made of: taken from the allocator as runs, handed out from their
 * beginnings while it is made; what is left is its memory.  All of them come back when it has been
 * taken apart, whatever they were used for.
 */
#ifndef LIBOS_DOMAIN_MEMORY_H
#define LIBOS_DOMAIN_MEMORY_H

#include <exo/abi.h>
#include <stddef.h>
#include <stdint.h>

/* Owned by the task that makes the domain, and then by the one that takes it apart. */
struct domain_memory {
	uint32_t run_count;
	struct {
		uint64_t first, count, used;
	} runs[EXO_RANGES_MAX];
};

/* 0 or -ENOMEM, with nothing taken. */
int domain_memory_take(struct domain_memory *m, uint64_t frames);
/* Up to `most` frames in a row; how many, 0: there are none left. */
uint64_t domain_memory_some(struct domain_memory *m, uint64_t most, uint64_t *first);
/* Exactly `count` in a row, or 0. */
uint64_t domain_memory_row(struct domain_memory *m, uint64_t count);
/* To the allocator, waiting for those that the kernel has not let go yet; returns how many it never
 * did.  Task context. */
uint64_t domain_memory_return(struct domain_memory *m);

#endif
