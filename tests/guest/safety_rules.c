/* SPDX-License-Identifier: MIT */
/* Schedulers that break the rules on tasks are ejected, and nothing else notices. */
#define _GNU_SOURCE
#include "safety_net.h"

#define BAD_TASK "returned, or kept in a queue, a task that it must not: 0x"

static const struct broken_case cases[] = {
	{ "nothing_to_run_though_tasks_wait", BREAK_IDLE, IN_NONE, 50,
	  "s pick() had nothing to run", 1, 0 },
	{ "a_blocked_task_is_returned", BREAK_BLOCKED, IN_NONE, 50, "s pick() " BAD_TASK, 1, 0 },
	{ "another_cpus_task_is_returned", BREAK_FOREIGN, IN_NONE, 20, "s pick() " BAD_TASK, 2, 0 },
	{ "a_task_that_has_ended_is_returned", BREAK_FREED, IN_NONE, 20, "s pick() " BAD_TASK, 1,
	  0 },
	{ "wild_pointers_are_returned", BREAK_WILD, IN_NONE, 1, "s pick() " BAD_TASK, 1, 0 },
	{ "wild_pointers_are_returned_later", BREAK_WILD, IN_NONE, 100, "s pick() " BAD_TASK, 1,
	  0 },
	{ "a_picked_task_stays_queued", BREAK_KEEP, IN_NONE, 20, "s pick() " BAD_TASK, 1, 0 },
	{ "a_queue_is_overwritten", BREAK_CORRUPT, IN_NONE, 20, " faulted, at 0x", 1, 0 },
	{ "slices_are_an_hour_long", BREAK_HOG, IN_NONE, 1, " did not run a task in time", 1, 0 },
	{ "tasks_are_lost", BREAK_LOSE, IN_NONE, 50, NULL, 1, 0 },
	{ "some_tasks_are_never_picked", BREAK_STARVE, IN_NONE, 0, NULL, 1, 0 },
	{ "a_task_is_queued_twice", BREAK_TWICE, IN_NONE, 20, "s enqueue() faulted, at 0x", 1, 0 },
	/* Noticed when it is queued, or if it blocks, when it is picked. */
	{ "the_running_task_is_queued", BREAK_RUNNING, IN_NONE, 20,
	  " it " BAD_TASK "|s pick() " BAD_TASK, 1, 0 },
	{ "a_dequeued_task_stays_queued", BREAK_FORGET, IN_NONE, 0, "s dequeue() " BAD_TASK, 1, 0 },
	{ "a_stolen_task_was_not_queued", BREAK_STEAL, IN_NONE, 0, "s steal() " BAD_TASK, 2, 1 },
	{ "init_returns_an_error", BREAK_INIT, IN_NONE, 0, "s init() returned error -12", 1, 0 },
};

int main(void)
{
	run_broken_cases(cases, sizeof(cases) / sizeof(cases[0]));
	return test_result();
}
