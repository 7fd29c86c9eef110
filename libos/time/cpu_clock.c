/* SPDX-License-Identifier: MIT */
/*
 * CPU time used by tasks and processes: what a task has been charged with, and if it runs, the time
 * since then.
 *
 * Both are written by the CPU that runs the task and may be read by another at any moment.  A
 * charge moves ran_since_tsc first and then adds to the task; a switch sets ran_since_tsc first and
 * then `current`.  We read the time, and then all that in the opposite order.
 *
 * The sum may be too small, if there is a charge or a switch in between, or we look between the two stores
 * of a charge, which nothing tells: by no more than the time being charged.  So that no clock goes back for
 * that, the most that was told of the task is kept with it, and told again.
 *
 * Why it is not too large, which would make the clock stand still: whoever finds a charge in user_ns finds
 * its ran_since_tsc as well, so no time is counted twice.  If that is not later than the time that we have
 * read, and the task was current after we had, it has run in between without being charged, and is going to
 * be charged with that.  (Were the time read last, the task might have stopped before, as we may be off the
 * CPU for long.)  What is left is a charge that has read the time, and has yet to store it when we look.
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

/* Not later than any load behind it. */
static uint64_t time_before_loads(void)
{
	uint64_t now = rdtsc();

	__asm__ volatile("lfence" : : : "memory");
	return now;
}

/* Now, or what was told before. */
static uint64_t never_less(_Atomic uint64_t *told_ns, uint64_t ns)
{
	uint64_t told = atomic_load_explicit(told_ns, memory_order_relaxed);

	while (told < ns)
		if (atomic_compare_exchange_weak(told_ns, &told, ns))
			return ns;
	return told;
}

/* Masked, so that a task's own clock is right at once: it is current, and not charged meanwhile. */
void cpu_time_of_task(const struct task *t, uint64_t *user_ns, uint64_t *total_ns)
{
	uint64_t now, since, user, system;
	const struct vcore *v;

	upcalls_mask();
	now = time_before_loads();
	v = vcore_of(atomic_load_explicit(&t->home, memory_order_relaxed));
	user = READ_ONCE(t->user_ns);
	system = READ_ONCE(t->system_ns);
	if (READ_ONCE(v->current) == t) {
		since = READ_ONCE(v->ran_since_tsc);
		user += now > since ? tsc_to_ns(now - since) : 0;
	}
	upcalls_unmask();
	/* To look at a task is to change this, and nothing else. */
	user = never_less((_Atomic uint64_t *)&t->told_ns, user);
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
	bool is_ours;

	if (tid == 0) {
		*ns = used_ns(current());
		return 0;
	}
	t = thread_find(tid);
	if (t == NULL)
		return -EINVAL;
	is_ours = t->process == current_process();
	if (is_ours)
		*ns = used_ns(t);
	task_put(t);
	return is_ours ? 0 : -EINVAL;
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
