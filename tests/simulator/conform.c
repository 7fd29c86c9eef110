/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: what every scheduler library must do right, whatever its policy is.
 *
 * Each case is a process of its own, so that one which dies costs no other.  A case runs work with
 * the checks of library.c; at its end every task must have ended.
 */
#include "conform.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "library.h"
#include "machine.h"

#define IDLE_NS SCHED_MS(200) /* while others wait: a thief would have got something */
#define FAILED_MAX 3              /* cases: what else fails has the same cause, most likely */
#define END_NS SCHED_MS(600000)   /* of any case: only what is lost is not done by then */

static const struct sched_ops *ops;

/* ---- what the cases share */

static void start(int cpus, const char *text, uint64_t seed)
{
	work_read_text("built-in work", text);
	machine_start(cpus, ops, seed);
	work_add_all();
}

static void finish(uint64_t until_ns)
{
	machine.patience = true;
	machine_run(until_ns);
	for (struct sim_task *t = sim_first(); t; t = sim_next(t))
		library_is_wrong("task %s has not ended after %.0f ms: it is lost", t->t.name,
				 (double)machine.now_ns / 1e6);
	library_stop(SCHED_EXIT_SWAPPED);
}

/* A task that waits elsewhere and that `idle` may run, or NULL. */
static struct sim_task *waits_for(int idle)
{
	for (int cpu = 0; cpu < machine.cpus; cpu++)
		for (struct sim_task *t = machine.cpu[cpu].ready_first; t; t = t->ready_next)
			if (sim_allowed(t, idle))
				return t;
	return NULL;
}

/* At each event: no CPU has nothing to do for long while there are tasks for it all the time. */
static void no_cpu_is_idle_for_nothing(void)
{
	static uint64_t since_ns[SIM_CPUS_MAX];
	struct sim_task *t;

	if (ops->flags & SCHED_PARTITIONED)
		return;
	for (int cpu = 0; cpu < machine.cpus; cpu++) {
		t = machine.cpu[cpu].current ? NULL : waits_for(cpu);
		if (!t)
			since_ns[cpu] = SIM_NEVER;
		else if (since_ns[cpu] == SIM_NEVER)
			since_ns[cpu] = machine.now_ns;
		else if (machine.now_ns - since_ns[cpu] > IDLE_NS)
			library_is_wrong("CPU %d is idle for %.0f ms, though task %s waits on CPU %d: "
					 "steal() gave it none", cpu,
					 (double)(machine.now_ns - since_ns[cpu]) / 1e6, t->t.name,
					 t->cpu);
	}
}

/* Any task, each as likely. */
static struct sim_task *any_task(void)
{
	uint64_t n = machine.live ? machine_random() % machine.live : 0;
	struct sim_task *t = sim_first();

	while (t && n--)
		t = sim_next(t);
	return t;
}

/* Some of everything. */
static const char mixed[] =
	"task short*12 every=1ms: run 50us..2ms; sleep 0.1ms..8ms; repeat 40\n"
	"task long*5: run 20ms..60ms; repeat 4\n"
	"task yields*3 at=3ms: run 10us..1ms; yield; repeat 60\n"
	"task reader*3: wait box; run 10us..300us; repeat 80\n"
	"task writer*3: run 20us..200us; hand box; sleep 1us..400us; repeat 80\n"
	"work leaf: run 0.1ms..3ms\n"
	"task parent*2 at=10ms: spawn leaf; spawn leaf; run 1ms; spawn leaf; join; repeat 15\n";

/* ---- the cases */

static void starts_with_any_number_of_cpus(void)
{
	static const int counts[] = { 1, 2, 3, SCHED_CPUS_MAX };

	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		machine_start(counts[i], ops, 1);
		library_stop(SCHED_EXIT_SWAPPED);
	}
}

static void one_task_runs(void)
{
	start(1, "task one: run 5ms; sleep 3ms; repeat 3\n", 1);
	finish(END_NS);
}

static void mixed_work_ends_on_one_cpu(void)
{
	start(1, mixed, 2);
	finish(END_NS);
}

static void mixed_work_ends_on_four_cpus(void)
{
	start(4, mixed, 3);
	machine.hook = no_cpu_is_idle_for_nothing;
	finish(END_NS);
}

static void mixed_work_ends_on_many_cpus(void)
{
	start(SCHED_CPUS_MAX, mixed, 4);
	finish(END_NS);
}

static void a_thousand_tasks_end(void)
{
	start(8, "task many*1000 every=20us: run 10us..400us; sleep 0.1ms..2ms; repeat 5\n", 5);
	finish(END_NS);
}

static void spinning_tasks_starve_nobody(void)
{
	start(2, "task spins*7: run 4s\n"
		 "task sleeps*4: run 1ms; sleep 5ms; repeat 300\n", 6);
	finish(END_NS);
}

/* Two that wake each other on a CPU: whoever comes first each time must not be first for ever. */
static void tasks_that_wake_each_other_starve_nobody(void)
{
	start(1, "task ping: wait b; run 100us; post a; repeat 100000\n"
		 "task pong: post b; run 100us; wait a; repeat 100000\n"
		 "task third*2: run 1s\n", 7);
	finish(END_NS);
}

/* No slice ends while nobody waits: what it used meanwhile is charged to it when somebody comes. */
static void who_was_alone_does_not_wait_as_long(void)
{
	start(1, "task alone: run 100s\n"
		 "task comes*2 at=60s: run 20s\n", 17);
	finish(END_NS);
}

