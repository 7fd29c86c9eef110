/* SPDX-License-Identifier: MIT */
/*
 * What scheduler libraries promise, measured in the system: shares by weight, budgets, priorities.
 *
 * Everything happens on CPU 0, and what is compared is CPU time, within one run: however slow or busy
 * the host is, both sides are measured with the same clock that the library is told of.  A host that
 * takes the CPU away for long stretches time that one task seems to have used, though.  So a ratio
 * must come near what it should be, within a third, after some attempts, which are added up: a library
 * that shares in another way never gets there.  Lottery does not make up for what chance or the host
 * does, and is given more room.  tests/script/exact_shares.py and the simulator show the exact numbers.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sched_attr.h"
#include "scheduler_files.h"
#include "test.h"

#define MS 1000000ll
#define ATTEMPTS 8
#define NEAR 1.34
#define NEAR_BY_CHANCE 1.7 /* alike would be 1.95 away */
#define TASKS_MAX 4

static struct shared {
	atomic_int ready, go, stop, wrong;
	atomic_long spins[TASKS_MAX];
	long long used_ns[TASKS_MAX];
} *shared;

static char before[32];

static int put_in_force(const char *name)
{
	int fd = open("/proc/exo/sched", O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, name, strlen(name));

	close(fd);
	return n == (ssize_t)strlen(name) ? 0 : -1;
}

static void remember_library(void)
{
	char text[512] = "", *name;
	int fd = open("/proc/exo/sched", O_RDONLY);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && (name = strchr(text, '[')))
		snprintf(before, sizeof(before), "%s", strtok(name + 1, "]"));
	close(fd);
}

static long long used_on(clockid_t clock)
{
	struct timespec t = { 0 };

	CHECK_EQ(clock_gettime(clock, &t), 0);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static long long used_ns(void)
{
	return used_on(CLOCK_PROCESS_CPUTIME_ID);
}

static int set_attr(struct sched_attr a)
{
	a.size = sizeof(a);
	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

static void begin(void)
{
	memset(shared, 0, sizeof(*shared));
}

/* A child on CPU 0 with these attributes, that runs `body` when all are there. */
static pid_t start(int i, struct sched_attr a, void (*body)(int i))
{
	cpu_set_t first;
	pid_t child = fork();

	if (child)
		return child;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) != 0 || set_attr(a) != 0)
		shared->wrong = 1;
	shared->ready++;
	while (!shared->go)
		usleep(1000);
	body(i);
	_exit(0);
}

static void run_all(const pid_t *children, int n)
{
	while (shared->ready < n)
		usleep(1000);
	shared->go = 1;
	for (int i = 0; i < n; i++)
		waitpid(children[i], NULL, 0);
}

/* ---- shares */

#define FIRST_USES_NS (400 * MS) /* at the first attempt, and twice as much at each other */
#define SHARES_ATTEMPTS 5

static long long first_uses_ns;

/* Until the first one has had its time. */
static void spin(int i)
{
	long long start_ns = used_ns();

	while (!shared->stop) {
		for (int n = 0; n < 1000; n++)
			atomic_fetch_add_explicit(&shared->spins[i], 1, memory_order_relaxed);
		shared->used_ns[i] = used_ns() - start_ns;
		if (i == 0 && shared->used_ns[0] >= first_uses_ns)
			shared->stop = 1;
	}
}

static int is_near(double value, double wanted, double near)
{
	return value > wanted / near && value < wanted * near;
}

/* Nice 0, 3 and 8 weigh 1024, 524 and 172. */
static int shares_are_by_weight(double near)
{
	static const int nice[] = { 0, 3, 8 };
	static const double weight[] = { 1024, 524, 172 };
	pid_t child[3];

	begin();
	for (int i = 0; i < 3; i++)
		child[i] = start(i, (struct sched_attr){ .sched_nice = nice[i] }, spin);
	run_all(child, 3);
	const long long *used = shared->used_ns;

	printf("# %lld, %lld and %lld ms\n", used[0] / MS, used[1] / MS, used[2] / MS);
	for (int i = 1; i < 3; i++)
		if (!is_near((double)used[0] / (double)(used[i] + 1), weight[0] / weight[i], near))
			return 0;
	return !shared->wrong;
}

static void check_shares(const char *library, double near)
{
	int good = 0;

	CHECK_EQ(put_in_force(library), 0);
	/* What the host takes away in the middle of a slice weighs less, the longer it is looked at. */
	first_uses_ns = FIRST_USES_NS;
	for (int i = 0; i < SHARES_ATTEMPTS && !good; i++, first_uses_ns *= 2)
		good = shares_are_by_weight(near);
	CHECK_EQ(put_in_force(before), 0);
	CHECK(good);
}

