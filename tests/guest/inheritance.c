/* SPDX-License-Identifier: MIT */
/*
 * Locks with priority inheritance: FUTEX_LOCK_PI and its like, and musl's mutexes that are made of them.
 *
 * The actors are threads that do one thing at a time as they are told.  How urgent one is in force is in
 * /proc/PID/task/TID/stat, as on Linux, where all but the last two pass, too (it keeps the bandwidth of one
 * who has ended until the end of his period).
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "asleep.h"
#include "sched_attr.h"
#include "scheduler_files.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#define NOBODY 0x3ffffff0u /* no thread's id */
#define ORDINARY 20        /* of nice 0, in stat */

static long futex(_Atomic uint32_t *word, int op, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, 0, timeout, NULL, 0);
}

static uint32_t self_id(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

/* ---------------------------------------------------------------- actors */

enum order { LOCK, LOCK_A_WHILE, UNLOCK, END };

struct actor {
	pthread_t thread;
	sem_t ordered, done;
	_Atomic int tid, busy;
	enum order order;
	_Atomic uint32_t *word;
	int result; /* 0 or an errno */
};

static int obey(struct actor *a)
{
	struct timespec soon;
	long r;

	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 20000000;
	if (soon.tv_nsec >= 1000000000) {
		soon.tv_sec++;
		soon.tv_nsec -= 1000000000;
	}
	r = futex(a->word, a->order == UNLOCK ? FUTEX_UNLOCK_PI : FUTEX_LOCK_PI,
		  a->order == LOCK_A_WHILE ? &soon : NULL);
	return r == 0 ? 0 : errno;
}

static void *act(void *argument)
{
	struct actor *a = argument;

	a->tid = (int)self_id();
	sem_post(&a->done);
	for (;;) {
		sem_wait(&a->ordered);
		if (a->order == END)
			return NULL;
		a->busy = 1;
		a->result = obey(a);
		a->busy = 0;
		sem_post(&a->done);
	}
}

static void enter_stage(struct actor *a)
{
	*a = (struct actor){ 0 };
	sem_init(&a->ordered, 0, 0);
	sem_init(&a->done, 0, 0);
	CHECK_EQ(pthread_create(&a->thread, NULL, act, a), 0);
	sem_wait(&a->done);
}

static void tell_actor(struct actor *a, enum order order, _Atomic uint32_t *word)
{
	a->order = order;
	a->word = word;
	sem_post(&a->ordered);
}

static int answer(struct actor *a)
{
	sem_wait(&a->done);
	return a->result;
}

static int does(struct actor *a, enum order order, _Atomic uint32_t *word)
{
	tell_actor(a, order, word);
	return answer(a);
}

/* It sleeps in the call when this returns. */
static void waits_for(struct actor *a, enum order order, _Atomic uint32_t *word)
{
	tell_actor(a, order, word);
	while (!a->busy)
		sched_yield();
	wait_asleep(getpid(), a->tid);
}

static void leave_stage(struct actor *a)
{
	tell_actor(a, END, NULL);
	CHECK_EQ(pthread_join(a->thread, NULL), 0);
}

static int set_policy(int tid, int policy, int priority)
{
	struct sched_param p = { .sched_priority = priority };

	return (int)syscall(SYS_sched_setscheduler, tid, policy, &p);
}

static void enter_with(struct actor *a, int priority)
{
	enter_stage(a);
	CHECK_EQ(set_policy(a->tid, priority ? SCHED_FIFO : SCHED_OTHER, priority), 0);
}

/* In force: 20 + nice, -1 - the real-time priority, or -101 with a deadline. */
static int urgency_of(int process, int tid)
{
	char path[64];
	int priority = 1000;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", process, tid);
	f = fopen(path, "r");
	CHECK(f &&
	      fscanf(f,
		     "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %d",
		     &priority) == 1);
	fclose(f);
	return priority;
}

static int urgency(const struct actor *a)
{
	return urgency_of(getpid(), a->tid);
}

/* ---------------------------------------------------------------- the calls */

static _Atomic uint32_t word, second, third;

static void words_say_who_has_them(void)
{
	struct actor other;
	uint32_t self = self_id();

	enter_with(&other, 0);
	word = 0;
	CHECK_EQ(futex(&word, FUTEX_LOCK_PI, NULL), 0);
	CHECK_EQ(word, self);
	waits_for(&other, LOCK, &word);
	CHECK_EQ(word, self | FUTEX_WAITERS);
	CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
	CHECK_EQ(answer(&other), 0);
	CHECK_EQ(word & FUTEX_TID_MASK, (uint32_t)other.tid);
	CHECK(futex(&word, FUTEX_TRYLOCK_PI, NULL) == -1 && errno == EAGAIN);
	CHECK_EQ(does(&other, UNLOCK, &word), 0);
	CHECK_EQ(word, 0);
	CHECK_EQ(futex(&word, FUTEX_TRYLOCK_PI, NULL), 0);
	CHECK_EQ(word, self);
	/* Nobody waits: the program does it by itself. */
	word = 0;
	leave_stage(&other);
}

static void what_is_wrong_is_an_error(void)
{
	static const struct timespec bad = { 0, 1000000000 }, past = { 1, 0 };
	struct actor other;

	enter_with(&other, 0);
	word = NOBODY;
	CHECK(futex(&word, FUTEX_LOCK_PI, NULL) == -1 && errno == ESRCH);
	CHECK(futex(&word, FUTEX_TRYLOCK_PI, NULL) == -1 && errno == ESRCH);
	word = self_id();
	CHECK(futex(&word, FUTEX_LOCK_PI, NULL) == -1 && errno == EDEADLK);
	CHECK(futex(&word, FUTEX_TRYLOCK_PI, NULL) == -1 && errno == EDEADLK);
	CHECK_EQ(does(&other, UNLOCK, &word), EPERM);
	CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
	CHECK(futex(&word, FUTEX_UNLOCK_PI, NULL) == -1 && errno == EPERM);
	CHECK(futex((void *)((char *)&word + 1), FUTEX_LOCK_PI, NULL) == -1 && errno == EINVAL);
	CHECK(futex((void *)16, FUTEX_LOCK_PI, NULL) == -1 && errno == EFAULT);
	CHECK(futex((void *)16, FUTEX_UNLOCK_PI, NULL) == -1 && errno == EFAULT);
	CHECK_EQ(does(&other, LOCK, &word), 0);
	CHECK(futex(&word, FUTEX_LOCK_PI, &bad) == -1 && errno == EINVAL);
	CHECK(futex(&word, FUTEX_LOCK_PI, &past) == -1 && errno == ETIMEDOUT);
	CHECK(futex(&word, FUTEX_LOCK_PI2, &past) == -1 && errno == ETIMEDOUT);
	CHECK_EQ(does(&other, UNLOCK, &word), 0);
	CHECK_EQ(word, 0);
	leave_stage(&other);
}

/* Who waited for him would wait for ever: he does not know of the lock.  As on Linux 6.18. */
static void no_other_process_has_a_private_lock(void)
{
	static const struct timespec past = { 1, 0 };
	pid_t child = fork();

	while (child == 0)
		pause();
	word = (uint32_t)child;
	CHECK(futex(&word, FUTEX_LOCK_PI, NULL) == -1 && errno == EPERM);
	CHECK(futex(&word, FUTEX_LOCK_PI, NULL) == -1 && errno == EPERM);
	CHECK(futex(&word, FUTEX_TRYLOCK_PI, NULL) == -1 && errno == EPERM);
	CHECK_EQ(word & FUTEX_TID_MASK, (uint32_t)child);
	/* One that may be shared is waited for. */
	CHECK(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, &past, NULL, 0) == -1 &&
	      errno == ETIMEDOUT);
	CHECK(syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EAGAIN);
	CHECK(kill(child, SIGKILL) == 0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	word = 0;
}

/* The word says another than who has it. */
static void a_word_that_lies_is_an_error(void)
{
	struct actor other;
	uint32_t self = self_id(), right;

	enter_with(&other, 0);
	word = self;
	waits_for(&other, LOCK, &word);
	right = word;
	word = 1 | FUTEX_WAITERS;
	CHECK(futex(&word, FUTEX_LOCK_PI, NULL) == -1);
	CHECK(futex(&word, FUTEX_UNLOCK_PI, NULL) == -1 && errno == EPERM);
	word = right;
	CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
	CHECK_EQ(answer(&other), 0);
	CHECK_EQ(does(&other, UNLOCK, &word), 0);
	leave_stage(&other);
}

static void nothing(int number)
{
}

/* As on Linux: the program sees no EINTR. */
static void signals_do_not_end_the_wait(void)
{
	struct sigaction action = { .sa_handler = nothing }, before;
	struct actor other;

	sigaction(SIGUSR1, &action, &before);
	enter_with(&other, 0);
	word = self_id();
	waits_for(&other, LOCK, &word);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(syscall(SYS_tgkill, getpid(), other.tid, SIGUSR1), 0);
		wait_asleep(getpid(), other.tid);
	}
	CHECK_EQ(other.busy, 1);
	CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
	CHECK_EQ(answer(&other), 0);
	CHECK_EQ(does(&other, UNLOCK, &word), 0);
	leave_stage(&other);
	sigaction(SIGUSR1, &before, NULL);
}

