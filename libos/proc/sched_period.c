/* SPDX-License-Identifier: MIT */
/*
 * sched_yield(2), and the periods of SCHED_DEADLINE tasks as their programs see them.
 *
 * Who has a deadline and yields has done its work of this period, and goes on in the next (sched(7)): the
 * ordinary loop of such a program is work and a yield.  It sleeps meanwhile, under each library.  No library
 * could do this by itself, as one in whose queue somebody waits must not leave the CPU idle; and under one
 * that puts deadlines above all else the loop would keep the CPU from everybody.
 *
 * Periods are counted from when the policy was set.  Who slept or computed through the end of one is in the
 * one that it is in now: what it missed is not made up for.  (`edf` has a notion of its own of how much may
 * be used until when, which begins anew when a task wakes; a period that begins here finds it not used up.)
 *
 * As on Linux handlers of signals wait for the period, too; what ends the task does not.
 */
#include "abi/errno.h"
#include "core/task.h"
#include "core/vcore.h"
#include "core/wait.h"
#include "proc/calls.h"
#include "proc/sched_parameters.h"
#include "time/timespec.h"

static uint64_t until_next_period_ns(const struct task *t, uint64_t period_ns)
{
	return period_ns - (time_now_ns() - t->period_start_ns) % period_ns;
}

/* If somebody more urgent waits for what the task has, its own policy may be another than that in force. */
static __attribute__((noinline)) long end_period(void)
{
	struct task *t = current();
	struct sched_parameters own = sched_parameters(t);
	uint64_t end_ns;

	if (own.policy != SCHED_POLICY_DEADLINE) {
		task_yield();
		return 0;
	}
	end_ns = deadline_after(until_next_period_ns(t, own.period_ns));
	while (time_now_ns() < end_ns) {
		wait_begin();
		if (wait_sleep(WAIT_KILLABLE, end_ns) == -EINTR)
			break;
	}
	return 0;
}

/* If nobody waits here, the calling task would be the next again.  That is merely a hint, like the
 * call: we may be on another CPU when we have read it, or somebody come behind our back. */
long sys_sched_yield(void)
{
	if (current()->policy == SCHED_POLICY_DEADLINE)
		return end_period();
	if (current()->donor.id || vcore_has_waiting(this_vcore()))
		task_yield();
	return 0;
}