static void stride_gives_shares_by_weight(void)
{
	check_shares("stride", NEAR);
}

static void lottery_gives_shares_by_weight(void)
{
	check_shares("lottery", NEAR_BY_CHANCE);
}

static void fair_gives_shares_by_weight(void)
{
	check_shares("fair", NEAR);
}

/* ---- patience */

#define LONG_SLICES "stride slice_us 100000"
#define USUAL_SLICES "stride slice_us 2000"
#define SPINNERS 4
#define LONGER_THAN_ANYBODY_WAITS_S 12 /* of their CPU: 10 s, and 50 ms for each that is queued */

static void spin_till_told(int i)
{
	while (!shared->stop)
		shared->spins[i]++;
}

/* What all of them have used: each takes its part. */
static long long used_by_all_ns(pid_t one_of_them)
{
	clockid_t clock;

	CHECK_EQ(clock_getcpuclockid(one_of_them, &clock), 0);
	return used_on(clock) * SPINNERS;
}

/* SCHED_IDLE counts 3 where others count 1024: beside four, its turns are 136 s apart.  How many other CPUs
 * there are has no part in it.  It takes twelve seconds: so only where there are some. */
static void no_library_is_ejected_for_who_counts_little(void)
{
	pid_t child[SPINNERS + 1];
	char name[NAME_ROOM];

	if (sysconf(_SC_NPROCESSORS_ONLN) != 2)
		return;
	CHECK_EQ(put_in_force("stride"), 0);
	CHECK_EQ(tell("sched-param", LONG_SLICES), 0);
	begin();
	child[0] = start(0, (struct sched_attr){ .sched_policy = 5 }, spin_till_told);
	for (int i = 1; i <= SPINNERS; i++)
		child[i] = start(i % TASKS_MAX, (struct sched_attr){ 0 }, spin_till_told);
	while (shared->ready <= SPINNERS)
		usleep(1000);
	shared->go = 1;
	while (used_by_all_ns(child[1]) < LONGER_THAN_ANYBODY_WAITS_S * 1000 * MS)
		usleep(10000);
	current_scheduler(name);
	CHECK_EQ(tell("sched-param", USUAL_SLICES), 0);
	CHECK_EQ(put_in_force(before), 0); /* not stride's turn first, for the one to hear that it is over */
	shared->stop = 1;
	for (int i = 0; i <= SPINNERS; i++)
		waitpid(child[i], NULL, 0);
	CHECK(!shared->wrong);
	CHECK(strcmp(name, "stride") == 0);
}

/* ---- budgets */

/* One that asked for 30% and takes what it can get, beside one that takes what is left. */
static int a_budget_is_a_bound(long long sum[2])
{
	/* Long periods: what a host takes away in one stretch is then no large part of a budget. */
	struct sched_attr budget = { .sched_policy = 6, .sched_runtime = 30 * MS,
				     .sched_deadline = 100 * MS, .sched_period = 100 * MS };
	pid_t child[2];

	begin();
	child[0] = start(0, (struct sched_attr){ 0 }, spin);
	child[1] = start(1, budget, spin);
	run_all(child, 2);
	sum[0] += shared->used_ns[0];
	sum[1] += shared->used_ns[1];
	printf("# in all %lld and %lld ms\n", sum[0] / MS, sum[1] / MS);
	return !shared->wrong && is_near((double)sum[0] / (double)(sum[1] + 1), 7.0 / 3, NEAR);
}

static void edf_gives_what_was_asked_for_and_no_more(void)
{
	long long sum[2] = { 0 };
	int good = 0;

	CHECK_EQ(put_in_force("edf"), 0);
	for (int i = 0; i < ATTEMPTS && !good; i++)
		good = a_budget_is_a_bound(sum);
	CHECK_EQ(put_in_force(before), 0);
	CHECK(good);
}

/* ---- priorities: exact, on any host */

static void spin_until_stopped(int i)
{
	while (!shared->stop)
		shared->spins[i]++;
}

/* While it is ready, nobody less urgent runs here. */
static void be_urgent(int i)
{
	struct sched_param p = { .sched_priority = 50 };
	long long end_ns;
	long seen;

	while (!shared->spins[0])
		usleep(1000);
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p) != 0)
		shared->wrong = 1;
	seen = shared->spins[0];
	end_ns = used_ns() + 100 * MS;
	while (used_ns() < end_ns)
		shared->spins[i]++;
	shared->wrong |= shared->spins[0] != seen;
	shared->stop = 1;
}

