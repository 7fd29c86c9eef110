/* SPDX-License-Identifier: MIT */
/* POSIX threads on the system: creation, ids, locks, ends, and what is shared. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define THREADS 8

static void *return_argument(void *argument)
{
	return argument;
}

static void threads_return_values(void)
{
	for (long i = 0; i < 100; i++) {
		pthread_t thread;
		void *result;

		CHECK_EQ(pthread_create(&thread, NULL, return_argument, (void *)i), 0);
		CHECK_EQ(pthread_join(thread, &result), 0);
		CHECK_EQ((long)result, i);
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count(void *argument)
{
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void mutexes_exclude(void)
{
	pthread_t thread[THREADS];

	counter = 0;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, count, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(counter, THREADS * 5000);
}

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

static void *take_turns(void *argument)
{
	int me = (int)(long)argument;

	for (int round = 0; round < 200; round++) {
		pthread_mutex_lock(&mutex);
		while (turn % THREADS != me)
			pthread_cond_wait(&condition, &mutex);
		turn++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void conditions_wake_everybody(void)
{
	pthread_t thread[THREADS];

	turn = 0;
	for (long i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, take_turns, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(turn, THREADS * 200);
}

static void timed_waits_end(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 30000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	int r = pthread_cond_timedwait(&condition, &mutex, &until);

	pthread_mutex_unlock(&mutex);
	CHECK_EQ(r, ETIMEDOUT);
}

static __thread int local = 1;

static void *change_local(void *argument)
{
	int before = local;

	local = 2;
	sched_yield();
	return (void *)(long)(before == 1 && local == 2);
}

static void thread_local_storage_is_local(void)
{
	pthread_t thread[THREADS];
	void *ok;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, change_local, NULL);
	int good = 0;

	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &ok);
		good += ok != NULL;
	}
	CHECK_EQ(good, THREADS);
	CHECK_EQ(local, 1);
}

static void *say_ids(void *argument)
{
	pid_t *ids = argument;

	ids[0] = getpid();
	ids[1] = (pid_t)syscall(SYS_gettid);
	return NULL;
}

static void ids_are_right(void)
{
	pthread_t thread;
	pid_t ids[2];

	CHECK_EQ(syscall(SYS_gettid), getpid());
	pthread_create(&thread, NULL, say_ids, ids);
	pthread_join(thread, NULL);
	CHECK_EQ(ids[0], getpid());
	CHECK(ids[1] != getpid());
	/* It wakes the joiner a moment before it is gone. */
	long r = 0;

	for (int tries = 0; r == 0 && tries < 1000; tries++) {
		r = syscall(SYS_tgkill, getpid(), ids[1], 0);
		usleep(1000);
	}
	CHECK(r == -1 && errno == ESRCH);
}

static char thread_stack[65536] __attribute__((aligned(16)));
static _Atomic int has_moved;

static int moves_away(void *unused)
{
	close(0);
	has_moved = chdir("/tmp") == 0 ? 1 : -1;
	for (;;)
		pause();
	return 0;
}

/* Files and a directory that a thread would have for itself: it has them (Linux), or it is not made. */
static int makes_a_thread_without(int shared)
{
	const int all = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS;
	char cwd[64];

	if (chdir("/") != 0 || dup2(1, 0) != 0)
		return 1;
	if (clone(moves_away, thread_stack + sizeof(thread_stack), all & ~shared, NULL) < 0)
		return errno == EINVAL ? 0 : 2;
	while (!has_moved)
		sched_yield();
	if ((shared & CLONE_FILES) && fcntl(0, F_GETFD) < 0)
		return 3;
	return (shared & CLONE_FS) && (!getcwd(cwd, sizeof(cwd)) || strcmp(cwd, "/")) ? 4 : 0;
}

static int status_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child ? status : -1;
}

static void a_thread_shares_no_more_than_was_asked(void)
{
	static const int without[] = { CLONE_FILES, CLONE_FS, CLONE_FILES | CLONE_FS };

	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(makes_a_thread_without(without[i]));
		CHECK_EQ(status_of(child), 0);
	}
	errno = 0;
	CHECK(syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS, 0, 0, 0, 0) == -1);
	CHECK_EQ(errno, EINVAL);
	CHECK(syscall(SYS_clone, CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS, 0, 0, 0, 0) == -1);
	CHECK_EQ(errno, EINVAL);
}

