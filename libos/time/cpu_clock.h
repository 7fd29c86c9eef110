/* SPDX-License-Identifier: MIT */
/* CPU time used by tasks and processes, in nanoseconds. */
#ifndef LIBOS_CPU_CLOCK_H
#define LIBOS_CPU_CLOCK_H

#include <stdint.h>

struct process;
struct task;

/* By id, 0 for the caller's own.  0 or -EINVAL (no such process, or thread in the caller's).  No lock
 * held. */
int cpu_clock_of_thread(uint32_t tid, uint64_t *ns);
int cpu_clock_of_process(uint32_t pid, uint64_t *ns);

/* t does not go away: adds what it has used, up to now if it runs. */
void cpu_time_of_task(const struct task *t, uint64_t *user_ns, uint64_t *total_ns);
/* Under process_tree_lock: user time and total, of ended and living tasks. */
void cpu_time_locked(const struct process *p, uint64_t *user_ns, uint64_t *total_ns);

#endif
