/* SPDX-License-Identifier: MIT */
/* A process as /proc sees it from outside. */
#ifndef LIBOS_PROC_PROCESS_H
#define LIBOS_PROC_PROCESS_H

#include <stdbool.h>
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

/*
 * May the calling process look into p, at its memory and at what it has open?  The superuser, p itself, and
 * who has its user and group may; but no user may look into who was somebody else, and has not called exec
 * since (p->dumpable).
 */
bool proc_process_may_look(const struct process *p);

#endif
