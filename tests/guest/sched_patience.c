/* SPDX-License-Identifier: MIT */
/*
 * For how long a library may let a task wait: what it starves is noticed wherever it moves that, and what it
 * has refused to know it is not blamed for, as the core runs that itself.  How long that is by weights and
 * slices is tests/unit/stall_test.c's, and in the system tests/guest/shares.c's.
 *
 * The libraries have half a second.  What takes how long is measured in the time that a task is granted.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include "test.h"
#include "test_library.h"

#define CHILDREN_MAX 4
#define ENOUGH_NS 8000000000ll /* that one computes, which is far more than half a second and some turns */
#define ROUNDS 200000l

static struct shared {
	atomic_bool stop;
	atomic_int ready;
	atomic_long rounds[CHILDREN_MAX];
} *shared;

static pid_t children[CHILDREN_MAX];

/* Computes with this nice value on these CPUs. */
static void start(int i, int nice, unsigned cpus)
{
	cpu_set_t set;

	children[i] = fork();
	if (children[i])
		return;
	CPU_ZERO(&set);
	for (int cpu = 0; cpu < 2; cpu++)
		if (cpus >> cpu & 1)
			CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0 || setpriority(PRIO_PROCESS, 0, nice) != 0)
		_exit(1);
	shared->ready++;
	while (!shared->stop)
		shared->rounds[i]++;
	_exit(0);
}

static void wait_until_ready(int count)
{
	while (shared->ready < count)
		usleep(1000);
}

static long long used_ns(int i)
{
	struct timespec t = { 0 };
	clockid_t clock;

	CHECK_EQ(clock_getcpuclockid(children[i], &clock), 0);
	CHECK_EQ(clock_gettime(clock, &t), 0);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void stop_all(int count)
{
	int status;

	shared->stop = true;
	for (int i = 0; i < count; i++)
		CHECK(waitpid(children[i], &status, 0) == children[i] && status == 0);
}

/* Of `count` that compute one has to wait for ever: the library is ejected; also if that one, which is child 1
 * then, has its nice value changed meanwhile. */
static void is_found_out(int count, bool changed)
{
	long long until_ns = used_ns(0) + ENOUGH_NS;

	CHECK_EQ(use("passes_on"), 0);
	for (int n = 0; is_in_force("passes_on") && used_ns(0) < until_ns; n++) {
		if (changed)
			CHECK_EQ(setpriority(PRIO_PROCESS, (id_t)children[1], 5 + n % 2), 0);
		usleep(10000);
	}
	int is_ejected = is_in_force("fifo");

	CHECK_EQ(stop_using("passes_on"), 1); /* it was not in force any more */
	stop_all(count);
	CHECK(is_ejected);
}

/* Two CPUs with one task each that computes, and a third task, which goes where none waits. */
static void a_task_that_is_passed_on_for_ever_is_starved(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	*shared = (struct shared){ 0 };
	start(0, 0, 1);
	start(1, 0, 2);
	start(2, 5, 3);
	wait_until_ready(3);
	is_found_out(3, false);
}

/* However often somebody changes what it is. */
static void a_task_that_is_changed_again_and_again_is_starved(void)
{
	*shared = (struct shared){ 0 };
	start(0, 0, 1);
	start(1, 5, 1);
	wait_until_ready(2);
	is_found_out(2, true);
}

/* Beside one that it runs all the time. */
static void who_is_refused_runs_all_the_same(void)
{
	*shared = (struct shared){ 0 };
	start(0, 0, 1);
	start(1, 5, 1);
	wait_until_ready(2);
	long long until_ns = used_ns(0) + ENOUGH_NS;

	CHECK_EQ(use("choosy"), 0);
	long then = shared->rounds[1];

	while (is_in_force("choosy") && shared->rounds[1] < then + ROUNDS && used_ns(0) < until_ns)
		usleep(10000);
	long ran = shared->rounds[1] - then;
	int is_blameless = is_in_force("choosy");

	CHECK_EQ(stop_using("choosy"), 0);
	stop_all(2);
	CHECK(is_blameless);
	CHECK(ran >= ROUNDS);
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || access("/proc/exo", F_OK) != 0)
		return shared == MAP_FAILED;
	RUN(a_task_that_is_passed_on_for_ever_is_starved);
	RUN(a_task_that_is_changed_again_and_again_is_starved);
	RUN(who_is_refused_runs_all_the_same);
	return test_result();
}