/* ---------------------------------------------------------------- urgency */

static void the_owner_is_as_urgent_as_who_waits(void)
{
	struct actor owner, low, high;

	word = 0;
	enter_with(&owner, 0);
	enter_with(&low, 10);
	enter_with(&high, 50);
	CHECK_EQ(does(&owner, LOCK, &word), 0);
	CHECK_EQ(urgency(&owner), ORDINARY);
	waits_for(&low, LOCK, &word);
	CHECK_EQ(urgency(&owner), -11);
	/* It is not what was set. */
	CHECK_EQ(syscall(SYS_sched_getscheduler, owner.tid), SCHED_OTHER);
	CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)owner.tid), 0);
	tell_actor(&high, LOCK_A_WHILE, &word);
	CHECK_EQ(answer(&high), ETIMEDOUT);
	CHECK_EQ(urgency(&owner), -11);
	waits_for(&high, LOCK, &word);
	CHECK_EQ(urgency(&owner), -51);
	CHECK_EQ(does(&owner, UNLOCK, &word), 0);
	CHECK_EQ(urgency(&owner), ORDINARY);
	CHECK_EQ(answer(&high), 0);
	CHECK_EQ(urgency(&high), -51);
	CHECK_EQ(does(&high, UNLOCK, &word), 0);
	CHECK_EQ(answer(&low), 0);
	CHECK_EQ(does(&low, UNLOCK, &word), 0);
	CHECK_EQ(word, 0);
	leave_stage(&owner);
	leave_stage(&low);
	leave_stage(&high);
}

