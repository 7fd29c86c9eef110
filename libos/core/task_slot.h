/* SPDX-License-Identifier: MIT */
/* Memory for tasks: stack, task and vector area in one aligned slot, see task.h. */
#ifndef LIBOS_TASK_SLOT_H
#define LIBOS_TASK_SLOT_H

#include <stdbool.h>
#include <stdint.h>

struct task;

/* Any context.  The task is zeroed, self, frame and vector_area are set; NULL: out of memory. */
struct task *task_slot_alloc(void);
/* Nobody is on its stack and nobody refers to it. */
void task_slot_free(struct task *t);
/* Is this the address of a task, alive or not?  For checking what a scheduler library says. */
bool task_slot_contains(const struct task *t);
/* Frames that slots have, in use or not; never fewer. */
uint64_t task_slots_frames(void);

#endif