static void new_tasks_starve_nobody(void)
{
	start(1, "work child: run 200us\n"
		 "task parent: spawn child; run 200us; join; repeat 60000\n"
		 "task third: run 1s\n", 8);
	finish(END_NS);
}

/* At first all CPUs are busy; then one has nothing, and the other one two. */
static void idle_cpus_are_given_work(void)
{
	start(2, "task first*2: run 50ms\n"
		 "task long*3 at=1ms: run 3s\n", 15);
	machine.hook = no_cpu_is_idle_for_nothing;
	finish(END_NS);
}

static void divided_work_ends(void)
{
	start(8, "work half: spawn half below 9; spawn half below 9; run 20us..60us; join\n"
		 "task whole: spawn half; join\n", 9);
	finish(END_NS);
}

/* Each event may move a task to other CPUs, whatever it does at that moment. */
static void change_affinity(void)
{
	struct sim_task *t = any_task();

	no_cpu_is_idle_for_nothing();
	if (!t || machine_random() % 4)
		return;
	t->t.affinity = machine_random() % 3 ? machine_random() % 15 + 1 : ~0ul;
	machine_changed(t, 1u << SCHED_PARAM_AFFINITY);
}

static void affinities_may_change_at_any_time(void)
{
	start(4, mixed, 10);
	machine.hook = change_affinity;
	finish(END_NS);
}

static void set_policy(struct sim_task *t, int policy)
{
	t->t.policy = policy;
	t->t.rt_priority = policy == SCHED_POLICY_FIFO || policy == SCHED_POLICY_RR ?
			   1 + (int)(machine_random() % 99) : 0;
	t->t.period_ns = t->t.deadline_ns = t->t.runtime_ns = 0;
	if (policy == SCHED_POLICY_DEADLINE) {
		t->t.period_ns = SCHED_US(1000 + machine_random() % 50000);
		t->t.deadline_ns = t->t.period_ns - machine_random() % (t->t.period_ns / 2);
		t->t.runtime_ns = t->t.deadline_ns / (1 + machine_random() % 40);
	} else if (machine_random() % 2) {
		t->t.runtime_ns = SCHED_US(100 + machine_random() % 99900);
	}
	machine_changed(t, (1u << SCHED_PARAMS) - 1);
}

static void change_parameters(void)
{
	static const int policies[] = { 0, 0, 1, 2, 3, 5, 6 };
	struct sim_task *t = any_task();

	if (!t || machine_random() % 5)
		return;
	if (machine_random() % 2) {
		t->t.nice = (int)(machine_random() % 40) - 20;
		machine_changed(t, 1u << SCHED_PARAM_NICE);
	} else {
		set_policy(t, policies[machine_random() % 7]);
	}
}

static void parameters_may_change_at_any_time(void)
{
	start(3, mixed, 11);
	machine.hook = change_parameters;
	finish(END_NS);
}

static void give_and_charge(void)
{
	struct sim_task *t = any_task();

	if (machine_random() % 3 == 0)
		machine_charge(machine.this_cpu);
	if (t && t->state == SIM_QUEUED && t->cpu == machine.this_cpu)
		machine_give(t);
}

static void slices_may_be_given_away(void)
{
	start(2, mixed, 12);
	machine.hook = give_and_charge;
	finish(END_NS);
}

static void swap_now_and_then(void)
{
	if (machine_random() % 50 == 0)
		machine_swap();
	change_affinity();
}

static void it_may_be_swapped_at_any_time(void)
{
	start(4, mixed, 13);
	machine.hook = swap_now_and_then;
	finish(END_NS);
}

static void dump_now_and_then(void)
{
	if (machine_random() % 20 == 0)
		library_dump((int)(machine_random() % (uint64_t)machine.cpus));
}

static void its_dump_changes_nothing(void)
{
	start(2, mixed, 14);
	machine.hook = dump_now_and_then;
	finish(END_NS);
}

/* ---- running them */

#define CASE(name) { #name, name }
static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	CASE(starts_with_any_number_of_cpus),
	CASE(one_task_runs),
	CASE(mixed_work_ends_on_one_cpu),
	CASE(mixed_work_ends_on_four_cpus),
	CASE(mixed_work_ends_on_many_cpus),
	CASE(a_thousand_tasks_end),
	CASE(spinning_tasks_starve_nobody),
	CASE(tasks_that_wake_each_other_starve_nobody),
	CASE(who_was_alone_does_not_wait_as_long),
	CASE(new_tasks_starve_nobody),
	CASE(idle_cpus_are_given_work),
	CASE(divided_work_ends),
	CASE(affinities_may_change_at_any_time),
	CASE(parameters_may_change_at_any_time),
	CASE(slices_may_be_given_away),
	CASE(it_may_be_swapped_at_any_time),
	CASE(its_dump_changes_nothing),
};

static int run_case(unsigned i)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		library_case = cases[i].name;
		library_watch();
		cases[i].run();
		printf("ok %s\n", cases[i].name);
		exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	if (WIFSIGNALED(status))
		printf("not ok %s: ended by signal %d\n", cases[i].name, WTERMSIG(status));
	return status;
}

int conform(const struct sched_ops *library)
{
	const unsigned count = sizeof(cases) / sizeof(cases[0]);
	unsigned i, failed = 0;

	ops = library;
	for (i = 0; i < count && failed < FAILED_MAX; i++)
		failed += run_case(i) != 0;
	if (i < count)
		printf("# stopped after %u failures, %u cases not run\n", failed, count - i);
	return failed != 0;
}
