/* SPDX-License-Identifier: MIT */
/* The futex system call itself, between threads and between processes. */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

static _Atomic uint32_t word, other;

static long futex(_Atomic uint32_t *at, int op, uint32_t value, const void *timeout,
		  _Atomic uint32_t *at2, uint32_t value3)
{
	return syscall(SYS_futex, at, op, value, timeout, at2, value3);
}

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void another_value_does_not_wait(void)
{
	word = 1;
	CHECK(futex(&word, FUTEX_WAIT, 2, NULL, NULL, 0) == -1 && errno == EAGAIN);
	CHECK(futex(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, NULL, NULL, 0) == -1 &&
	      errno == EAGAIN);
}

static void bad_arguments_are_errors(void)
{
	struct timespec bad = { 0, 2000000000 }, soon = { 0, 1000 };

	CHECK(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT, 0, NULL) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_futex, 8, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL) == -1);
	CHECK_EQ(errno, EFAULT);
	CHECK(syscall(SYS_futex, 0x7f0000000000, FUTEX_WAKE, 1) == -1 && errno == EFAULT);
	CHECK(futex(&word, FUTEX_WAIT, word, &bad, NULL, 0) == -1 && errno == EINVAL);
	CHECK(futex(&word, FUTEX_WAIT_BITSET, word, NULL, NULL, 0) == -1 && errno == EINVAL);
	CHECK(futex(&word, 99, 0, NULL, NULL, 0) == -1 && errno == ENOSYS);
	/* It takes how long it waits, by no clock of the caller's choice: Linux from 5.14 on. */
	CHECK(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, word, &soon, NULL, 0) == -1 &&
	      errno == ENOSYS);
	CHECK(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0) == -1 &&
	      errno == ENOSYS);
}

static void waits_time_out(void)
{
	struct timespec timeout = { 0, 40000000 }, now;
	long start = milliseconds();

	word = 0;
	CHECK(futex(&word, FUTEX_WAIT, 0, &timeout, NULL, 0) == -1 && errno == ETIMEDOUT);
	CHECK(milliseconds() - start >= 39);
	clock_gettime(CLOCK_MONOTONIC, &now); /* absolute, and already over */
	CHECK(futex(&word, FUTEX_WAIT_BITSET, 0, &now, NULL, FUTEX_BITSET_MATCH_ANY) == -1);
	CHECK_EQ(errno, ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &now, NULL,
		    FUTEX_BITSET_MATCH_ANY) == -1);
	CHECK_EQ(errno, ETIMEDOUT);
}

static void *wait_once(void *argument)
{
	long r;

	do
		r = futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	while (r == -1 && errno == EINTR);
	return (void *)r;
}

/* Wakes until `count` have been woken: they may not be waiting yet. */
static long wake_all_of(int op, int count)
{
	long woken = 0;

	for (int tries = 0; woken < count && tries < 2000; tries++) {
		woken += futex(&word, op, (uint32_t)(count - woken), NULL, NULL, 0);
		if (woken < count)
			usleep(1000);
	}
	return woken;
}

/* Until so many wait at the word.  That a thread sleeps does not say so: it may wait for the memory of
 * its stack.  If it can be moved away, and back, it does. */
static void wait_for_waiters(int wanted)
{
	static _Atomic uint32_t elsewhere;
	long moved = 0;

	for (int tries = 0; moved < wanted && tries < 100000; tries++) {
		moved += futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)(long)INT_MAX, &elsewhere, 0);
		if (moved < wanted)
			usleep(200);
	}
	CHECK_EQ(moved, wanted);
	CHECK_EQ(futex(&elsewhere, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)(long)INT_MAX, &word, 0), wanted);
}

static void wakes_count(void)
{
	enum { N = 6 };
	pthread_t thread[N];
	void *result;

	word = 0;
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
	for (int i = 0; i < N; i++)
		pthread_create(&thread[i], NULL, wait_once, NULL);
	CHECK_EQ(wake_all_of(FUTEX_WAKE_PRIVATE, N), N);
	for (int i = 0; i < N; i++) {
		pthread_join(thread[i], &result);
		CHECK(result == NULL);
	}
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
}

/* futex(2) says nothing of it: who asks for no wake, or fewer, gets one. */
static void a_wake_wakes_one_at_least(void)
{
	static const uint32_t none = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);
	enum { N = 6 };
	pthread_t thread[N];

	word = other = 0;
	for (int i = 0; i < N; i++)
		pthread_create(&thread[i], NULL, wait_once, NULL);
	wait_for_waiters(N);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0), 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, (uint32_t)-1, NULL, NULL, 0), 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 0, NULL, NULL, 1), 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 0, NULL, &other, none), 1);
	CHECK_EQ(futex(&other, FUTEX_WAKE_OP_PRIVATE, 0, NULL, &word, none), 1);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, NULL, &other, 0), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
	for (int i = 0; i < N; i++)
		pthread_join(thread[i], NULL);
}

