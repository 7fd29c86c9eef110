/* SPDX-License-Identifier: MIT */
/* sched_setscheduler, sched_setattr and their like: what is kept, refused, and inherited. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "in_child.h"
#include "sched_attr.h"
#include "test.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#define MS 1000000ull
#define RESET_ON_FORK 0x40000000

/* musl has wrappers of the same names that refuse. */
static int set_scheduler(pid_t pid, int policy, int priority)
{
	struct sched_param p = { .sched_priority = priority };

	return (int)syscall(SYS_sched_setscheduler, pid, policy, &p);
}

static int get_scheduler(pid_t pid)
{
	return (int)syscall(SYS_sched_getscheduler, pid);
}

static int set_attr(pid_t pid, const struct sched_attr *a)
{
	return (int)syscall(SYS_sched_setattr, pid, a, 0);
}

static int get_attr(pid_t pid, struct sched_attr *a)
{
	return (int)syscall(SYS_sched_getattr, pid, a, sizeof(*a), 0);
}

/* Linux's sched_deadline_period_max_us and _min_us. */
#define PERIOD_MAX ((1ull << 22) * 1000)
#define PERIOD_MIN (100ull * 1000)

static struct sched_attr deadline_attr(unsigned long long runtime, unsigned long long deadline,
				       unsigned long long period)
{
	return (struct sched_attr){ .size = sizeof(struct sched_attr), .sched_policy = SCHED_DEADLINE,
				    .sched_runtime = runtime, .sched_deadline = deadline,
				    .sched_period = period };
}

static void policies_are_kept(void)
{
	struct sched_param p = { 0 };

	CHECK_EQ(set_scheduler(0, SCHED_FIFO, 10), 0);
	CHECK_EQ(get_scheduler(0), SCHED_FIFO);
	CHECK_EQ(syscall(SYS_sched_getparam, 0, &p), 0);
	CHECK_EQ(p.sched_priority, 10);
	p.sched_priority = 20;
	CHECK_EQ(syscall(SYS_sched_setparam, 0, &p), 0);
	CHECK_EQ(set_scheduler(0, SCHED_RR, 99), 0);
	CHECK_EQ(get_scheduler(getpid()), SCHED_RR);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
	CHECK_EQ(get_scheduler(0), SCHED_OTHER);
}

static void only_those_who_take_turns_have_an_interval(void)
{
	struct sched_attr deadline = deadline_attr(1 * MS, 10 * MS, 10 * MS);
	struct timespec t;

	CHECK_EQ(set_scheduler(0, SCHED_RR, 10), 0);
	CHECK_EQ(sched_rr_get_interval(0, &t), 0);
	CHECK(t.tv_sec == 0 && t.tv_nsec > 0);
	CHECK_EQ(set_scheduler(0, SCHED_FIFO, 10), 0);
	CHECK_EQ(sched_rr_get_interval(0, &t), 0);
	CHECK(t.tv_sec == 0 && t.tv_nsec == 0);
	CHECK_EQ(set_attr(0, &deadline), 0);
	t.tv_nsec = 1;
	CHECK_EQ(sched_rr_get_interval(0, &t), 0);
	CHECK(t.tv_sec == 0 && t.tv_nsec == 0);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
}

static void priorities_out_of_range_are_refused(void)
{
	CHECK(set_scheduler(0, SCHED_FIFO, 0) == -1 && errno == EINVAL);
	CHECK(set_scheduler(0, SCHED_RR, 100) == -1 && errno == EINVAL);
	CHECK(set_scheduler(0, SCHED_OTHER, 1) == -1 && errno == EINVAL);
	CHECK(set_scheduler(0, 4, 0) == -1 && errno == EINVAL);
	CHECK(set_scheduler(0, SCHED_DEADLINE, 0) == -1 && errno == EINVAL);
	CHECK(set_scheduler(1 << 29, SCHED_OTHER, 0) == -1 && errno == ESRCH);
	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_EQ(sched_get_priority_max(SCHED_DEADLINE), 0);
}

static void attributes_come_back(void)
{
	struct sched_attr a = { .size = sizeof(a), .sched_policy = SCHED_BATCH, .sched_nice = 7,
				.sched_runtime = 5 * MS }, b = { 0 };

	CHECK_EQ(set_attr(0, &a), 0);
	CHECK_EQ(get_attr(0, &b), 0);
	CHECK(b.size == sizeof(b) && b.sched_policy == SCHED_BATCH && b.sched_nice == 7);
	CHECK_EQ(b.sched_runtime, 5 * MS);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
	/* A slice that is asked for lies between a tenth of a millisecond and a tenth of a second. */
	a.sched_runtime = 1;
	CHECK(set_attr(0, &a) == 0 && get_attr(0, &b) == 0 && b.sched_runtime == MS / 10);
	a.sched_runtime = 1ull << 40;
	CHECK(set_attr(0, &a) == 0 && get_attr(0, &b) == 0 && b.sched_runtime == 100 * MS);
	/* Keeping the policy, or the parameters. */
	a = (struct sched_attr){ .size = sizeof(a), .sched_flags = 0x18 };
	CHECK(set_attr(0, &a) == 0 && get_attr(0, &b) == 0);
	CHECK(b.sched_policy == SCHED_BATCH && b.sched_nice == 7);
	a = (struct sched_attr){ .size = sizeof(a) };
	CHECK_EQ(set_attr(0, &a), 0);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
}

