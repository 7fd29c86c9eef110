/* SPDX-License-Identifier: MIT */
/* A task's own record of how it wants to be scheduled; what the calls share that change it. */
#ifndef LIBOS_SCHED_PARAMETERS_H
#define LIBOS_SCHED_PARAMETERS_H

#include <libos/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/task.h"

struct sched_parameters {
	int nice, policy, priority;
	bool reset_on_fork;
	uint64_t affinity;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

#define PARAM_BIT(key) (1u << (key))
/* All but the affinity: what sched_setattr(2) sets. */
#define PARAM_BITS_OF_ATTR \
	(PARAM_BIT(SCHED_PARAM_NICE) | PARAM_BIT(SCHED_PARAM_POLICY) | PARAM_BIT(SCHED_PARAM_PRIORITY) | \
	 PARAM_BIT(SCHED_PARAM_RUNTIME) | PARAM_BIT(SCHED_PARAM_DEADLINE) | PARAM_BIT(SCHED_PARAM_PERIOD))

/* A program's task, counted, or NULL and -EINVAL or -ESRCH.  tid 0: the caller.  One that has ended is found
 * while its process goes by its id: what it was set to can be asked, and set. */
struct task *sched_find_task(int tid, int *error);

/* What was set for any task that is counted; no lock from RANK_TASK on held. */
struct sched_parameters sched_parameters(struct task *t);
/* Sets those that `keys` names (bits of enum sched_parameter; POLICY brings reset_on_fork), and has
 * the library told of them. */
void sched_set_parameters(struct task *t, const struct sched_parameters *p, uint32_t keys);

/* For inheritance.c: what schedulers go by, under t->lock; other values of that, but for the affinity and
 * reset_on_fork, and which of them have changed; then the library is told of these, by who is masked. */
static inline struct sched_parameters sched_in_force_locked(const struct task *t)
{
	return (struct sched_parameters){ .nice = t->nice,
					  .policy = t->policy,
					  .priority = t->rt_priority,
					  .reset_on_fork = t->reset_on_fork,
					  .affinity = t->affinity,
					  .runtime_ns = t->runtime_ns,
					  .deadline_ns = t->deadline_ns,
					  .period_ns = t->period_ns };
}
uint32_t sched_put_in_force_locked(struct task *t, const struct sched_parameters *p);
void sched_changed_masked(struct task *t, uint32_t keys);

/* sched_parameters() under t->lock; of a task that has an inheritance in a function of its own. */
struct sched_parameters sched_own_locked(const struct task *t);
static inline struct sched_parameters sched_parameters_locked(const struct task *t)
{
	return t->inheritance ? sched_own_locked(t) : sched_in_force_locked(t);
}

/* The CPU has come online: tasks that are bound to it, and had to run elsewhere, go there.  Masked. */
void sched_gather_bound(unsigned cpu);

/* May the caller change how t is scheduled?  Root may, and everybody may for tasks of the same
 * user.  0, -EPERM or -ESRCH. */
int sched_may_change(const struct task *t);
int sched_may_change_locked(const struct task *t); /* under process_tree_lock */
/* Does its process's limit let t have this nice value without root's right?  Under process_tree_lock,
 * when the caller may change t. */
bool sched_nice_allowed_locked(const struct task *t, int nice);

#endif
