/* SPDX-License-Identifier: MIT */
/* What processes have used: getrusage(2), times(2). */
#include "proc/usage.h"
#include <linux/resource.h>
#include "abi/errno.h"
#include "core/task.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/proc_private.h"
#include "time/time.h"
#include "vm/vm.h"

#define NS_PER_CLOCK_TICK 10000000ul /* clock_t: 100 per second */

void usage_add(struct usage *sum, const struct usage *more)
{
	sum->user_ns += more->user_ns;
	sum->system_ns += more->system_ns;
	sum->minor_faults += more->minor_faults;
	sum->voluntary_switches += more->voluntary_switches;
	sum->involuntary_switches += more->involuntary_switches;
	if (more->max_resident_pages > sum->max_resident_pages)
		sum->max_resident_pages = more->max_resident_pages;
}

/* The words of a running task change meanwhile; each is read as one of its values. */
void usage_of_task(struct usage *sum, const struct task *t)
{
	uint64_t told_ns = atomic_load_explicit(&t->told_ns, memory_order_relaxed);

	/* What a clock has told already is not taken back when the task ends (time/cpu_clock.c). */
	sum->user_ns += t->user_ns > told_ns ? t->user_ns : told_ns;
	sum->system_ns += t->system_ns;
	sum->voluntary_switches += t->voluntary_switches;
	sum->involuntary_switches += t->involuntary_switches;
}

struct usage usage_of_process_locked(const struct process *p)
{
	struct usage u = p->self_usage;

	list_for_each(node, &p->tasks)
		usage_of_task(&u, list_entry(node, struct task, thread_link));
	return u;
}

static struct __kernel_old_timeval timeval_of(uint64_t ns)
{
	return (struct __kernel_old_timeval){
		.tv_sec = (long)(ns / 1000000000),
		.tv_usec = (long)(ns % 1000000000 / 1000),
	};
}

void usage_to_linux(const struct usage *u, struct rusage *out)
{
	*out = (struct rusage){
		.ru_utime = timeval_of(u->user_ns),
		.ru_stime = timeval_of(u->system_ns),
		.ru_maxrss = (long)(u->max_resident_pages * (EXO_PAGE_SIZE / 1024)),
		.ru_minflt = (long)u->minor_faults,
		.ru_nvcsw = (long)u->voluntary_switches,
		.ru_nivcsw = (long)u->involuntary_switches,
	};
}

long sys_getrusage(int who, uint64_t out)
{
	struct process *p = current_process();
	struct usage u = { 0 };
	struct rusage r;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	task_charge();
	lock_acquire(&process_tree_lock);
	if (who == RUSAGE_SELF)
		u = usage_of_process_locked(p);
	else if (who == RUSAGE_CHILDREN)
		u = p->children_usage;
	else
		usage_of_task(&u, current());
	lock_release(&process_tree_lock);
	if (who != RUSAGE_CHILDREN) {
		u.max_resident_pages = vm_resident_peak(p->vm);
		u.minor_faults += vm_fault_count(p->vm);
	}
	usage_to_linux(&u, &r);
	return copy_to_user(out, &r, sizeof(r));
}

long sys_times(uint64_t out)
{
	struct process *p = current_process();

	task_charge();
	lock_acquire(&process_tree_lock);
	struct usage self = usage_of_process_locked(p), children = p->children_usage;

	lock_release(&process_tree_lock);
	int64_t times[4] = {
		(int64_t)(self.user_ns / NS_PER_CLOCK_TICK),
		(int64_t)(self.system_ns / NS_PER_CLOCK_TICK),
		(int64_t)(children.user_ns / NS_PER_CLOCK_TICK),
		(int64_t)(children.system_ns / NS_PER_CLOCK_TICK),
	};

	if (out && copy_to_user(out, times, sizeof(times)) < 0)
		return -EFAULT;
	return (long)(time_now_ns() / NS_PER_CLOCK_TICK);
}