/* Of all that it has. */
static void the_most_urgent_counts(void)
{
	struct actor owner, first, other;

	word = second = 0;
	enter_with(&owner, 5);
	enter_with(&first, 30);
	enter_with(&other, 20);
	CHECK_EQ(does(&owner, LOCK, &word), 0);
	CHECK_EQ(does(&owner, LOCK, &second), 0);
	waits_for(&first, LOCK, &word);
	waits_for(&other, LOCK, &second);
	CHECK_EQ(urgency(&owner), -31);
	CHECK_EQ(does(&owner, UNLOCK, &word), 0);
	CHECK_EQ(answer(&first), 0);
	CHECK_EQ(urgency(&owner), -21);
	/* More urgent by itself meanwhile. */
	CHECK_EQ(set_policy(owner.tid, SCHED_RR, 40), 0);
	CHECK_EQ(urgency(&owner), -41);
	CHECK_EQ(set_policy(owner.tid, SCHED_OTHER, 0), 0);
	CHECK_EQ(urgency(&owner), -21);
	CHECK_EQ(does(&owner, UNLOCK, &second), 0);
	CHECK_EQ(answer(&other), 0);
	CHECK_EQ(urgency(&owner), ORDINARY);
	CHECK_EQ(does(&first, UNLOCK, &word), 0);
	CHECK_EQ(does(&other, UNLOCK, &second), 0);
	leave_stage(&owner);
	leave_stage(&first);
	leave_stage(&other);
}

static void urgency_passes_along_chains(void)
{
	struct actor last, middle, first;

	word = second = 0;
	enter_with(&last, 0);
	enter_with(&middle, 0);
	enter_with(&first, 0);
	CHECK_EQ(does(&last, LOCK, &word), 0);
	CHECK_EQ(does(&middle, LOCK, &second), 0);
	waits_for(&middle, LOCK, &word);
	waits_for(&first, LOCK, &second);
	CHECK_EQ(urgency(&last), ORDINARY);
	/* Who waits becomes urgent, and no longer is. */
	CHECK_EQ(set_policy(first.tid, SCHED_FIFO, 60), 0);
	CHECK_EQ(urgency(&middle), -61);
	CHECK_EQ(urgency(&last), -61);
	CHECK_EQ(set_policy(middle.tid, SCHED_FIFO, 70), 0);
	CHECK_EQ(urgency(&last), -71);
	CHECK_EQ(set_policy(middle.tid, SCHED_OTHER, 0), 0);
	CHECK_EQ(urgency(&last), -61);
	CHECK_EQ(set_policy(first.tid, SCHED_OTHER, 0), 0);
	CHECK_EQ(urgency(&middle), ORDINARY);
	CHECK_EQ(urgency(&last), ORDINARY);
	CHECK_EQ(does(&last, UNLOCK, &word), 0);
	CHECK_EQ(answer(&middle), 0);
	CHECK_EQ(does(&middle, UNLOCK, &second), 0);
	CHECK_EQ(answer(&first), 0);
	CHECK_EQ(does(&middle, UNLOCK, &word), 0);
	CHECK_EQ(does(&first, UNLOCK, &second), 0);
	leave_stage(&last);
	leave_stage(&middle);
	leave_stage(&first);
}

