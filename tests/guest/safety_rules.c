/* SPDX-License-Identifier: MIT */
/* Schedulers that break the rules on tasks are ejected, and nothing else notices. */
#define _GNU_SOURCE
#include "safety_net.h"

#define RETURNED "returned task "

static const struct broken_case cases[] = {
	{ "nothing_to_run_though_tasks_wait", BREAK_IDLE, IN_NONE, 50,
	  "s pick() returned nothing, though ", 1, 0,
	  "), in a queue of CPU |), in a queue that is no CPU's" },
	{ "a_blocked_task_is_returned", BREAK_BLOCKED, IN_NONE, 50, "s pick() " RETURNED, 1, 0,
	  ", which is blocked: 0x|, which runs on CPU |, which is on its way to a CPU: 0x"
	  "|, which has ended: 0x" },
	{ "another_cpus_task_is_returned", BREAK_FOREIGN, IN_NONE, 20, "s pick() " RETURNED, 2, 0,
	  ", which is queued on CPU |, which runs on CPU |, which is on its way to a CPU: 0x"
	  "|, which is blocked: 0x|, which has ended: 0x" },
	{ "a_task_that_has_ended_is_returned", BREAK_FREED, IN_NONE, 20, "s pick() " RETURNED, 1, 0,
	  NULL },
	{ "wild_pointers_are_returned", BREAK_WILD, IN_NONE, 1,
	  "s pick() returned what is no task: 0x", 1, 0, NULL },
	{ "wild_pointers_are_returned_later", BREAK_WILD, IN_NONE, 100,
	  "s pick() returned what is no task: 0x", 1, 0, NULL },
	{ "a_picked_task_stays_queued", BREAK_KEEP, IN_NONE, 20, "s pick() " RETURNED, 1, 0,
	  ", which is still in the library's queue: 0x" },
	{ "a_queue_is_overwritten", BREAK_CORRUPT, IN_NONE, 20, " faulted, at 0x", 1, 0, NULL },
	{ "slices_are_an_hour_long", BREAK_HOG, IN_NONE, 1, " it did not run task ", 1, 0,
	  ", in a queue of CPU " },
	{ "tasks_are_lost", BREAK_LOSE, IN_NONE, 50,
	  " it did not run task |s pick() returned nothing, though ", 1, 0,
	  ", in no sched_fifo or sched_ordered" },
	{ "some_tasks_are_never_picked", BREAK_STARVE, IN_NONE, 0,
	  " it did not run task |s pick() returned nothing, though ", 1, 0,
	  ", in a queue of CPU " },
	{ "a_task_is_queued_twice", BREAK_TWICE, IN_NONE, 20, "s enqueue() faulted, at 0x", 1, 0,
	  NULL },
	/* Noticed when it is queued, or if it blocks, when it is picked. */
	{ "the_running_task_is_queued", BREAK_RUNNING, IN_NONE, 20,
	  " it put into a queue task |s pick() " RETURNED, 1, 0,
	  ", which it was not given to queue: 0x|, which is blocked: 0x|, which is on its way to a "
	  "CPU: 0x"
	  "|, which has ended: 0x|, which runs on CPU " },
	{ "a_dequeued_task_stays_queued", BREAK_FORGET, IN_NONE, 0,
	  "s dequeue() left in a queue task ", 1, 0, "), which it was to take out: 0x" },
	{ "a_stolen_task_was_not_queued", BREAK_STEAL, IN_NONE, 0, "s steal() " RETURNED, 2, 1,
	  ", which is blocked: 0x|, which runs on CPU |, which is on its way to a CPU: 0x"
	  "|, which has ended: 0x" },
	{ "init_returns_an_error", BREAK_INIT, IN_NONE, 0, "s init() returned error -12", 1, 0,
	  NULL },
};

int main(void)
{
	run_broken_cases(cases, sizeof(cases) / sizeof(cases[0]));
	return test_result();
}
