/* SPDX-License-Identifier: MIT */
/* Memory for tasks: stack, task and vector area in one aligned slot, see task.h. */
#ifndef LIBOS_TASK_SLOT_H
#define LIBOS_TASK_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;

/* Any context.  The task is zeroed, but not what frame points to; self, frame and vector_area are set.
 * NULL: out of memory. */
struct task *task_slot_alloc(void);
/* Nobody is on its stack and nobody refers to it. */
void task_slot_free(struct task *t);
/* Some of the slots that wait for the next task give up their stacks: so many pages; 0: there is none left
 * that all CPUs share.  No lock of a rank >= RANK_LEAF held. */
size_t task_slots_trim(void);
/* Is this the address of a task, alive or not?  For checking what a scheduler library says. */
bool task_slot_contains(const struct task *t);
/* Frames that slots have, in use or not. */
uint64_t task_slots_frames(void);

#endif
