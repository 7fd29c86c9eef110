/* SPDX-License-Identifier: MIT */
/*
 * Locks with priority inheritance that a deadline task waits for, under edf: the owner runs in its place.
 * All on CPU 0.  Only here: Linux lets no such task be bound to one CPU.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include "asleep.h"
#include "sched_attr.h"
#include "scheduler_files.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#define MS 1000000ul
#define COMPUTERS 3

static pthread_mutex_t mutex;
static sem_t locked, may_unlock, may_wait;
static atomic_int stop, waiter_tid, rounds;

static uint64_t ran_ns(clockid_t clock)
{
	struct timespec t;

	CHECK_EQ(clock_gettime(clock, &t), 0);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

static int set_deadline(uint64_t runtime_ns, uint64_t period_ns)
{
	struct sched_attr a = { .size = sizeof(a), .sched_policy = SCHED_DEADLINE,
				.sched_runtime = runtime_ns, .sched_deadline = period_ns,
				.sched_period = period_ns };

	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

static clockid_t clock_of(pthread_t thread)
{
	clockid_t clock;

	CHECK_EQ(pthread_getcpuclockid(thread, &clock), 0);
	return clock;
}

static pthread_t start(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, run, argument), 0);
	return thread;
}

static void make_inheriting_mutex(void)
{
	pthread_mutexattr_t attr;

	CHECK_EQ(pthread_mutexattr_init(&attr), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
	sem_init(&locked, 0, 0);
	sem_init(&may_unlock, 0, 0);
	sem_init(&may_wait, 0, 0);
	stop = waiter_tid = rounds = 0;
}

/* ---------------------------------------------------------------- before others */

static void *spin(void *unused)
{
	while (!stop)
		;
	return unused;
}

/* Its work begins when the other waits: who has the CPU otherwise does not matter. */
static void *works_with_the_lock(void *unused)
{
	uint64_t end;

	pthread_mutex_lock(&mutex);
	sem_post(&locked);
	while (!waiter_tid)
		;
	end = ran_ns(CLOCK_THREAD_CPUTIME_ID) + 20 * MS;
	while (ran_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
	pthread_mutex_unlock(&mutex);
	return unused;
}

struct waiter {
	pthread_t computers[COMPUTERS], owner;
	uint64_t runtime_ns, others_ran_ns, owner_ran_ns;
};

static uint64_t all_ran_ns(const struct waiter *w)
{
	uint64_t sum = 0;

	for (int i = 0; i < COMPUTERS; i++)
		sum += ran_ns(clock_of(w->computers[i]));
	return sum;
}

static void *has_a_deadline(void *argument)
{
	struct waiter *w = argument;
	uint64_t others, owner;

	CHECK_EQ(set_deadline(w->runtime_ns, 1000 * MS), 0);
	others = all_ran_ns(w);
	owner = ran_ns(clock_of(w->owner));
	waiter_tid = (int)syscall(SYS_gettid);
	pthread_mutex_lock(&mutex);
	w->others_ran_ns = all_ran_ns(w) - others;
	w->owner_ran_ns = ran_ns(clock_of(w->owner)) - owner;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

/* Those who compute would have most of the CPU beside an owner who is one of them. */
static void owner_comes_before_others(uint64_t runtime_ns)
{
	struct waiter w = { .runtime_ns = runtime_ns };
	pthread_t waiter;

	make_inheriting_mutex();
	w.owner = start(works_with_the_lock, NULL);
	sem_wait(&locked);
	for (int i = 0; i < COMPUTERS; i++)
		w.computers[i] = start(spin, NULL);
	waiter = start(has_a_deadline, &w);
	CHECK_EQ(pthread_join(waiter, NULL), 0);
	stop = 1;
	CHECK_EQ(pthread_join(w.owner, NULL), 0);
	for (int i = 0; i < COMPUTERS; i++)
		CHECK_EQ(pthread_join(w.computers[i], NULL), 0);
	if (w.others_ran_ns >= w.owner_ran_ns)
		printf("# with %lu ms: others %lu us, the owner %lu us\n", runtime_ns / MS,
		       w.others_ran_ns / 1000, w.owner_ran_ns / 1000);
	CHECK(w.others_ran_ns < w.owner_ran_ns);
}

/* Whatever the bandwidth of who waits: it is counted once. */
static void the_owner_runs_in_the_place_of_who_waits(void)
{
	for (uint64_t percent = 30; percent <= 90; percent += 20)
		owner_comes_before_others(percent * 10 * MS);
}

/* ---------------------------------------------------------------- what is reserved */

static long bandwidth_percent(void)
{
	static char text[TEXT_ROOM];
	const char *at = strstr(read_proc("sched-dump", text), "bandwidth ");

	CHECK(at);
	return strtol(at + strlen("bandwidth "), NULL, 10);
}

/* Each time that it wakes the library looks at what is in force. */
static void *sleeps_with_the_lock(void *unused)
{
	struct timespec nap = { 0, MS };

	CHECK_EQ(set_deadline(50 * MS, 200 * MS), 0);
	pthread_mutex_lock(&mutex);
	sem_post(&locked);
	while (sem_trywait(&may_unlock) != 0) {
		nanosleep(&nap, NULL);
		rounds++;
	}
	pthread_mutex_unlock(&mutex);
	sem_post(&locked);
	while (!stop) {
		nanosleep(&nap, NULL);
		rounds++;
	}
	return unused;
}

static void *waits_with_a_deadline(void *unused)
{
	CHECK_EQ(set_deadline(50 * MS, 100 * MS), 0);
	sem_wait(&may_wait);
	waiter_tid = (int)syscall(SYS_gettid);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	while (!stop)
		usleep(1000);
	return unused;
}

static void some_rounds(void)
{
	for (int until = rounds + 3; rounds < until;)
		sched_yield();
}

static void an_owner_keeps_what_is_reserved_for_itself(void)
{
	pthread_t owner, waiter;

	make_inheriting_mutex();
	owner = start(sleeps_with_the_lock, NULL);
	sem_wait(&locked);
	CHECK_EQ(bandwidth_percent(), 25);
	waiter = start(waits_with_a_deadline, NULL);
	sem_post(&may_wait);
	while (!waiter_tid)
		sched_yield();
	wait_asleep(getpid(), waiter_tid);
	some_rounds();
	CHECK_EQ(bandwidth_percent(), 75);
	sem_post(&may_unlock);
	sem_wait(&locked);
	some_rounds();
	CHECK_EQ(bandwidth_percent(), 75);
	stop = 1;
	CHECK_EQ(pthread_join(owner, NULL), 0);
	CHECK_EQ(pthread_join(waiter, NULL), 0);
	CHECK_EQ(bandwidth_percent(), 0);
}

int main(void)
{
	char before[NAME_ROOM];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	current_scheduler(before);
	CHECK_EQ(tell("sched", "edf"), 0);
	CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	RUN(the_owner_runs_in_the_place_of_who_waits);
	RUN(an_owner_keeps_what_is_reserved_for_itself);
	CHECK_EQ(tell("sched", before), 0);
	return test_result();
}