/* Two chains, each short enough to be walked along, of which the first to wait in one comes to wait behind
 * the last of the other.  Beyond the bound nobody learns what has changed, but what changes there. */
static void a_chain_is_followed_so_far_and_no_further(void)
{
	enum { PEOPLE = 1100, SEAM = PEOPLE / 2, FOLLOWED = 1000 };
	struct rlimit before, enough;
	static struct actor people[PEOPLE], late;
	static _Atomic uint32_t words[PEOPLE];
	struct actor *last = &people[PEOPLE - 1];

	CHECK_EQ(getrlimit(RLIMIT_NPROC, &before), 0);
	enough = before;
	enough.rlim_cur = 2 * PEOPLE;
	if (enough.rlim_max < enough.rlim_cur)
		enough.rlim_max = enough.rlim_cur;
	CHECK_EQ(setrlimit(RLIMIT_NPROC, &enough), 0);
	for (int i = 0; i < PEOPLE; i++) {
		words[i] = 0;
		enter_with(&people[i], 0);
		CHECK_EQ(does(&people[i], LOCK, &words[i]), 0);
		if (i % SEAM)
			waits_for(&people[i], LOCK, &words[i - 1]);
	}
	waits_for(&people[SEAM], LOCK, &words[SEAM - 1]);
	CHECK_EQ(set_policy(last->tid, SCHED_FIFO, 50), 0);
	CHECK_EQ(urgency(&people[SEAM]), -51);
	CHECK_EQ(urgency(&people[PEOPLE - FOLLOWED]), -51);
	CHECK_EQ(urgency(&people[0]), ORDINARY);
	CHECK_EQ(set_policy(people[PEOPLE / 20].tid, SCHED_FIFO, 30), 0);
	CHECK_EQ(urgency(&people[0]), -31);
	enter_with(&late, 0);
	CHECK_EQ(does(&late, LOCK, &words[PEOPLE - 1]), EDEADLK);
	leave_stage(&late);
	CHECK_EQ(set_policy(last->tid, SCHED_OTHER, 0), 0);
	CHECK_EQ(urgency(&people[SEAM]), ORDINARY);
	for (int i = 0; i < PEOPLE; i++) {
		CHECK_EQ(does(&people[i], UNLOCK, &words[i]), 0);
		if (i + 1 < PEOPLE) {
			CHECK_EQ(answer(&people[i + 1]), 0);
			CHECK_EQ(does(&people[i + 1], UNLOCK, &words[i]), 0);
		}
		leave_stage(&people[i]);
	}
	CHECK_EQ(setrlimit(RLIMIT_NPROC, &before), 0);
}

static void nice_values_and_deadlines_are_inherited(void)
{
	struct sched_attr a = { .size = sizeof(a),
				.sched_policy = SCHED_DEADLINE,
				.sched_runtime = 100000,
				.sched_deadline = 10000000,
				.sched_period = 10000000 };
	struct actor owner, other;

	word = 0;
	enter_with(&owner, 0);
	enter_with(&other, 0);
	CHECK_EQ(does(&owner, LOCK, &word), 0);
	CHECK_EQ(setpriority(PRIO_PROCESS, (id_t)other.tid, -5), 0);
	waits_for(&other, LOCK, &word);
	CHECK_EQ(urgency(&owner), ORDINARY - 5);
	CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)owner.tid), 0);
	CHECK_EQ(syscall(SYS_sched_setattr, other.tid, &a, 0), 0);
	CHECK_EQ(urgency(&owner), -101);
	CHECK_EQ(does(&owner, UNLOCK, &word), 0);
	CHECK_EQ(urgency(&owner), ORDINARY);
	CHECK_EQ(answer(&other), 0);
	CHECK_EQ(does(&other, UNLOCK, &word), 0);
	leave_stage(&owner);
	leave_stage(&other);
}

static int set_deadline(int tid, uint64_t runtime)
{
	struct sched_attr a = { .size = sizeof(a),
				.sched_policy = SCHED_DEADLINE,
				.sched_runtime = runtime,
				.sched_deadline = 10000000,
				.sched_period = 10000000 };

	return (int)syscall(SYS_sched_setattr, tid, &a, 0);
}

