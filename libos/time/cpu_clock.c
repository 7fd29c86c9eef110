/* SPDX-License-Identifier: MIT */
/*
 * CPU time used by tasks and processes: what a task has been charged with, and if it runs, the time
 * since then.
 *
 * Both are written by the CPU that runs the task and may be read by another at any moment.  A
 * charge moves ran_since_tsc first and then adds to the task; a switch sets ran_since_tsc first and
 * then `current`.  We read in the opposite order: a charge or switch in between makes the sum too
 * small, by no more than the time being charged, and never too large.
 */
#include <stddef.h>
#include "abi/errno.h"
#include "core/cpu.h"
#include "core/vcore.h"
#include "proc/process.h"
#include "time/cpu_clock.h"
#include "time/time.h"

/* The compiler keeps this order too; x86 does not reorder loads. */
#define READ_ONCE(place) (*(const volatile __typeof__(place) *)&(place))

void cpu_time_of_task(const struct task *t, uint64_t *user_ns, uint64_t *total_ns)
{
	const struct vcore *v = vcore_of(atomic_load_explicit(&t->home, memory_order_relaxed));
	uint64_t user = READ_ONCE(t->user_ns), system = READ_ONCE(t->system_ns);

	if (READ_ONCE(v->current) == t) {
		uint64_t since = READ_ONCE(v->ran_since_tsc), now = rdtsc();

		user += now > since ? tsc_to_ns(now - since) : 0;
	}
	*user_ns += user;
	*total_ns += user + system;
}

static uint64_t used_ns(const struct task *t)
{
	uint64_t user_ns = 0, total_ns = 0;

	cpu_time_of_task(t, &user_ns, &total_ns);
	return total_ns;
}

int cpu_clock_of_thread(uint32_t tid, uint64_t *ns)
{
	struct task *t;

	if (tid == 0) {
		*ns = used_ns(current());
		return 0;
	}
	t = thread_find(tid);
	if (t == NULL)
		return -EINVAL;
	*ns = used_ns(t);
	task_put(t);
	return 0;
}

void cpu_time_locked(const struct process *p, uint64_t *user_ns, uint64_t *total_ns)
{
	*user_ns = p->self_usage.user_ns;
	*total_ns = *user_ns + p->self_usage.system_ns;
	list_for_each(node, &p->tasks)
		cpu_time_of_task(list_entry(node, struct task, thread_link), user_ns, total_ns);
}

int cpu_clock_of_process(uint32_t pid, uint64_t *ns)
{
	const struct process *p;
	uint64_t user_ns;

	lock_acquire(&process_tree_lock);
	p = pid == 0 ? current_process() : process_find(pid);
	if (p != NULL)
		cpu_time_locked(p, &user_ns, ns);
	lock_release(&process_tree_lock);
	return p != NULL ? 0 : -EINVAL;
}
