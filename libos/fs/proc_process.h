/* SPDX-License-Identifier: MIT */
/* A process as /proc sees it from outside. */
#ifndef LIBOS_PROC_PROCESS_H
#define LIBOS_PROC_PROCESS_H

#include <stdint.h>

struct inode;
struct process;

/* Which process an inode of /proc is about: pid in the low half, generation in the high one. */
static inline uint64_t process_identity(uint32_t pid, uint32_t generation)
{
	return (uint64_t)generation << 32 | pid;
}

/* Counted; NULL if it has been reaped. */
struct process *proc_process_get(uint64_t identity);

#endif