#define CPUS_MAX 11 /* that this shows it on */

/* Who inherits a deadline uses what its owner has been promised, and does not need the same again: 90% of all
 * CPUs are promised, of 95% that may be; 60% of one twice are too much. */
static void inherited_bandwidth_counts_once(void)
{
	struct actor owner, other, rest[CPUS_MAX];
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus > CPUS_MAX)
		cpus = CPUS_MAX;
	word = 0;
	enter_with(&owner, 0);
	enter_with(&other, 0);
	CHECK_EQ(does(&owner, LOCK, &word), 0);
	CHECK_EQ(set_deadline(other.tid, 6000000), 0);
	waits_for(&other, LOCK, &word);
	CHECK_EQ(urgency(&owner), -101);
	for (int i = 0; i < cpus; i++) {
		enter_with(&rest[i], 0);
		CHECK_EQ(set_deadline(rest[i].tid, i == 0 ? 3000000 : 9000000), 0);
	}
	for (int i = 0; i < cpus; i++)
		leave_stage(&rest[i]);
	CHECK_EQ(does(&owner, UNLOCK, &word), 0);
	CHECK_EQ(answer(&other), 0);
	CHECK_EQ(does(&other, UNLOCK, &word), 0);
	leave_stage(&owner);
	leave_stage(&other);
}

static int child_is_ordinary(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(syscall(SYS_sched_getscheduler, 0) != SCHED_OTHER ||
		      urgency_of(getpid(), getpid()) != ORDINARY);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* What is inherited is not handed on: a child has what was set. */
static void children_have_what_was_set(void)
{
	struct actor other;

	enter_with(&other, 35);
	word = self_id();
	waits_for(&other, LOCK, &word);
	CHECK_EQ(urgency_of(getpid(), getpid()), -36);
	CHECK(child_is_ordinary());
	CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
	CHECK_EQ(urgency_of(getpid(), getpid()), ORDINARY);
	CHECK_EQ(answer(&other), 0);
	CHECK_EQ(does(&other, UNLOCK, &word), 0);
	leave_stage(&other);
}

static void who_waits_in_a_circle_is_told(void)
{
	struct actor a, b;

	word = second = third = 0;
	enter_with(&a, 0);
	enter_with(&b, 0);
	CHECK_EQ(futex(&word, FUTEX_LOCK_PI, NULL), 0);
	CHECK_EQ(does(&a, LOCK, &second), 0);
	CHECK_EQ(does(&b, LOCK, &third), 0);
	waits_for(&a, LOCK, &word);
	waits_for(&b, LOCK, &second);
	CHECK(futex(&third, FUTEX_LOCK_PI, NULL) == -1 && errno == EDEADLK);
	CHECK_EQ(futex(&word, FUTEX_UNLOCK_PI, NULL), 0);
	CHECK_EQ(answer(&a), 0);
	CHECK_EQ(does(&a, UNLOCK, &second), 0);
	CHECK_EQ(answer(&b), 0);
	CHECK_EQ(does(&a, UNLOCK, &word), 0);
	CHECK_EQ(does(&b, UNLOCK, &second), 0);
	CHECK_EQ(does(&b, UNLOCK, &third), 0);
	leave_stage(&a);
	leave_stage(&b);
}

static void the_most_urgent_gets_it(void)
{
	static const int priority[] = { 0, 7, 90, 7, 3 }, expected[] = { 2, 1, 3, 4, 0 };
	enum { N = sizeof(priority) / sizeof(priority[0]) };
	struct actor owner, actor[N];

	word = 0;
	/* Not we: who is as urgent as the most urgent would not see the others come, on one CPU. */
	enter_with(&owner, 0);
	CHECK_EQ(does(&owner, LOCK, &word), 0);
	for (int i = 0; i < N; i++) {
		enter_with(&actor[i], priority[i]);
		waits_for(&actor[i], LOCK, &word);
	}
	CHECK_EQ(does(&owner, UNLOCK, &word), 0);
	leave_stage(&owner);
	for (int i = 0; i < N; i++) {
		struct actor *next = &actor[expected[i]];

		CHECK_EQ(answer(next), 0);
		CHECK_EQ(word & FUTEX_TID_MASK, (uint32_t)next->tid);
		CHECK_EQ(does(next, UNLOCK, &word), 0);
	}
	CHECK_EQ(word, 0);
	for (int i = 0; i < N; i++)
		leave_stage(&actor[i]);
}

/* ---------------------------------------------------------------- owners that end */

static void who_ends_gives_what_he_has(void)
{
	struct actor owner, low, high;

	word = 0;
	enter_with(&owner, 0);
	enter_with(&low, 10);
	enter_with(&high, 20);
	CHECK_EQ(does(&owner, LOCK, &word), 0);
	waits_for(&low, LOCK, &word);
	waits_for(&high, LOCK, &word);
	leave_stage(&owner);
	CHECK_EQ(answer(&high), 0);
	CHECK_EQ(word, (uint32_t)high.tid | FUTEX_OWNER_DIED | FUTEX_WAITERS);
	CHECK_EQ(does(&high, UNLOCK, &word), 0);
	CHECK_EQ(answer(&low), 0);
	CHECK_EQ(word & FUTEX_TID_MASK, (uint32_t)low.tid);
	/* With nobody waiting nobody gets it. */
	leave_stage(&low);
	CHECK_EQ(does(&high, LOCK, &word), ESRCH);
	leave_stage(&high);
}

static _Atomic uint32_t *old_id;
static const char *own_path;

static void *exec_from_here(void *unused)
{
	*old_id = self_id();
	execl(own_path, own_path, "waits", NULL);
	_exit(1);
}

/* Shared with other processes; for no time at all. */
static int error_of_waiting_for(uint32_t id)
{
	static const struct timespec past = { 1, 0 };

	word = id;
	return syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, &past, NULL, 0) == 0 ? 0 : errno;
}

