/* SPDX-License-Identifier: MIT */
/* For a case of the explorer in which no task sleeps, waits for a call, or donates: one that does fails. */
#ifndef TESTS_EXPLORE_LIBOS_AWAKE_H
#define TESTS_EXPLORE_LIBOS_AWAKE_H

#include "core/switch.h"
#include "core/wait.h"
#include "explore.h"
#include "sched/donation.h"

void switch_away(enum sched_why why)
{
	explore_fail("nobody sleeps here");
}

void wait_begin(void)
{
	explore_fail("nobody sleeps here");
}

void wait_cancel(void)
{
	explore_fail("nobody sleeps here");
}

struct task *task_get(struct task_ref ref)
{
	explore_fail("nobody waits for a call here");
}

bool donation_promise(struct vcore *v)
{
	return false; /* it goes the long way */
}

void donation_deliver(struct vcore *v, struct task *t)
{
	explore_fail("nobody donates here");
}

void donation_signalled(struct vcore *v, struct task *t)
{
}

#endif
