/* SPDX-License-Identifier: MIT */
/* Timers and their signals: what comes of expiries that nobody hears of, and clocks of CPU time with many
 * threads. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "in_child.h"
#include "test.h"

#define MS 1000000ll
#define SECOND (1000 * MS)
#define TRIES 5 /* of what may come too late once, on a busy host, but not each time */
#define CLOCK_OF_THREAD(tid) ((clockid_t)(~(unsigned)(tid) << 3 | 6)) /* Linux's */

static volatile sig_atomic_t count;

static void tick(int number)
{
	count++;
}

static long long now_on(clockid_t clock)
{
	struct timespec t;

	CHECK(clock_gettime(clock, &t) == 0);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static sigset_t block(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	return set;
}

static bool is_pending(int number)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, number);
}

static void wait_until_pending(int number)
{
	while (!is_pending(number))
		sched_yield();
}

static timer_t timer_with(clockid_t clock, int number, int value)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = number,
				  .sigev_value.sival_int = value };
	timer_t timer;

	CHECK(timer_create(clock, &event, &timer) == 0);
	return timer;
}

static void set(timer_t timer, int flags, long long ns, long long interval_ns)
{
	struct itimerspec setting = { { interval_ns / SECOND, interval_ns % SECOND },
				      { ns / SECOND, ns % SECOND } };

	CHECK(timer_settime(timer, flags, &setting, NULL) == 0);
}

static bool has_expired(timer_t timer)
{
	struct itimerspec left;

	CHECK(timer_gettime(timer, &left) == 0);
	return left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0;
}

static void timers_with_one_signal_are_all_heard(void)
{
	sigset_t wanted = block(SIGUSR1);
	timer_t timers[3];
	siginfo_t info;
	int heard = 0;

	kill(getpid(), SIGUSR1);
	for (int i = 0; i < 3; i++) {
		timers[i] = timer_with(CLOCK_MONOTONIC, SIGUSR1, 1 << i);
		set(timers[i], 0, 1, 0);
	}
	for (int i = 0; i < 3; i++)
		while (!has_expired(timers[i]))
			sched_yield();
	CHECK_EQ(sigwaitinfo(&wanted, &info), SIGUSR1);
	CHECK_EQ(info.si_code, SI_USER);
	for (int i = 0; i < 3; i++) {
		CHECK(is_pending(SIGUSR1));
		CHECK_EQ(sigwaitinfo(&wanted, &info), SIGUSR1);
		CHECK_EQ(info.si_code, SI_TIMER);
		heard |= info.si_value.sival_int;
		CHECK(timer_delete(timers[i]) == 0);
	}
	CHECK_EQ(heard, 7);
	CHECK(!is_pending(SIGUSR1));
}

/* What they have sent stays sent, but not more than can be queued. */
static void deleted_timers_leave_no_more_than_the_queue_holds(void)
{
	sigset_t wanted = block(SIGRTMIN);
	struct timespec now = { 0, 0 };
	struct rlimit limit;
	unsigned long heard = 0;

	CHECK(getrlimit(RLIMIT_SIGPENDING, &limit) == 0);
	for (unsigned i = 0; i < 1500; i++) {
		timer_t timer = timer_with(CLOCK_MONOTONIC, SIGRTMIN, 0);

		set(timer, 0, 1, 0);
		while (!has_expired(timer))
			sched_yield();
		CHECK(timer_delete(timer) == 0);
	}
	while (sigtimedwait(&wanted, NULL, &now) == SIGRTMIN)
		heard++;
	CHECK_EQ(errno, EAGAIN);
	CHECK(heard > 0 && heard <= limit.rlim_cur);
}

/* Since 1970 there were more nanoseconds than can be counted. */
static void more_than_can_be_counted_is_the_most(void)
{
	timer_t timer = timer_with(CLOCK_REALTIME, SIGUSR1, 0);
	sigset_t wanted = block(SIGUSR1);
	struct itimerspec left;
	siginfo_t info;

	set(timer, TIMER_ABSTIME, 1, 1);
	wait_until_pending(SIGUSR1);
	for (long long start = now_on(CLOCK_MONOTONIC); now_on(CLOCK_MONOTONIC) - start < 5 * MS;)
		CHECK(timer_gettime(timer, &left) == 0);
	CHECK_EQ(sigwaitinfo(&wanted, &info), SIGUSR1);
	CHECK_EQ(info.si_overrun, INT_MAX);
	CHECK_EQ(timer_getoverrun(timer), INT_MAX);
	set(timer, 0, 0, 0);
	CHECK_EQ(timer_getoverrun(timer), 0);
	CHECK(timer_delete(timer) == 0);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
}