/* A thread that calls exec has its process's id from then on, and nobody its own. */
static void who_has_taken_another_id_has_no_lock_by_the_old_one(void)
{
	int told[2];
	char answer;
	pid_t child;

	old_id = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(old_id != MAP_FAILED && pipe(told) == 0);
	child = fork();
	if (child == 0) {
		pthread_t other;

		dup2(told[1], 1);
		pthread_create(&other, NULL, exec_from_here, NULL);
		for (;;)
			pause();
	}
	close(told[1]);
	CHECK_EQ(read(told[0], &answer, 1), 1);
	CHECK_EQ(error_of_waiting_for(*old_id), ESRCH);
	CHECK_EQ(error_of_waiting_for((uint32_t)child), ETIMEDOUT);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(error_of_waiting_for((uint32_t)child), ESRCH);
	close(told[0]);
	munmap((void *)old_id, 4096);
}

static void make_mutex(pthread_mutex_t *m, int shared, int robust)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
	pthread_mutexattr_setpshared(&attr,
				     shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
	pthread_mutexattr_setrobust(&attr, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
	CHECK_EQ(pthread_mutex_init(m, &attr), 0);
}

struct shared {
	pthread_mutex_t mutex;
	_Atomic int locked;
};

static pid_t process_that_locks(struct shared *s)
{
	pid_t child = fork();

	if (child == 0) {
		s->locked = pthread_mutex_lock(&s->mutex) == 0 ? 1 : -1;
		for (;;)
			pause();
	}
	return child;
}

/* Whether somebody waits already or not: the next owner is told, and can go on. */
static void a_killed_owner_is_told_of(void)
{
	struct shared *s =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(s != MAP_FAILED);
	make_mutex(&s->mutex, 1, 1);
	for (int waits = 0; waits < 2; waits++) {
		pid_t owner, waiter = 0;
		int status;

		s->locked = 0;
		owner = process_that_locks(s);
		while (!s->locked)
			sched_yield();
		CHECK_EQ(s->locked, 1);
		if (waits && (waiter = fork()) == 0) {
			int r = pthread_mutex_lock(&s->mutex);

			_exit(r == EOWNERDEAD && pthread_mutex_consistent(&s->mutex) == 0 &&
					      pthread_mutex_unlock(&s->mutex) == 0
				      ? 0
				      : 1);
		}
		if (waits)
			wait_asleep(waiter, waiter);
		kill(owner, SIGKILL);
		CHECK_EQ(waitpid(owner, NULL, 0), owner);
		if (waits) {
			CHECK_EQ(waitpid(waiter, &status, 0), waiter);
			CHECK_EQ(status, 0);
		} else {
			CHECK_EQ(pthread_mutex_lock(&s->mutex), EOWNERDEAD);
			CHECK_EQ(pthread_mutex_consistent(&s->mutex), 0);
			CHECK_EQ(pthread_mutex_unlock(&s->mutex), 0);
		}
		CHECK_EQ(pthread_mutex_lock(&s->mutex), 0);
		CHECK_EQ(pthread_mutex_unlock(&s->mutex), 0);
	}
	munmap(s, 4096);
}

/* ---------------------------------------------------------------- mutexes */

static pthread_mutex_t mutexes[4];
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn_of;

static void *take_turns(void *argument)
{
	int me = (int)(long)argument;

	for (int i = 0; i < 300; i++) {
		if (pthread_mutex_lock(&mutexes[0]) != 0)
			return "lock";
		while (turn_of != me)
			pthread_cond_wait(&changed, &mutexes[0]);
		turn_of = !me;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&mutexes[0]);
	}
	return NULL;
}