static void attributes_of_other_sizes_are_read(void)
{
	struct { struct sched_attr a; char more[16]; } newer = { .a.size = sizeof(newer) };
	struct sched_attr a = { .size = 48 };

	CHECK_EQ(set_attr(0, &a), 0);
	CHECK_EQ(set_attr(0, &newer.a), 0);
	newer.more[3] = 1;
	CHECK(set_attr(0, &newer.a) == -1 && errno == E2BIG);
	a.size = 40;
	CHECK(set_attr(0, &a) == -1 && errno == E2BIG && a.size == sizeof(a));
	CHECK_EQ(syscall(SYS_sched_getattr, 0, &a, 48, 0), 0);
	CHECK_EQ(a.size, 48);
	CHECK(syscall(SYS_sched_getattr, 0, &a, 40, 0) == -1 && errno == EINVAL);
	a = (struct sched_attr){ .size = sizeof(a), .sched_flags = 1ull << 40 };
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
}

static void bad_pointers_are_refused(void)
{
	struct sched_attr *bad = (struct sched_attr *)8;

	CHECK(set_attr(0, bad) == -1 && errno == EFAULT);
	CHECK(get_attr(0, bad) == -1 && errno == EFAULT);
	CHECK(set_attr(0, NULL) == -1 && errno == EINVAL);
	CHECK(get_attr(0, NULL) == -1 && errno == EINVAL);
}

static void deadlines_are_checked_and_admitted(void)
{
	struct sched_attr a = deadline_attr(3 * MS, 10 * MS, 0), b = { 0 };
	int status;

	CHECK_EQ(set_attr(0, &a), 0);
	CHECK_EQ(get_attr(0, &b), 0);
	CHECK(b.sched_policy == SCHED_DEADLINE && b.sched_period == 10 * MS);
	/* Its bandwidth cannot be had twice. */
	CHECK(fork() == -1 && errno == EAGAIN);
	a.sched_flags = 1; /* reset on fork */
	CHECK_EQ(set_attr(0, &a), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(get_scheduler(0) != SCHED_OTHER);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
	/* All of a CPU for as long as may be: one alone has not so much to promise. */
	a = deadline_attr(PERIOD_MAX, PERIOD_MAX, PERIOD_MAX);
	CHECK_EQ(set_attr(0, &a) == 0, sysconf(_SC_NPROCESSORS_ONLN) > 1);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
	a = deadline_attr(1 * MS, 1 * MS, PERIOD_MAX + 1);
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
	a = deadline_attr(1 * MS, PERIOD_MAX + 1, 0);
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
	a = deadline_attr(1ull << 62, 1ull << 62, 1ull << 62);
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
	a = deadline_attr(10000, PERIOD_MIN - 1, PERIOD_MIN - 1);
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
	a = deadline_attr(10000, PERIOD_MIN, PERIOD_MIN);
	CHECK_EQ(set_attr(0, &a), 0);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);

	a = deadline_attr(11 * MS, 10 * MS, 10 * MS);
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
	a = deadline_attr(5 * MS, 10 * MS, 8 * MS);
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
	a = deadline_attr(100, 10 * MS, 10 * MS);
	CHECK(set_attr(0, &a) == -1 && errno == EINVAL);
}

/* As many children as there are CPUs may have 90% of one each, and no more. */
static void no_more_bandwidth_is_promised_than_there_is(void)
{
	struct sched_attr a = deadline_attr(9 * MS, 10 * MS, 10 * MS);
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), hold[2], told[2], refused = 0;
	char answer;

	CHECK(pipe(hold) == 0 && pipe(told) == 0);
	for (int i = 0; i <= cpus; i++) {
		if (fork() == 0) {
			close(hold[1]);
			answer = set_attr(0, &a) == 0 ? 'y' : errno == EBUSY ? 'n' : '?';
			if (write(told[1], &answer, 1) != 1 || read(hold[0], &answer, 1) != 0)
				_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i <= cpus; i++) {
		CHECK_EQ(read(told[0], &answer, 1), 1);
		CHECK(answer == 'y' || answer == 'n');
		refused += answer == 'n';
	}
	close(hold[1]);
	close(hold[0]);
	for (int i = 0; i <= cpus; i++)
		wait(NULL);
	close(told[0]);
	close(told[1]);
	/* (n + 1) * 90% > n * 95%, if n < 18. */
	CHECK_EQ(refused, 1);
	/* What the ended had is free again. */
	CHECK_EQ(set_attr(0, &a), 0);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
}

