/* SPDX-License-Identifier: MIT */
/* libos/fs/own_descriptors.c: while calls are traced no task knows of descriptors */
#include "abi/syscall.h"
#include "fs/own_descriptors.h"
#include "explore.h"

_Atomic bool calls_are_traced;
static struct own_descriptors own;
static struct file *files[1];

static void setup(void)
{
	calls_are_traced = false;
	own.files = NULL;
	own.capacity = 0;
	explore_name(&calls_are_traced, sizeof(calls_are_traced), "calls_are_traced");
	explore_name(&own.files, sizeof(own.files), "files");
	explore_name(&own.capacity, sizeof(own.capacity), "capacity");
}

/* As turn_on() of libos/trace/control.c. */
static void trace_calls(void)
{
	atomic_store(&calls_are_traced, true);
	own_descriptors_forget(&own);
}

static void one_remembers_one_traces(unsigned number)
{
	if (number == 0) {
		own_descriptors_remember(&own, files, 1);
		own_descriptors_forget(&own);
		own_descriptors_remember(&own, files, 1);
	} else {
		trace_calls();
	}
}

static void none_is_known(void)
{
	EXPLORE_CHECK(own.capacity == 0);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "who_is_traced_knows_no_descriptors", 2, 3, 2, setup, one_remembers_one_traces,
		  none_is_known, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