static _Atomic int up; /* how many have been woken */
static int came_up[8]; /* who, in their order */

static void *wait_in_line(void *argument)
{
	wait_once(NULL);
	came_up[up] = (int)(long)argument;
	up++;
	return NULL;
}

/* By real-time priority, as they came if they have the same: also who has been moved to the word. */
static void the_most_urgent_is_woken_first(void)
{
	static const int priority[] = { 0, 7, 0, 90, 7, 3 }, expected[] = { 3, 1, 4, 5, 0, 2 };
	enum { N = sizeof(priority) / sizeof(priority[0]) };
	struct sched_param param;
	pthread_t thread[N];

	word = 0;
	up = 0;
	for (int i = 0; i < N; i++) {
		pthread_attr_t attr;

		pthread_attr_init(&attr);
		param.sched_priority = priority[i];
		if (priority[i] > 0) {
			pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
			pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
			pthread_attr_setschedparam(&attr, &param);
		}
		CHECK_EQ(pthread_create(&thread[i], &attr, wait_in_line, (void *)(long)i), 0);
		wait_for_waiters(i + 1);
	}
	for (int i = 1; i <= N; i++) {
		CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
		while (up < i)
			usleep(200);
		CHECK_EQ(came_up[i - 1], expected[i - 1]);
	}
	for (int i = 0; i < N; i++)
		pthread_join(thread[i], NULL);
}

static void *wait_for_bits(void *argument)
{
	return (void *)futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL,
			     (uint32_t)(long)argument);
}

static void bitsets_choose(void)
{
	pthread_t one, two;
	void *result;

	word = 0;
	pthread_create(&one, NULL, wait_for_bits, (void *)1);
	pthread_create(&two, NULL, wait_for_bits, (void *)2);
	wait_for_waiters(2);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 4), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 2), 1);
	pthread_join(two, &result);
	CHECK(result == NULL);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 1), 1);
	pthread_join(one, &result);
}

static void requeue_moves_waiters(void)
{
	enum { N = 5 };
	pthread_t thread[N];

	word = other = 0;
	for (int i = 0; i < N; i++)
		pthread_create(&thread[i], NULL, wait_once, NULL);
	wait_for_waiters(N);
	CHECK(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)(long)INT_MAX, &other, 9) == -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)(long)INT_MAX, &other, 0), N);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), N - 1);
	for (int i = 0; i < N; i++)
		pthread_join(thread[i], NULL);
}

static void wake_op_changes_and_wakes(void)
{
	pthread_t thread;

	word = 0;
	other = 5;
	pthread_create(&thread, NULL, wait_once, NULL);
	wait_for_waiters(1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &other,
		       FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 4)), 1);
	CHECK_EQ(other, 8);
	pthread_join(thread, NULL);
}

/* Whom FUTEX_WAKE_OP would wake shows in what it returns: one waiter at each word. */
static int woken_by(int op, uint32_t argument, int compare, uint32_t with, uint32_t before,
		    uint32_t *after)
{
	pthread_t thread;
	long woken;

	word = 0;
	pthread_create(&thread, NULL, wait_once, NULL);
	wait_for_waiters(1);
	/* At the second word, so that only a true comparison wakes it. */
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)1L, &other, 0), 1);
	other = before;
	woken = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &other,
		      FUTEX_OP(op, argument, compare, with));
	*after = other;
	if (woken == 0)
		futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	pthread_join(thread, NULL);
	return (int)woken;
}

