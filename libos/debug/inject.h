/* SPDX-License-Identifier: MIT */
/*
 * What the debug build makes happen on purpose (libos/debug; the other build has neither the files nor
 * the calls): allocations that fail, and delays, preemptions and migrations where they are least
 * convenient, both decided by random numbers with a seed; and messages without an end.
 *
 *	faults.c    /proc/exo/faults says of which processes, and which kinds
 *	races.c     races=SEED on the boot command line: everywhere
 *	flood.c     /proc/exo/flood: to the CPU of who writes it; /proc/exo/deaths-lost: to none
 */
#ifndef LIBOS_INJECT_H
#define LIBOS_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include "core/log.h"

#ifndef EXO_INJECT
#define EXO_INJECT 0
#endif

struct exo_message;
struct vcore;

/* Who asks finds none left. */
enum fault_kind { FAULT_FRAME, FAULT_HEAP, FAULT_TASK, FAULT_DESCRIPTOR, FAULT_HANDLE,
		  FAULT_KINDS };

bool fault_decide(enum fault_kind kind);
void race_here(void);
void race_with(struct vcore *v);
/* Once, on the boot CPU, with the number behind races= on the command line, or 0. */
void races_init(uint64_t seed);
/* The end of the domain is being reported: which seeds, which faults. */
void inject_report(void);
void faults_proc_init(void);
bool flood_here(const struct exo_message *m);
void flood_proc_init(void);

/* Any context.  In a task that is concerned, sometimes true: the caller does as if there were none. */
static inline bool fault_injected(enum fault_kind kind)
{
	return EXO_INJECT && fault_decide(kind);
}

/* Any context: sometimes takes a while; masked, sometimes has the current task preempted at the end of
 * the masking. */
static inline void race_point(void)
{
	if (EXO_INJECT)
		race_here();
}

/* This CPU, between two tasks: sometimes one that waits is sent elsewhere. */
static inline void race_steal(struct vcore *v)
{
	if (EXO_INJECT)
		race_with(v);
}

/* In an event, for each message that the kernel's mailbox held: is it to be as if it had not? */
static inline bool flood_point(const struct exo_message *m)
{
	return EXO_INJECT && flood_here(m);
}

#endif