static void conditions_work_with_them(void)
{
	pthread_t one;
	void *wrong;

	make_mutex(&mutexes[0], 0, 0);
	turn_of = 0;
	CHECK_EQ(pthread_create(&one, NULL, take_turns, (void *)1L), 0);
	CHECK(take_turns((void *)0L) == NULL);
	CHECK_EQ(pthread_join(one, &wrong), 0);
	CHECK(wrong == NULL);
}

#define NOISY 8
#define ROUNDS 300
#define MUTEXES 4

struct noisy {
	pthread_t thread;
	_Atomic int tid;
	unsigned random;
	long had[MUTEXES]; /* how often it had each */
	const char *wrong;
};

static long counters[MUTEXES]; /* each under its mutex */
static pthread_barrier_t all_through;
static _Atomic int still_noisy;

static int lock_somehow(pthread_mutex_t *m, unsigned how)
{
	struct timespec soon;

	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec += how >> 2 & 1; /* some have no time at all */
	return how & 1   ? pthread_mutex_lock(m)
	       : how & 2 ? pthread_mutex_trylock(m)
			 : pthread_mutex_timedlock(m, &soon);
}

/* Several at a time, in their order. */
static unsigned lock_some(struct noisy *n)
{
	unsigned held = 0;

	for (unsigned m = 0; m < MUTEXES; m++) {
		unsigned chance = (unsigned)rand_r(&n->random) >> 8;
		int r;

		if (chance & 1)
			continue;
		r = lock_somehow(&mutexes[m], chance >> 1);
		if (r == 0)
			held |= 1u << m;
		else if (r != EBUSY && r != ETIMEDOUT)
			n->wrong = "a lock";
	}
	return held;
}

static void count_and_unlock(struct noisy *n, unsigned held)
{
	for (unsigned m = 0; m < MUTEXES; m++) {
		volatile long *counter = &counters[m];
		long before = *counter;

		if (!(held >> m & 1))
			continue;
		if (rand_r(&n->random) >> 8 & 1)
			sched_yield();
		*counter = before + 1;
		n->had[m]++;
		if (pthread_mutex_unlock(&mutexes[m]) != 0)
			n->wrong = "an unlock";
	}
}

static void *be_noisy(void *argument)
{
	struct noisy *n = argument;

	n->tid = (int)self_id();
	for (int i = 0; i < ROUNDS && !n->wrong; i++)
		count_and_unlock(n, lock_some(n));
	still_noisy--;
	pthread_barrier_wait(&all_through);
	pthread_barrier_wait(&all_through);
	return NULL;
}

/* Locks in locks, with ends of time and changes of priority in between: nobody has what another has, and at
 * the end nobody is more urgent than he was made. */
static void a_tumult_leaves_all_as_they_were(void)
{
	struct noisy noisy[NOISY] = { 0 };
	unsigned random = 7;

	pthread_barrier_init(&all_through, NULL, NOISY + 1);
	still_noisy = NOISY;
	for (int m = 0; m < MUTEXES; m++) {
		make_mutex(&mutexes[m], 0, 0);
		counters[m] = 0;
	}
	for (unsigned i = 0; i < NOISY; i++) {
		noisy[i].random = i + 1;
		CHECK_EQ(pthread_create(&noisy[i].thread, NULL, be_noisy, &noisy[i]), 0);
	}
	while (still_noisy) {
		int tid = noisy[(unsigned)rand_r(&random) >> 8 & (NOISY - 1)].tid;

		if (tid && rand_r(&random) >> 8 & 1)
			set_policy(tid, SCHED_OTHER, 0);
		else if (tid)
			set_policy(tid, SCHED_RR, 1 + (rand_r(&random) >> 8) % 50);
		sched_yield();
	}
	pthread_barrier_wait(&all_through);
	for (unsigned i = 0; i < NOISY; i++) {
		CHECK_EQ(set_policy(noisy[i].tid, SCHED_OTHER, 0), 0);
		CHECK_EQ(urgency_of(getpid(), noisy[i].tid), ORDINARY);
	}
	pthread_barrier_wait(&all_through);
	for (unsigned i = 0; i < NOISY; i++) {
		CHECK_EQ(pthread_join(noisy[i].thread, NULL), 0);
		CHECK(!noisy[i].wrong);
		for (int m = 0; m < MUTEXES; m++)
			counters[m] -= noisy[i].had[m];
	}
	for (int m = 0; m < MUTEXES; m++)
		CHECK_EQ(counters[m], 0);
}