static void wake_op_knows_all_operations(void)
{
	static const struct {
		int op, compare;
		uint32_t argument, with, before, after;
		int woken;
	} rows[] = {
		{ FUTEX_OP_SET, FUTEX_OP_CMP_EQ, 7, 12, 12, 7, 1 },
		{ FUTEX_OP_SET, FUTEX_OP_CMP_EQ, 7, 12, 13, 7, 0 },
		{ FUTEX_OP_ADD, FUTEX_OP_CMP_NE, 7, 12, 13, 20, 1 },
		{ FUTEX_OP_ADD, FUTEX_OP_CMP_NE, 7, 12, 12, 19, 0 },
		{ FUTEX_OP_OR, FUTEX_OP_CMP_LT, 3, 12, 8, 11, 1 },
		{ FUTEX_OP_OR, FUTEX_OP_CMP_LT, 3, 8, 8, 11, 0 },
		{ FUTEX_OP_ANDN, FUTEX_OP_CMP_LE, 3, 7, 7, 4, 1 },
		{ FUTEX_OP_ANDN, FUTEX_OP_CMP_LE, 3, 6, 7, 4, 0 },
		{ FUTEX_OP_XOR, FUTEX_OP_CMP_GT, 5, 5, 6, 3, 1 },
		{ FUTEX_OP_XOR, FUTEX_OP_CMP_GT, 5, 6, 6, 3, 0 },
		{ FUTEX_OP_SET, FUTEX_OP_CMP_GE, 1, 6, 6, 1, 1 },
		{ FUTEX_OP_SET, FUTEX_OP_CMP_GE, 1, 7, 6, 1, 0 },
		{ FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, FUTEX_OP_CMP_EQ, 11, 0, 0, 1 << 11, 1 },
	};
	uint32_t after;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_EQ(woken_by(rows[i].op, rows[i].argument, rows[i].compare, rows[i].with,
				  rows[i].before, &after), rows[i].woken);
		CHECK_EQ(after, rows[i].after);
	}
	CHECK(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &other, FUTEX_OP(6, 0, 0, 0)) == -1 &&
	      errno == ENOSYS);
	CHECK(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &other, FUTEX_OP(0, 0, 6, 0)) == -1 &&
	      errno == ENOSYS);
}

static void on_signal(int number)
{
}

static void signals_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	word = 0;
	sigaction(SIGALRM, &action, NULL);
	ualarm(20000, 20000); /* again and again: the first may come before we wait */
	CHECK(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EINTR);
	ualarm(0, 0);
	signal(SIGALRM, SIG_DFL);
}

/* A wait that has an end is not begun again after a handler, even one with SA_RESTART: futex(2). */
static void a_wait_with_an_end_is_not_begun_again(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct timespec end;

	word = 0;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 20;
	sigaction(SIGALRM, &action, NULL);
	ualarm(20000, 20000);
	CHECK(futex(&word, FUTEX_WAIT_BITSET, 0, &end, NULL, 1) == -1 && errno == EINTR);
	ualarm(0, 0);
	signal(SIGALRM, SIG_DFL);
}

/* A stop makes the call begin again, and not its time: who is stopped again and again gets to the end. */
static void stops_do_not_move_the_end(void)
{
	struct timespec timeout = { 0, 300000000 };
	pid_t child = fork();
	int status, rounds = 0;

	if (child == 0) {
		word = 0;
		_exit(futex(&word, FUTEX_WAIT, 0, &timeout, NULL, 0) == -1 && errno == ETIMEDOUT
			      ? 0
			      : 1);
	}
	while (waitpid(child, &status, WNOHANG) == 0 && rounds++ < 1000) {
		kill(child, SIGSTOP);
		kill(child, SIGCONT);
		usleep(10000);
	}
	if (rounds > 1000)
		kill(child, SIGKILL);
	CHECK(rounds <= 1000);
	CHECK_EQ(status, 0);
}

/* Between processes: the same word at two addresses. */
static void shared_memory_has_shared_futexes(void)
{
	_Atomic uint32_t *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK(shared != MAP_FAILED);
	pid_t child = fork();

	if (child == 0) {
		_Atomic uint32_t *moved = mremap(shared, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED,
						 (char *)shared - (64 << 20));

		if (moved == MAP_FAILED)
			_exit(1);
		while (moved[1024] == 0)
			futex(&moved[1024], FUTEX_WAIT, 0, NULL, NULL, 0);
		moved[1025] = 7;
		futex(&moved[1025], FUTEX_WAKE, 1, NULL, NULL, 0);
		_exit(0);
	}
	usleep(20000);
	shared[1024] = 1;
	futex(&shared[1024], FUTEX_WAKE, 1, NULL, NULL, 0);
	while (shared[1025] != 7)
		futex(&shared[1025], FUTEX_WAIT, 0, NULL, NULL, 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	munmap(shared, 8192);
}

static _Atomic uint32_t *shared_page(void)
{
	_Atomic uint32_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	return page;
}

static void *wait_at(void *page)
{
	return (void *)futex(page, FUTEX_WAIT, 0, NULL, NULL, 0);
}

/* Who waits where memory is unmapped does not get the wakes of what is mapped next. */
static void new_memory_has_no_waiters(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		_Atomic uint32_t *old = shared_page();
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, wait_at, old), 0);
		while (futex(&old[0], FUTEX_CMP_REQUEUE, 0, (void *)1L, &old[1], 0) != 1)
			usleep(200);
		CHECK_EQ(munmap((void *)old, 4096), 0);
		for (int i = 0; i < 50; i++) {
			_Atomic uint32_t *new = shared_page();

			new[1] = 1;
			CHECK_EQ(futex(&new[1], FUTEX_WAKE, 1, NULL, NULL, 0), 0);
		}
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

