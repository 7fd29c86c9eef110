/* SPDX-License-Identifier: MIT */
/* Tasks by id; what others use of it is in task.h. */
#ifndef LIBOS_TASK_TABLE_H
#define LIBOS_TASK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct task;

#define TASK_PROGRAM_IDS 131072u /* ids from 1 on: 100,000 tasks and some more */

/* Names a new task, which then has one reference.  False: no id is free, or no memory for the table. */
bool task_table_insert(struct task *t);
/* So many references less.  True: they were the last, and the name has gone. */
bool task_table_put(struct task *t, unsigned count);
/* The task that has the id, or has just had it, without a reference; NULL: there is none.  Its memory stays
 * a task's, so that fields may be read that tell whether it is the one that is meant. */
struct task *task_peek(uint32_t id);
/* Pages that the table keeps for the next who needs one. */
unsigned task_table_count_spare(void);

#endif