static void a_periodic_timer_goes_on_when_its_signal_is_taken(void)
{
	timer_t timer = timer_with(CLOCK_MONOTONIC, SIGUSR1, 0);
	sigset_t wanted = block(SIGUSR1);
	siginfo_t info;

	set(timer, 0, 1, 1);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(sigwaitinfo(&wanted, &info), SIGUSR1);
	/* Thrown away is as good as taken; what is ignored for long is heard again. */
	for (int i = 0; i < 20; i++) {
		wait_until_pending(SIGUSR1);
		signal(SIGUSR1, SIG_IGN);
		signal(SIGUSR1, SIG_DFL);
	}
	signal(SIGUSR1, SIG_IGN);
	CHECK(sigprocmask(SIG_UNBLOCK, &wanted, NULL) == 0);
	usleep(20000);
	signal(SIGUSR1, tick);
	for (count = 0; count < 20;)
		sched_yield();
	set(timer, 0, 0, 0);
	CHECK(timer_delete(timer) == 0);
}

static void what_cannot_be_told_is_refused(void)
{
	struct sigevent event = { .sigev_signo = SIGUSR1 };
	timer_t timer;

	for (int notify = 0; notify < 8; notify++) {
		bool is_known = notify <= SIGEV_THREAD || notify == SIGEV_THREAD_ID;
		int id, error;

		event.sigev_notify = notify;
		event.sigev_notify_thread_id = gettid();
		error = (int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0 ? 0
											  : errno;
		CHECK_EQ(error, is_known ? 0 : EINVAL);
		if (error == 0)
			CHECK(syscall(SYS_timer_delete, id) == 0);
	}
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = 65;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == -1 && errno == EINVAL);
}

/* ---- what nobody hears */

#define SLEEPERS 12
#define TIMERS_EACH 30

static _Noreturn void sleep_with_timers(int ready)
{
	struct itimerval often = { { 0, 1 }, { 0, 1 } };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < TIMERS_EACH; i++)
		set(timer_with(CLOCK_MONOTONIC, SIGRTMIN + i % 20, 0), 0, 1, 1);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	CHECK(write(ready, "r", 1) == 1);
	for (;;)
		pause();
}

/* Of a task that nobody but events keeps from its CPU. */
static bool has_most_of_its_cpu(void)
{
	long long start = now_on(CLOCK_MONOTONIC), used = -now_on(CLOCK_THREAD_CPUTIME_ID);

	while (now_on(CLOCK_MONOTONIC) - start < 100 * MS)
		;
	used += now_on(CLOCK_THREAD_CPUTIME_ID);
	return used > (now_on(CLOCK_MONOTONIC) - start) / 2;
}

static void timers_that_nobody_hears_cost_nobody_time(void)
{
	pid_t sleepers[SLEEPERS];
	bool found = false;
	int ready[2];
	char byte;

	CHECK(pipe(ready) == 0);
	for (int i = 0; i < SLEEPERS; i++) {
		sleepers[i] = fork();
		if (sleepers[i] == 0)
			sleep_with_timers(ready[1]);
	}
	for (int i = 0; i < SLEEPERS; i++)
		CHECK(read(ready[0], &byte, 1) == 1);
	for (int try = 0; try < TRIES && !found; try++)
		found = has_most_of_its_cpu();
	for (int i = 0; i < SLEEPERS; i++) {
		kill(sleepers[i], SIGKILL);
		CHECK(waitpid(sleepers[i], NULL, 0) == sleepers[i]);
	}
	close(ready[0]);
	close(ready[1]);
	CHECK(found);
}

/* ---- exec */

static int look_after_exec(void)
{
	if (is_pending(SIGUSR1) || is_pending(SIGRTMIN))
		return 1;
	return is_pending(SIGUSR2) ? 0 : 2;
}

