/* SPDX-License-Identifier: MIT */
/*
 * What the report on a library that broke the rules says of the task and of the place: looked at before
 * the library is left, when both are as it found them, and printed behind it.
 */
#ifndef LIBOS_SCHED_CULPRIT_H
#define LIBOS_SCHED_CULPRIT_H

#include <libos/sched.h>

struct exo_regs;
struct sched_guard;
struct vcore;

/* All of these: this CPU, masked. */

/* A callback is about to be abandoned at regs; `address` is that of its fault, if it is one. */
void culprit_place(struct vcore *v, const struct exo_regs *regs, enum sched_exit_reason reason,
		   uint64_t address);
/* The library `did` something with t, which may be no task: "left", "returned"; `wrong` is what it must
 * not be, or NULL: it ought to have been queued here, and free to be run by CPU `by`. */
void culprit_task(struct vcore *v, const struct task *t, const char *did, const char *wrong, int by);
/* t, which is queued here, has waited for so long; pick() returned nothing, though t and others are. */
void culprit_stalled(struct vcore *v, const struct task *t, uint64_t waited_ns);
void culprit_idled(struct vcore *v, const struct task *t, unsigned queued);

/* "returned task 3 (sh), which is blocked:" -- what one of these was told last on this CPU. */
void culprit_print_task(const struct vcore *v);
/* The line on culprit_place(), for a library that faulted or ran for too long: the function of the libos
 * that it was in, where the library called that, as an address in its file, and what it did there. */
void culprit_print_place(const struct vcore *v, const struct sched_ops *ops);

#endif