/* The kernel's floating point state goes with each thread. */
static void *compute(void *argument)
{
	double x = (double)(long)argument, sum = 0;

	for (int i = 0; i < 200000; i++) {
		sum += x;
		if (i % 5000 == 0)
			sched_yield();
	}
	return (void *)(long)(sum == x * 200000);
}

static void vector_registers_are_kept(void)
{
	pthread_t thread[THREADS];
	void *ok;
	int good = 0;

	for (long i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, compute, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &ok);
		good += ok != NULL;
	}
	CHECK_EQ(good, THREADS);
}

static void *map_and_unmap(void *argument)
{
	for (int i = 0; i < 100; i++) {
		char *p = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			return (void *)1;
		for (int page = 0; page < 8; page++)
			if (p[page * 4096])
				return (void *)2;
		memset(p, 0x5a, 8 * 4096);
		if (munmap(p, 8 * 4096) != 0)
			return (void *)3;
	}
	return NULL;
}

static void threads_map_at_the_same_time(void)
{
	pthread_t thread[THREADS];
	void *result;
	long bad = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, map_and_unmap, NULL);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &result);
		bad |= (long)result;
	}
	CHECK_EQ(bad, 0);
}

static void *sleep_for_ever(void *argument)
{
	for (;;)
		pause();
	return NULL;
}

static void *spin_for_ever(void *argument)
{
	for (;;)
		;
	return NULL;
}

static void exit_ends_all_threads(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, sleep_for_ever, NULL);
		pthread_create(&thread, NULL, spin_for_ever, NULL);
		usleep(10000);
		exit(11);
	}
	CHECK_EQ(WEXITSTATUS(status_of(child)), 11);
}

static void a_fatal_signal_ends_all_threads(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, sleep_for_ever, NULL);
		pthread_create(&thread, NULL, spin_for_ever, NULL);
		spin_for_ever(NULL);
	}
	usleep(20000);
	kill(child, SIGKILL);
	int status = status_of(child);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void *exit_later(void *argument)
{
	usleep(20000);
	exit(23);
}

static void main_thread_may_end_first(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, exit_later, NULL);
		pthread_exit(NULL);
	}
	CHECK_EQ(WEXITSTATUS(status_of(child)), 23);
}

static void *cancel_me(void *argument)
{
	sem_post(argument);
	for (;;)
		pause();
	return NULL;
}

static void threads_can_be_cancelled(void)
{
	pthread_t thread;
	void *result;
	sem_t started;

	sem_init(&started, 0, 0);
	CHECK_EQ(pthread_create(&thread, NULL, cancel_me, &started), 0);
	sem_wait(&started);
	CHECK_EQ(pthread_cancel(thread), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(result == PTHREAD_CANCELED);
	sem_destroy(&started);
}

/* fork in a program with threads: the child has the one that called. */
static void fork_takes_one_thread(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, sleep_for_ever, NULL), 0);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			pthread_t own;
			void *result;

			if (pthread_create(&own, NULL, return_argument, (void *)5) != 0 ||
			    pthread_join(own, &result) != 0)
				_exit(1);
			_exit(result == (void *)5 ? 0 : 2);
		}
		CHECK_EQ(status_of(child), 0);
	}
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

static void affinity_is_kept(void)
{
	cpu_set_t all, one;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	int cpus = CPU_COUNT(&all);

	CHECK(cpus >= 1);
	for (int cpu = 0; cpu < cpus; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		CHECK_EQ(sched_getcpu(), cpu);
		sched_yield();
		CHECK_EQ(sched_getcpu(), cpu);
	}
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
	CPU_ZERO(&one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == -1 && errno == EINVAL);
}

int main(void)
{
	RUN(threads_return_values);
	RUN(mutexes_exclude);
	RUN(conditions_wake_everybody);
	RUN(timed_waits_end);
	RUN(thread_local_storage_is_local);
	RUN(ids_are_right);
	RUN(a_thread_shares_no_more_than_was_asked);
	RUN(vector_registers_are_kept);
	RUN(threads_map_at_the_same_time);
	RUN(exit_ends_all_threads);
	RUN(a_fatal_signal_ends_all_threads);
	RUN(main_thread_may_end_first);
	RUN(threads_can_be_cancelled);
	RUN(fork_takes_one_thread);
	RUN(affinity_is_kept);
	return test_result();
}