static void fifo_tasks_leave_nothing_to_others(void)
{
	pid_t child[2];

	CHECK_EQ(put_in_force("prio"), 0);
	begin();
	child[0] = start(0, (struct sched_attr){ 0 }, spin_until_stopped);
	child[1] = start(1, (struct sched_attr){ 0 }, be_urgent);
	run_all(child, 2);
	CHECK_EQ(put_in_force(before), 0);
	CHECK(shared->spins[1] > 0);
	CHECK_EQ(shared->wrong, 0);
}

/* Two of the same priority: each sees the other one go on some times, and the third one never. */
static void take_turns(int i)
{
	long third, mine;

	/* The first of them to come here is alone with the third until the other one is urgent, too. */
	shared->spins[i] = 1;
	while (!shared->spins[3 - i])
		;
	third = shared->spins[0];
	for (int turns = 0; turns < 10; turns++) {
		mine = shared->spins[3 - i];
		while (shared->spins[3 - i] == mine && !shared->stop)
			shared->spins[i]++;
	}
	shared->wrong |= shared->spins[0] != third;
	shared->stop = 1;
}

static void rr_tasks_take_turns_and_leave_nothing_to_others(void)
{
	struct sched_attr urgent = { .sched_policy = SCHED_RR, .sched_priority = 7 };
	pid_t child[3];

	CHECK_EQ(put_in_force("prio"), 0);
	begin();
	child[0] = start(0, (struct sched_attr){ 0 }, spin_until_stopped);
	for (int i = 1; i < 3; i++)
		child[i] = start(i, urgent, take_turns);
	run_all(child, 3);
	CHECK_EQ(put_in_force(before), 0);
	CHECK_EQ(shared->wrong, 0);
}

#define GIFTS 20

static int bytes[3][2]; /* a pipe to each of them */

/* Says each time that it is here. */
static void answer(int i)
{
	cpu_set_t second;
	char byte;

	CPU_ZERO(&second);
	CPU_SET(1, &second);
	if (i == 1 && sched_setaffinity(0, sizeof(second), &second) != 0)
		shared->wrong = 1;
	shared->ready++;
	for (int n = 0; n < GIFTS; n++) {
		if (read(bytes[i][0], &byte, 1) != 1)
			shared->wrong = 1;
		shared->spins[i]++;
	}
}

/* Gives its slice to a task on the other CPU, which answers; then wakes one here of the same priority, which
 * must not run before we sleep. */
static void give_and_go_on(int i)
{
	while (shared->ready < 3 + 2)
		usleep(1000);
	for (int n = 0; n < GIFTS; n++) {
		long long end_ns;

		shared->wrong |= write(bytes[1][1], "", 1) != 1;
		while (shared->spins[1] == n)
			;
		shared->wrong |= write(bytes[2][1], "", 1) != 1;
		end_ns = used_ns() + 5 * MS;
		while (used_ns() < end_ns)
			;
		shared->wrong |= shared->spins[2] != n;
		while (shared->spins[2] == n)
			usleep(1000);
	}
	shared->spins[i] = 1;
}

static void a_fifo_task_that_has_given_its_slice_keeps_its_turn(void)
{
	struct sched_attr urgent = { .sched_policy = SCHED_FIFO, .sched_priority = 7 };
	pid_t child[3];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	CHECK_EQ(put_in_force("prio"), 0);
	begin();
	CHECK(pipe(bytes[1]) == 0 && pipe(bytes[2]) == 0);
	child[0] = start(0, urgent, give_and_go_on);
	child[1] = start(1, urgent, answer);
	child[2] = start(2, urgent, answer);
	run_all(child, 3);
	CHECK_EQ(put_in_force(before), 0);
	CHECK_EQ(shared->wrong, 0);
	CHECK_EQ(shared->spins[0], 1);
	for (int i = 1; i < 3; i++) {
		close(bytes[i][0]);
		close(bytes[i][1]);
	}
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	remember_library();
	RUN(stride_gives_shares_by_weight);
	RUN(lottery_gives_shares_by_weight);
	RUN(fair_gives_shares_by_weight);
	RUN(no_library_is_ejected_for_who_counts_little);
	RUN(edf_gives_what_was_asked_for_and_no_more);
	RUN(fifo_tasks_leave_nothing_to_others);
	RUN(rr_tasks_take_turns_and_leave_nothing_to_others);
	RUN(a_fifo_task_that_has_given_its_slice_keeps_its_turn);
	return test_result();
}
