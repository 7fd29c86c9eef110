/* SPDX-License-Identifier: MIT */
/* Reading and changing a task's scheduling parameters: see sched_parameters.h. */
#include "proc/sched_parameters.h"
#include "abi/errno.h"
#include "core/event.h"
#include "core/task.h"
#include "core/task_state.h"
#include "core/vcore.h"
#include "proc/inheritance.h"
#include "proc/process.h"
#include "time/time.h"

struct task *sched_find_task(int tid, int *error)
{
	struct task *t = NULL;

	*error = tid < 0 ? -EINVAL : -ESRCH;
	if (tid == 0)
		t = task_get(current()->self);
	else if (tid > 0)
		t = thread_find((uint32_t)tid);
	return t;
}

struct sched_parameters sched_own_locked(const struct task *t)
{
	struct sched_parameters p = t->inheritance->own;

	p.affinity = t->affinity;
	p.reset_on_fork = t->reset_on_fork;
	return p;
}

uint32_t sched_put_in_force_locked(struct task *t, const struct sched_parameters *p)
{
	uint32_t changed = (t->nice != p->nice) << SCHED_PARAM_NICE |
			   (t->policy != p->policy) << SCHED_PARAM_POLICY |
			   (t->rt_priority != p->priority) << SCHED_PARAM_PRIORITY |
			   (t->runtime_ns != p->runtime_ns) << SCHED_PARAM_RUNTIME |
			   (t->deadline_ns != p->deadline_ns) << SCHED_PARAM_DEADLINE |
			   (t->period_ns != p->period_ns) << SCHED_PARAM_PERIOD;

	t->nice = p->nice;
	t->policy = p->policy;
	t->rt_priority = p->priority;
	t->runtime_ns = p->runtime_ns;
	t->deadline_ns = p->deadline_ns;
	t->period_ns = p->period_ns;
	return changed;
}

struct sched_parameters sched_parameters(struct task *t)
{
	struct sched_parameters p;

	lock_acquire(&t->lock);
	p = sched_parameters_locked(t);
	lock_release(&t->lock);
	return p;
}

static void write_record(struct task *t, const struct sched_parameters *p, uint32_t keys)
{
	struct sched_parameters own;

	lock_acquire(&t->lock);
	own = sched_parameters_locked(t);
	if (keys & PARAM_BIT(SCHED_PARAM_NICE))
		own.nice = p->nice;
	if (keys & PARAM_BIT(SCHED_PARAM_POLICY)) {
		if (own.policy != p->policy && p->policy == SCHED_POLICY_DEADLINE)
			t->period_start_ns = time_now_ns();
		own.policy = p->policy;
		t->reset_on_fork = p->reset_on_fork;
	}
	if (keys & PARAM_BIT(SCHED_PARAM_PRIORITY))
		own.priority = p->priority;
	if (keys & PARAM_BIT(SCHED_PARAM_AFFINITY)) {
		t->affinity = p->affinity;
		t->affinity_sets++;
	}
	if (keys & PARAM_BIT(SCHED_PARAM_RUNTIME))
		own.runtime_ns = p->runtime_ns;
	if (keys & PARAM_BIT(SCHED_PARAM_DEADLINE))
		own.deadline_ns = p->deadline_ns;
	if (keys & PARAM_BIT(SCHED_PARAM_PERIOD))
		own.period_ns = p->period_ns;
	/* Which of them come into force inheritance_own_changed() looks. */
	if (t->inheritance)
		t->inheritance->own = own;
	else
		sched_put_in_force_locked(t, &own);
	lock_release(&t->lock);
}

/* A CPU in whose queue t is looks at its queue.  Masked. */
static void notice_in_queue(struct task *t)
{
	unsigned cpu;

	if (task_place(t) == PLACE_QUEUED) {
		cpu = (unsigned)atomic_load(&t->home);
		atomic_fetch_or(&vcore_of(cpu)->mailbox.flags, MAILBOX_PARAMETERS);
		vcore_ring(cpu);
	}
}

/*
 * The record changes first, then the note that the library has to be told; whoever next queues the
 * task finds the note.  One that is queued already is looked for there.
 *
 * Why no queued task keeps the note: we set it, then look at `where`; a CPU that queues the task sets
 * `where`, then looks at the note (all four sequentially consistent).  So it sees the note, or we
 * see the task queued.  If it has gone from there when the CPU comes to look, it has been picked,
 * and finds WORK_RESCHED, or it will be queued elsewhere, which looks at the note again.
 */
void sched_changed_masked(struct task *t, uint32_t keys)
{
	atomic_fetch_or(&t->sched_changed, keys);
	task_notice_masked(t, WORK_RESCHED);
	notice_in_queue(t);
}

static void has_changed(struct task *t, uint32_t keys)
{
	upcalls_mask();
	sched_changed_masked(t, keys);
	upcalls_unmask();
}

void sched_set_parameters(struct task *t, const struct sched_parameters *p, uint32_t keys)
{
	write_record(t, p, keys);
	inheritance_own_changed(t);
	has_changed(t, keys);
}

/*
 * Why no bound task is overlooked: its mask is written before somebody looks whether it may stay where it is
 * (sched_allowed()), and the CPU's bit in online_cpus was set before we look at masks.  So that look finds
 * the CPU online, or we find the mask.
 */
void sched_gather_bound(unsigned cpu)
{
	struct task *t;

	for (uint32_t id = 0; (t = task_next(id)); id = t->self.id + 1, task_put(t)) {
		uint64_t affinity = sched_parameters(t).affinity;

		if ((affinity >> cpu & 1) && !(affinity >> atomic_load(&t->home) & 1))
			has_changed(t, PARAM_BIT(SCHED_PARAM_AFFINITY));
	}
}

int sched_may_change_locked(const struct task *t)
{
	const struct process *me = current_process(), *p = process_of_thread_locked(t);

	if (!p)
		return -ESRCH;
	return me->euid == 0 || me->euid == p->euid || me->euid == p->uid ? 0 : -EPERM;
}

int sched_may_change(const struct task *t)
{
	int r;

	lock_acquire(&process_tree_lock);
	r = sched_may_change_locked(t);
	lock_release(&process_tree_lock);
	return r;
}

/* setrlimit(2): RLIMIT_NICE is 20 minus the lowest value. */
bool sched_nice_allowed_locked(const struct task *t, int nice)
{
	return (uint64_t)(20 - nice) <= process_limit(process_of_thread_locked(t), LIMIT_NICE);
}