static void children_inherit_or_are_reset(void)
{
	int status;

	CHECK_EQ(set_scheduler(0, SCHED_RR, 5), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(get_scheduler(0) != SCHED_RR);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(set_scheduler(0, SCHED_RR | RESET_ON_FORK, 5), 0);
	CHECK_EQ(get_scheduler(0), SCHED_RR | RESET_ON_FORK);
	child = fork();
	if (child == 0)
		_exit(get_scheduler(0) != SCHED_OTHER);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	/* What is not more than others have is kept. */
	CHECK_EQ(set_scheduler(0, SCHED_BATCH | RESET_ON_FORK, 0), 0);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 3), 0);
	child = fork();
	if (child == 0)
		_exit(get_scheduler(0) != SCHED_BATCH || getpriority(PRIO_PROCESS, 0) != 3);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, -3), 0);
	child = fork();
	if (child == 0)
		_exit(get_scheduler(0) != SCHED_BATCH || getpriority(PRIO_PROCESS, 0) != 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 0), 0);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
}

static void only_root_raises_itself_and_others_tasks(void)
{
	struct sched_attr deadline = deadline_attr(MS, 10 * MS, 10 * MS), nicer = { .size = 56 };
	cpu_set_t all;
	int status;
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		nicer.sched_nice = -1;
		sched_getaffinity(0, sizeof(all), &all);
		_exit(setuid(1000) != 0 ? 1 : set_scheduler(0, SCHED_FIFO, 1) != -1 || errno != EPERM ? 2 :
		      set_attr(0, &deadline) != -1 || errno != EPERM ? 3 :
		      set_attr(0, &nicer) != -1 || errno != EPERM ? 4 :
		      set_scheduler(parent, SCHED_BATCH, 0) != -1 || errno != EPERM ? 5 :
		      sched_setaffinity(parent, sizeof(all), &all) != -1 || errno != EPERM ? 6 :
		      set_scheduler(0, SCHED_IDLE, 0) != 0 ? 7 : 0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 0);
}

static atomic_int spin_stop;
static atomic_long spins;

static void *spin(void *unused)
{
	while (!spin_stop)
		atomic_fetch_add(&spins, 1);
	return unused;
}

/* The other one runs, waits or sleeps when its parameters change. */
static void tasks_in_every_state_are_changed(void)
{
	pthread_t threads[6];
	pid_t ids[2] = { getpid(), getppid() };
	struct sched_attr a = { .size = sizeof(a) };
	/* On one CPU each change may come when all the others have had their slices. */
	int rounds = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 400 : 80;

	spin_stop = 0;
	spins = 0;
	/* All threads, and nobody else who counts, are the group. */
	CHECK(setpgid(0, 0) == 0 || getpgid(0) == getpid());
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, spin, NULL), 0);
	for (int i = 0; i < rounds; i++) {
		a.sched_policy = i % 3 ? SCHED_OTHER : SCHED_BATCH;
		a.sched_nice = i % 2;
		for (int at = 0; at < 2; at++)
			CHECK_EQ(set_attr(ids[at], &a), 0);
		CHECK_EQ(setpriority(PRIO_PGRP, 0, i % 7), 0);
	}
	long before = spins;
	while (spins == before)
		usleep(1000);
	spin_stop = 1;
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	a = (struct sched_attr){ .size = sizeof(a) };
	for (int at = 0; at < 2; at++)
		CHECK_EQ(set_attr(ids[at], &a), 0);
}

/* A group of two, of which one has ended: the other is changed, and that is no error. */
static int renice_a_group(void)
{
	siginfo_t info;
	pid_t zombie;

	setpgid(0, 0);
	zombie = fork();
	if (zombie == 0)
		_exit(0);
	if (waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT) != 0)
		return 1;
	if (setpriority(PRIO_PGRP, 0, 3) != 0)
		return 2;
	return getpriority(PRIO_PROCESS, 0) == 3 ? 0 : 3;
}