static void process_shared_mutexes_work(void)
{
	struct { pthread_mutex_t mutex; long count; } *s;
	pthread_mutexattr_t attributes;
	pid_t child[4];

	s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(s != MAP_FAILED);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->mutex, &attributes);
	for (int i = 0; i < 4; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			for (int n = 0; n < 2000; n++) {
				pthread_mutex_lock(&s->mutex);
				s->count++;
				pthread_mutex_unlock(&s->mutex);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK(waitpid(child[i], NULL, 0) == child[i]);
	CHECK_EQ(s->count, 8000);
	munmap(s, 4096);
}

/* Two threads hand a token back and forth: a lost wake would hang, and the time-out shows it. */
static _Atomic uint32_t token;

static long play(uint32_t me)
{
	struct timespec timeout = { 5, 0 };

	for (int i = 0; i < 3000; i++) {
		while (token != me)
			if (futex(&token, FUTEX_WAIT_PRIVATE, !me, &timeout, NULL, 0) == -1 &&
			    errno == ETIMEDOUT)
				return 1;
		token = !me;
		futex(&token, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return 0;
}

static void *play_one(void *argument)
{
	return (void *)play(1);
}

static void no_wake_is_lost(void)
{
	pthread_t thread;
	void *result;

	token = 0;
	pthread_create(&thread, NULL, play_one, NULL);
	CHECK_EQ(play(0), 0);
	pthread_join(thread, &result);
	CHECK(result == NULL);
}

struct owned {
	struct robust_list entry;
	_Atomic uint32_t word;
};

/* Ends after it has left a lock, which is still pending, and before it has woken anybody. */
static void *ends_before_it_wakes(void *pending)
{
	static struct robust_list_head head;

	head = (struct robust_list_head){ .list = { &head.list },
					  .list_op_pending = pending,
					  .futex_offset = offsetof(struct owned, word) };
	return (void *)syscall(SYS_set_robust_list, &head, sizeof(head));
}

static void *wait_while_nobodys(void *at)
{
	return (void *)futex(at, FUTEX_WAIT, 0, NULL, NULL, 0);
}

/* How many still wait at the word when the one who had something pending there has ended. */
static long left_waiting_by(void *pending, struct owned *lock)
{
	static _Atomic uint32_t elsewhere;
	pthread_t waiter, owner;
	long left;

	CHECK_EQ(pthread_create(&waiter, NULL, wait_while_nobodys, (void *)&lock->word), 0);
	while (futex(&lock->word, FUTEX_CMP_REQUEUE, 0, (void *)1L, &elsewhere, 0) != 1)
		usleep(200);
	CHECK_EQ(futex(&elsewhere, FUTEX_CMP_REQUEUE, 0, (void *)1L, &lock->word, 0), 1);
	CHECK_EQ(pthread_create(&owner, NULL, ends_before_it_wakes, pending), 0);
	CHECK_EQ(pthread_join(owner, NULL), 0);
	left = futex(&lock->word, FUTEX_WAKE, 1, NULL, NULL, 0);
	CHECK_EQ(pthread_join(waiter, NULL), 0);
	CHECK_EQ(lock->word, 0);
	return left;
}

/* Who dies between leaving a lock and waking owes the wake; not for one with priority inheritance. */
static void a_lock_that_is_being_left_has_its_wake(void)
{
	static struct owned lock, another;

	CHECK_EQ(left_waiting_by(&lock.entry, &lock), 0);
	CHECK_EQ(left_waiting_by((char *)&lock.entry + 1, &lock), 1);
	CHECK_EQ(left_waiting_by(&another.entry, &lock), 1);
}

int main(void)
{
	RUN(another_value_does_not_wait);
	RUN(bad_arguments_are_errors);
	RUN(waits_time_out);
	RUN(wakes_count);
	RUN(a_wake_wakes_one_at_least);
	RUN(the_most_urgent_is_woken_first);
	RUN(bitsets_choose);
	RUN(requeue_moves_waiters);
	RUN(wake_op_changes_and_wakes);
	RUN(wake_op_knows_all_operations);
	RUN(signals_interrupt);
	RUN(a_wait_with_an_end_is_not_begun_again);
	RUN(stops_do_not_move_the_end);
	RUN(shared_memory_has_shared_futexes);
	RUN(new_memory_has_no_waiters);
	RUN(process_shared_mutexes_work);
	RUN(no_wake_is_lost);
	RUN(a_lock_that_is_being_left_has_its_wake);
	return test_result();
}