/* ---------------------------------------------------------------- inversion */

#define SPINS 20000000u

static pthread_mutex_t between;
static sem_t locked, may_unlock;
static _Atomic int high_has_it, middle_gave_up;

static void *low_locks(void *unused)
{
	pthread_mutex_lock(&between);
	sem_post(&locked);
	sem_wait(&may_unlock);
	pthread_mutex_unlock(&between);
	return NULL;
}

static void *high_locks(void *unused)
{
	pthread_mutex_lock(&between);
	high_has_it = 1;
	pthread_mutex_unlock(&between);
	return NULL;
}

/* Has nothing to do with the mutex. */
static void *middle_computes(void *unused)
{
	for (unsigned i = 0; i < SPINS && !high_has_it; i++)
		;
	middle_gave_up = !high_has_it;
	return NULL;
}

static pthread_t start_with(void *(*run)(void *), int priority)
{
	struct sched_param p = { .sched_priority = priority };
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &p);
	CHECK_EQ(pthread_create(&thread, &attr, run, NULL), 0);
	return thread;
}

/* On one CPU, by strict priorities.  Has the one in the middle had to give up before the most urgent one got
 * what the least urgent has? */
static int middle_goes_first(void)
{
	pthread_t low, middle, high;

	high_has_it = middle_gave_up = 0;
	sem_init(&locked, 0, 0);
	sem_init(&may_unlock, 0, 0);
	low = start_with(low_locks, 10);
	sem_wait(&locked);
	high = start_with(high_locks, 30);
	/* When we run again all of them have gone as far as they can. */
	CHECK_EQ(set_policy(0, SCHED_FIFO, 5), 0);
	CHECK_EQ(set_policy(0, SCHED_FIFO, 40), 0);
	middle = start_with(middle_computes, 20);
	sem_post(&may_unlock);
	CHECK_EQ(pthread_join(high, NULL), 0);
	CHECK_EQ(pthread_join(middle, NULL), 0);
	CHECK_EQ(pthread_join(low, NULL), 0);
	return middle_gave_up;
}

static void low_keeps_high_waiting_only_while_it_has_the_lock(void)
{
	char before[NAME_ROOM];
	cpu_set_t all, one;
	int without, with;

	current_scheduler(before);
	CHECK_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_EQ(tell("sched", "prio"), 0);
	CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	CHECK_EQ(set_policy(0, SCHED_FIFO, 40), 0);
	CHECK_EQ(pthread_mutex_init(&between, NULL), 0);
	without = middle_goes_first();
	make_mutex(&between, 0, 0);
	with = middle_goes_first();
	CHECK_EQ(set_policy(0, SCHED_OTHER, 0), 0);
	CHECK_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
	CHECK_EQ(tell("sched", before), 0);
	CHECK_EQ(without, 1);
	CHECK_EQ(with, 0);
}

/* What exec_from_here() becomes. */
static void wait_in_another_program(void)
{
	if (write(1, "", 1) == 1)
		for (;;)
			pause();
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 1)
		wait_in_another_program();
	RUN(words_say_who_has_them);
	RUN(what_is_wrong_is_an_error);
	RUN(no_other_process_has_a_private_lock);
	RUN(a_word_that_lies_is_an_error);
	RUN(signals_do_not_end_the_wait);
	RUN(the_owner_is_as_urgent_as_who_waits);
	RUN(the_most_urgent_counts);
	RUN(urgency_passes_along_chains);
	RUN(a_chain_is_followed_so_far_and_no_further);
	RUN(nice_values_and_deadlines_are_inherited);
	RUN(children_have_what_was_set);
	RUN(who_waits_in_a_circle_is_told);
	RUN(the_most_urgent_gets_it);
	RUN(who_ends_gives_what_he_has);
	RUN(who_has_taken_another_id_has_no_lock_by_the_old_one);
	RUN(a_killed_owner_is_told_of);
	RUN(conditions_work_with_them);
	RUN(a_tumult_leaves_all_as_they_were);
	RUN(inherited_bandwidth_counts_once);
	RUN(low_keeps_high_waiting_only_while_it_has_the_lock);
	return test_result();
}