static int execute_with_signals_pending(void)
{
	block(SIGUSR1);
	block(SIGUSR2);
	block(SIGRTMIN);
	kill(getpid(), SIGUSR2);
	set(timer_with(CLOCK_MONOTONIC, SIGUSR1, 0), 0, 1, 1);
	set(timer_with(CLOCK_MONOTONIC, SIGUSR2, 0), 0, 1, 1);
	set(timer_with(CLOCK_MONOTONIC, SIGRTMIN, 0), 0, 1, 0);
	wait_until_pending(SIGUSR1);
	wait_until_pending(SIGRTMIN);
	execl("/proc/self/exe", "timers", "after-exec", NULL);
	return 3;
}

/* As on Linux, where what was sent by a timer goes with it; by others it stays. */
static void what_timers_have_sent_ends_with_exec(void)
{
	CHECK_EQ(in_child(execute_with_signals_pending), 0);
}

/* ---- CPU time */

static atomic_bool is_over;
static _Atomic int thread_id;
static volatile long long used_at_signal;

static void note_used(int number)
{
	struct timespec t;

	if (used_at_signal != 0)
		return;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	used_at_signal = t.tv_sec * SECOND + t.tv_nsec;
}

static void *work(void *argument)
{
	while (!is_over)
		;
	return NULL;
}

static int profile_threads_made_later(void)
{
	struct itimerval once = { { 0, 0 }, { 0, 400000 } };
	pthread_t threads[4];
	long long start = now_on(CLOCK_PROCESS_CPUTIME_ID);

	signal(SIGPROF, note_used);
	setitimer(ITIMER_PROF, &once, NULL);
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			return 2;
	while (used_at_signal == 0)
		;
	is_over = true;
	return used_at_signal - start < 600 * MS ? 0 : 1;
}

static void cpu_time_of_threads_made_later_counts(void)
{
	int result = 1;

	for (int try = 0; try < TRIES && result != 0; try++)
		result = in_child(profile_threads_made_later);
	CHECK_EQ(result, 0);
}

static int use_no_time_at_all(void)
{
	struct rlimit limit = { 0, 60 };

	signal(SIGXCPU, tick);
	setrlimit(RLIMIT_CPU, &limit);
	while (count == 0)
		;
	getrlimit(RLIMIT_CPU, &limit);
	return limit.rlim_cur == 1 ? 0 : 1;
}

static void a_limit_of_no_cpu_time_is_reached_at_once(void)
{
	int result = 1;

	count = 0;
	for (int try = 0; try < TRIES && result != 0; try++)
		result = in_child(use_no_time_at_all);
	CHECK_EQ(result, 0);
}

static void *tell_and_wait(void *argument)
{
	thread_id = (int)syscall(SYS_gettid);
	while (!is_over)
		sched_yield();
	return NULL;
}

static void a_threads_clock_is_read_by_its_process(void)
{
	struct timespec t;
	pthread_t thread;

	is_over = false;
	CHECK(clock_gettime(CLOCK_OF_THREAD(1), &t) == -1 && errno == EINVAL);
	CHECK(clock_gettime(CLOCK_OF_THREAD(getppid()), &t) == -1 && errno == EINVAL);
	CHECK(pthread_create(&thread, NULL, tell_and_wait, NULL) == 0);
	while (thread_id == 0)
		sched_yield();
	CHECK(clock_gettime(CLOCK_OF_THREAD(thread_id), &t) == 0);
	is_over = true;
	CHECK(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return look_after_exec();
	RUN(timers_with_one_signal_are_all_heard);
	RUN(deleted_timers_leave_no_more_than_the_queue_holds);
	RUN(more_than_can_be_counted_is_the_most);
	RUN(a_periodic_timer_goes_on_when_its_signal_is_taken);
	RUN(what_cannot_be_told_is_refused);
	RUN(timers_that_nobody_hears_cost_nobody_time);
	RUN(what_timers_have_sent_ends_with_exec);
	RUN(cpu_time_of_threads_made_later_counts);
	RUN(a_limit_of_no_cpu_time_is_reached_at_once);
	RUN(a_threads_clock_is_read_by_its_process);
	return test_result();
}
