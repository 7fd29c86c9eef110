/* SPDX-License-Identifier: MIT */
/* libos/core/wait.c, libos/core/wake.c, libos/core/mailbox.c, libos/core/task_state.c; stop.c of
 * proc/ included below: a parent is told of a stop when no task runs program code any more, and of each
 * stop that is completed
 *
 * CPU 0 and 1 run the tasks of a process, which run program code, stop, make a thread, or end; CPU 2 stops
 * the process and continues it.
 */
#include "libos_cpus.h"
#include "../../libos/proc/stop.c"

#define TASKS 2
#define TURNS 2 /* that each task has, until it ends */

static struct process process;
static _Atomic bool in_program[TASKS]; /* or in a call that writes to its memory */
static _Atomic bool started; /* the second task */
static _Atomic bool told;    /* that the process has stopped; it has not been continued since */
static unsigned stops_told;

struct lock process_tree_lock = LOCK_INIT("process tree", RANK_PROCESS);

/* ---------------------------------------------------------------- the rest of proc/ */

void task_notice_masked(struct task *t, uint32_t work_bits)
{
	atomic_fetch_or(&t->work, work_bits);
}

void process_tell_parent_locked(struct process *p, int code, int status)
{
	if (code != CLD_STOPPED)
		return;
	EXPLORE_CHECK(p->stopped && !told && status == SIGSTOP);
	for (unsigned i = 0; i < TASKS; i++)
		EXPLORE_CHECK(!in_program[i]);
	told = true;
	stops_told++;
}

/* ---------------------------------------------------------------- what the CPUs do */

static void join_locked(unsigned i)
{
	struct task *t = task_of(i);

	t->process = &process;
	list_push_back(&process.tasks, &t->thread_link);
	process.task_count++;
}

static void setup_empty(void)
{
	cpus_setup();
	process_tree_lock.holder = 0;
	memset(&process, 0, sizeof(process));
	list_init(&process.tasks);
	wait_queue_init(&process.stop_wait);
	started = told = false;
	stops_told = 0;
	for (unsigned i = 0; i < TASKS; i++)
		in_program[i] = false;
	explore_name(&process_tree_lock, sizeof(process_tree_lock), "tree lock");
	explore_name(&process, sizeof(process), "process");
	explore_name(in_program, sizeof(in_program), "in program");
	explore_name(&started, sizeof(started), "started");
	explore_name(&told, sizeof(told), "told");
	explore_name(&stops_told, sizeof(stops_told), "stops told");
}

static void setup_one(void)
{
	setup_empty();
	join_locked(0);
}

static void setup_both(void)
{
	setup_one();
	join_locked(1);
	started = true;
}

/* As a task goes back to its program: task_work(), until nothing is left to do.  What comes then it sees
 * when the program is left again, and has not stopped before. */
static bool run_program(unsigned i)
{
	uint32_t work;

	while ((work = atomic_load(&task_of(i)->work)) & (WORK_STOP | WORK_EXIT)) {
		if (work & WORK_EXIT)
			return false;
		process_stop_self();
	}
	in_program[i] = true;
	EXPLORE_CHECK(!told);
	in_program[i] = false;
	return true;
}

/* As leave_process() in exit.c. */
static void leave(unsigned i)
{
	struct task *t = task_of(i);

	lock_acquire(&process_tree_lock);
	EXPLORE_CHECK(process.tasks_to_stop <= TASKS);
	list_remove(&t->thread_link);
	if (--process.task_count == 0) {
		process_stop_ends_locked(&process);
		process.state = PROCESS_EXITING;
	} else if (process.stopped) {
		process_stop_excludes_locked(&process, t);
	}
	lock_release(&process_tree_lock);
}

/* As clone_thread() in fork.c. */
static void make_second(void)
{
	lock_acquire(&process_tree_lock);
	join_locked(1);
	if (process.stopped)
		process_stop_includes_locked(&process, task_of(1));
	lock_release(&process_tree_lock);
	started = true;
}

static bool has_started(void *unused)
{
	return started;
}

static bool is_told(void *unused)
{
	return told || process.task_count == 0;
}

static void stop(void)
{
	lock_acquire(&process_tree_lock);
	process_stop_locked(&process, SIGSTOP);
	lock_release(&process_tree_lock);
}

static void go_on(void)
{
	lock_acquire(&process_tree_lock);
	told = false;
	process_continue_locked(&process);
	lock_release(&process_tree_lock);
}

static void run_and_end(unsigned i)
{
	for (unsigned turn = 0; turn < TURNS && run_program(i); turn++)
		;
	leave(i);
}

static bool is_alone(void *unused)
{
	return process.task_count == 1;
}

/* As become_only_task() in exec.c, and end_tasks_locked() in exit.c. */
static void end_the_second(void)
{
	in_program[0] = true;
	lock_acquire(&process_tree_lock);
	if (process.task_count > 1) {
		task_notice_masked(task_of(1), WORK_EXIT);
		wake_all(&process.stop_wait, WAKE_ANY);
	}
	lock_release(&process_tree_lock);
	explore_wait(is_alone, NULL, "waits for the other to end");
	in_program[0] = false;
}

/* ---------------------------------------------------------------- the cases */

static void each_stop_is_told(unsigned cpu)
{
	if (cpu < TASKS) {
		run_and_end(cpu);
		return;
	}
	stop();
	explore_wait(is_told, NULL, "waits to be told");
	go_on();
}

/* The second stop finds tasks that have not left the first. */
static void the_second_is_told(unsigned cpu)
{
	if (cpu < TASKS) {
		run_and_end(cpu);
		return;
	}
	stop();
	go_on();
	stop();
	explore_wait(is_told, NULL, "waits to be told");
	go_on();
}

static void one_that_joins_stops(unsigned cpu)
{
	if (cpu == 0) {
		run_program(0);
		make_second();
		run_and_end(0);
	} else if (cpu == 1) {
		explore_wait(has_started, NULL, "waits to be made");
		EXPLORE_CHECK(atomic_load(&started)); /* and sees what was done before */
		in_program[1] = true; /* child_start() of fork.c writes the thread's id */
		in_program[1] = false;
		run_and_end(1);
	} else {
		stop();
		explore_wait(is_told, NULL, "waits to be told");
		go_on();
	}
}

/* It may have stopped already. */
static void one_ends_the_other(unsigned cpu)
{
	if (cpu == 0) {
		end_the_second();
		run_and_end(0);
	} else {
		each_stop_is_told(cpu);
	}
}

static void all_have_ended(void)
{
	cpus_check();
	EXPLORE_CHECK(process.task_count == 0 && !process.stopped && stops_told <= 2);
}

int main(void)
{
	static const struct explore_case cases[] = {
		{ "a_stop_is_told_when_all_have_stopped", 3, 2, 0, setup_both, each_stop_is_told,
		  all_have_ended, NULL },
		{ "a_second_stop_counts_all_again", 3, 2, 0, setup_both, the_second_is_told,
		  all_have_ended, NULL },
		{ "who_joins_a_stop_is_waited_for", 3, 2, 0, setup_one, one_that_joins_stops,
		  all_have_ended, NULL },
		{ "who_is_ended_in_a_stop_counts_once", 3, 2, 0, setup_both, one_ends_the_other,
		  all_have_ended, NULL },
	};

	return explore(cases, sizeof(cases) / sizeof(cases[0]));
}