static void zombies_do_not_spoil_a_group(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(renice_a_group());
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

/* ---- by the id of one that has ended */

static const char *self;

/* As of any other: 0, or what was wrong. */
static int is_asked_and_set(pid_t pid)
{
	struct sched_attr attr = { 0 };
	unsigned long mask[16] = { 0 };
	struct timespec interval;
	long size = syscall(SYS_sched_getaffinity, pid, sizeof(mask), mask);

	if (size <= 0 || syscall(SYS_sched_setaffinity, pid, size, mask) != 0)
		return 1;
	if (get_scheduler(pid) != SCHED_OTHER || set_scheduler(pid, SCHED_BATCH, 0) != 0 ||
	    get_scheduler(pid) != SCHED_BATCH)
		return 2;
	if (setpriority(PRIO_PROCESS, (id_t)pid, 7) != 0 || getpriority(PRIO_PROCESS, (id_t)pid) != 7)
		return 3;
	if (get_attr(pid, &attr) != 0 || attr.sched_nice != 7 || attr.sched_policy != SCHED_BATCH)
		return 4;
	attr.sched_nice = 8;
	if (set_attr(pid, &attr) != 0 || getpriority(PRIO_PROCESS, (id_t)pid) != 8)
		return 5;
	return sched_rr_get_interval(pid, &interval) != 0 ? 6 : 0;
}

/* His own, but not beyond his limits; and no longer when it is another's. */
static int is_set_by_its_user(pid_t pid)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_RTPRIO, &none) != 0 || setresuid(1000, 1000, 1000) != 0)
		return 7;
	if (setpriority(PRIO_PROCESS, (id_t)pid, 9) != -1 || errno != EPERM)
		return 8;
	return set_scheduler(pid, SCHED_BATCH, 0) != -1 || errno != EPERM ? 9 : 0;
}

static int schedules_a_zombie(void)
{
	siginfo_t info;
	pid_t child = fork();
	int r;

	if (child == 0)
		_exit(0);
	if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0)
		return 10;
	r = is_asked_and_set(child);
	if (r == 0)
		r = is_set_by_its_user(child);
	if (waitpid(child, NULL, 0) != child)
		return 11;
	return r == 0 && (getpriority(PRIO_PROCESS, (id_t)child) != -1 || errno != ESRCH) ? 12 : r;
}

static int schedules_its_zombie(void)
{
	struct rlimit none = { 0, 0 };
	siginfo_t info;
	pid_t child;

	if (setrlimit(RLIMIT_RTPRIO, &none) != 0 || setrlimit(RLIMIT_NICE, &none) != 0 ||
	    setresuid(1000, 1000, 1000) != 0)
		return 13;
	child = fork();
	if (child == 0)
		_exit(0);
	if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0)
		return 14;
	if (setpriority(PRIO_PROCESS, (id_t)child, 6) != 0 ||
	    setpriority(PRIO_PROCESS, (id_t)child, 5) != -1 || errno != EACCES)
		return 15;
	return set_scheduler(child, SCHED_FIFO, 1) != -1 || errno != EPERM ? 16 : 0;
}

/* Until the main thread is seen to have ended. */
static void *judges_the_main_thread(void *unused)
{
	char path[64], state = 0;
	FILE *f;

	while (state != 'Z') {
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
		f = fopen(path, "r");
		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			_exit(17);
		fclose(f);
	}
	_exit(is_asked_and_set(getpid()));
}

static int ends_its_main_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, judges_the_main_thread, NULL) != 0)
		return 18;
	pthread_exit(NULL);
}

static void *executes(void *unused)
{
	execl(self, self, "main thread ends", NULL);
	_exit(19);
}

/* The thread that executes becomes the main one, which ends then. */
static int executes_in_another_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, executes, NULL) != 0)
		return 20;
	for (;;)
		pause();
}

static void who_has_ended_can_be_asked_and_set(void)
{
	CHECK_EQ(in_child(schedules_a_zombie), 0);
	CHECK_EQ(in_child(schedules_its_zombie), 0);
	CHECK_EQ(in_child(ends_its_main_thread), 0);
	CHECK_EQ(in_child(executes_in_another_thread), 0);
}

int main(int argc, char **argv)
{
	self = (const char *)getauxval(AT_EXECFN);
	if (argc > 1)
		return ends_its_main_thread();
	RUN(policies_are_kept);
	RUN(only_those_who_take_turns_have_an_interval);
	RUN(priorities_out_of_range_are_refused);
	RUN(attributes_come_back);
	RUN(attributes_of_other_sizes_are_read);
	RUN(bad_pointers_are_refused);
	RUN(deadlines_are_checked_and_admitted);
	RUN(no_more_bandwidth_is_promised_than_there_is);
	RUN(children_inherit_or_are_reset);
	RUN(only_root_raises_itself_and_others_tasks);
	RUN(zombies_do_not_spoil_a_group);
	RUN(who_has_ended_can_be_asked_and_set);
	RUN(tasks_in_every_state_are_changed);
	return test_result();
}
