/* SPDX-License-Identifier: MIT */
/* Mutexes of all types: what each forbids, and that who sleeps is woken (scripts/musl/mutex_unlock.patch). */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "asleep.h"
#include "test.h"

static void mutex_init(pthread_mutex_t *mutex, int type, int shared, int robust)
{
	pthread_mutexattr_t attributes;

	CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
	CHECK_EQ(pthread_mutexattr_settype(&attributes, type), 0);
	CHECK_EQ(pthread_mutexattr_setpshared(&attributes, shared), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&attributes, robust), 0);
	CHECK_EQ(pthread_mutex_init(mutex, &attributes), 0);
}

/* What another thread is told when it tries to lock; what it got it keeps, and is no owner any more. */
static void *try_lock(void *mutex)
{
	return (void *)(intptr_t)pthread_mutex_trylock(mutex);
}

static void *try_unlock(void *mutex)
{
	return (void *)(intptr_t)pthread_mutex_unlock(mutex);
}

static int by_another(void *(*call)(void *), pthread_mutex_t *mutex)
{
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, call, mutex), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	return (int)(intptr_t)result;
}

static void a_normal_mutex_has_no_owner(void)
{
	pthread_mutex_t mutex;

	mutex_init(&mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
	CHECK_EQ(by_another(try_lock, &mutex), EBUSY);
	CHECK_EQ(by_another(try_unlock, &mutex), 0);
	CHECK_EQ(by_another(try_lock, &mutex), 0);
	CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(pthread_mutex_destroy(&mutex), 0);
}

static void a_recursive_mutex_counts(void)
{
	pthread_mutex_t mutex;

	mutex_init(&mutex, PTHREAD_MUTEX_RECURSIVE, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(by_another(try_unlock, &mutex), EPERM);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(by_another(try_lock, &mutex), EBUSY);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	}
	CHECK_EQ(pthread_mutex_unlock(&mutex), EPERM);
	CHECK_EQ(by_another(try_lock, &mutex), 0);
}

static void an_error_checking_mutex_checks(void)
{
	pthread_mutex_t mutex;

	mutex_init(&mutex, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED);
	CHECK_EQ(pthread_mutex_unlock(&mutex), EPERM);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), EDEADLK);
	CHECK_EQ(by_another(try_unlock, &mutex), EPERM);
	CHECK_EQ(by_another(try_lock, &mutex), EBUSY);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(by_another(try_lock, &mutex), 0);
}

static void a_robust_mutex_tells_of_the_dead(void)
{
	pthread_mutex_t mutex;

	mutex_init(&mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_ROBUST);
	CHECK_EQ(by_another(try_lock, &mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
	CHECK_EQ(by_another(try_unlock, &mutex), EPERM);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

/* Every type, robust or not, shared: processes sleep for it, one after the other gets it, with it counted. */
static void who_sleeps_is_woken(void)
{
	static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				     PTHREAD_MUTEX_ERRORCHECK };
	struct place { pthread_mutex_t mutex; int got; } *place;
	int status;

	place = mmap(NULL, sizeof(*place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(place != MAP_FAILED);
	for (int i = 0; i < 6; i++) {
		pid_t sleeper[3];

		place->got = 0;
		mutex_init(&place->mutex, types[i % 3], PTHREAD_PROCESS_SHARED,
			   i < 3 ? PTHREAD_MUTEX_STALLED : PTHREAD_MUTEX_ROBUST);
		CHECK_EQ(pthread_mutex_lock(&place->mutex), 0);
		for (int k = 0; k < 3; k++) {
			sleeper[k] = fork();
			if (sleeper[k] == 0) {
				pthread_mutex_lock(&place->mutex);
				place->got++;
				pthread_mutex_unlock(&place->mutex);
				_exit(0);
			}
			wait_asleep(sleeper[k], sleeper[k]);
		}
		CHECK_EQ(place->got, 0);
		CHECK_EQ(pthread_mutex_unlock(&place->mutex), 0);
		for (int k = 0; k < 3; k++) {
			CHECK_EQ(waitpid(sleeper[k], &status, 0), sleeper[k]);
			CHECK_EQ(status, 0);
		}
		CHECK_EQ(place->got, 3);
	}
	munmap(place, sizeof(*place));
}

struct ask {
	pthread_mutex_t mutex;
	_Atomic int id;
};

static void *sleep_for(void *ask)
{
	struct ask *a = ask;

	a->id = gettid();
	pthread_mutex_lock(&a->mutex);
	pthread_mutex_unlock(&a->mutex);
	return NULL;
}

static void threads_that_sleep_are_woken(void)
{
	struct ask ask = { .mutex = PTHREAD_MUTEX_INITIALIZER };
	pthread_t thread[3];

	for (int round = 0; round < 20; round++) {
		pthread_mutex_lock(&ask.mutex);
		for (int i = 0; i < 3; i++) {
			ask.id = 0;
			CHECK_EQ(pthread_create(&thread[i], NULL, sleep_for, &ask), 0);
			while (!ask.id)
				sched_yield();
			wait_asleep(getpid(), ask.id);
		}
		pthread_mutex_unlock(&ask.mutex);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_join(thread[i], NULL), 0);
	}
}

int main(void)
{
	RUN(a_normal_mutex_has_no_owner);
	RUN(a_recursive_mutex_counts);
	RUN(an_error_checking_mutex_checks);
	RUN(a_robust_mutex_tells_of_the_dead);
	RUN(who_sleeps_is_woken);
	RUN(threads_that_sleep_are_woken);
	return test_result();
}
