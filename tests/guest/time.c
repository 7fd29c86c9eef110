/* SPDX-License-Identifier: MIT */
/* Clocks, sleeps and timers. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define MS 1000000ll

static long long now_on(clockid_t clock)
{
	struct timespec t;

	CHECK(clock_gettime(clock, &t) == 0);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static long long now(void)
{
	return now_on(CLOCK_MONOTONIC);
}

static volatile sig_atomic_t count, overruns;

static void tick(int number)
{
	count++;
}

static void monotonic_time_does_not_go_back(void)
{
	long long last = now();

	for (int i = 0; i < 100000; i++) {
		long long t = now();

		CHECK(t >= last);
		last = t;
	}
}

static void real_time_is_in_this_century_and_can_be_set(void)
{
	struct timespec before, after;
	struct timeval t;

	CHECK(clock_gettime(CLOCK_REALTIME, &before) == 0);
	CHECK(before.tv_sec > 1700000000);
	CHECK(gettimeofday(&t, NULL) == 0 && t.tv_sec - before.tv_sec <= 1);
	CHECK(time(NULL) - before.tv_sec <= 1);
	before.tv_sec += 1000;
	CHECK(clock_settime(CLOCK_REALTIME, &before) == 0);
	CHECK(clock_gettime(CLOCK_REALTIME, &after) == 0);
	CHECK(after.tv_sec - before.tv_sec <= 1 && after.tv_sec >= before.tv_sec);
	after.tv_sec -= 1000;
	CHECK(clock_settime(CLOCK_REALTIME, &after) == 0);
	errno = 0;
	CHECK(clock_gettime(99, &after) == -1 && errno == EINVAL);
}

static void sleeps_are_never_too_short(void)
{
	for (int ms = 1; ms <= 20; ms += 5) {
		struct timespec t = { .tv_nsec = ms * MS };
		long long start = now();

		CHECK(nanosleep(&t, NULL) == 0);
		CHECK(now() - start >= ms * MS);
		CHECK(now() - start < 30000 * MS);
	}
	struct timespec bad = { .tv_nsec = -1 };
	errno = 0;
	CHECK(nanosleep(&bad, NULL) == -1 && errno == EINVAL);
}

static void a_sleep_until_a_time_ends_then(void)
{
	long long until = now() + 15 * MS;
	struct timespec t = { until / (1000 * MS), until % (1000 * MS) };

	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0);
	CHECK(now() >= until);
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0);
	until = now_on(CLOCK_REALTIME) + 10 * MS;
	t = (struct timespec){ until / (1000 * MS), until % (1000 * MS) };
	CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == 0);
	CHECK(now_on(CLOCK_REALTIME) >= until);
}

static void an_interrupted_sleep_says_what_is_left(void)
{
	/* Again and again: the first may come before we sleep. */
	struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }, off = { { 0, 0 }, { 0, 0 } };
	struct timespec t = { .tv_sec = 30 }, left = { 0 };

	signal(SIGALRM, tick);
	count = 0;
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	errno = 0;
	CHECK(nanosleep(&t, &left) == -1 && errno == EINTR);
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	CHECK(count >= 1);
	CHECK(left.tv_sec < 30 && (left.tv_sec > 0 || left.tv_nsec > 0));
}

static void a_stopped_sleep_goes_on_to_its_end(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct timespec t = { .tv_nsec = 100 * MS };
		long long start = now();
		int r = nanosleep(&t, NULL);

		_exit(r != 0 || now() - start < 100 * MS);
	}
	usleep(20000);
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	usleep(20000);
	kill(child, SIGCONT);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void interval_timers_repeat_and_can_be_read(void)
{
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } }, read_back, off = { { 0, 0 }, { 0, 0 } };

	signal(SIGALRM, tick);
	count = 0;
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	CHECK(getitimer(ITIMER_REAL, &read_back) == 0);
	CHECK(read_back.it_interval.tv_usec == 10000 && read_back.it_value.tv_usec <= 10000);
	while (count < 5)
		pause();
	CHECK(setitimer(ITIMER_REAL, &off, &read_back) == 0);
	CHECK(read_back.it_interval.tv_usec == 10000);
	int seen = count;
	usleep(50000);
	CHECK_EQ(count, seen);
	alarm(1000);
	unsigned left = alarm(0);
	CHECK(left > 900 && left <= 1000);
	CHECK_EQ(alarm(0), 0);
}

/* POSIX leaves it open; Linux keeps it for timers of CPU time only. */
static void a_timer_that_is_disarmed_has_no_interval(void)
{
	struct itimerval often = { { 9, 0 }, { 0, 0 } }, left, off = { { 0, 0 }, { 0, 0 } };
	struct itimerspec ticks = { { 9, 0 }, { 100, 0 } }, read_back;
	timer_t timer;

	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0 && getitimer(ITIMER_REAL, &left) == 0);
	CHECK_EQ(left.it_interval.tv_sec, 0);
	CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0 && getitimer(ITIMER_PROF, &left) == 0);
	CHECK_EQ(left.it_interval.tv_sec, 9);
	CHECK(setitimer(ITIMER_PROF, &off, NULL) == 0);
	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
	CHECK(timer_settime(timer, 0, &ticks, NULL) == 0 && timer_gettime(timer, &read_back) == 0);
	CHECK_EQ(read_back.it_interval.tv_sec, 9);
	ticks.it_value.tv_sec = 0;
	CHECK(timer_settime(timer, 0, &ticks, &read_back) == 0);
	CHECK_EQ(read_back.it_interval.tv_sec, 9);
	CHECK(timer_gettime(timer, &read_back) == 0);
	CHECK(read_back.it_interval.tv_sec == 0 && read_back.it_value.tv_sec == 0);
	CHECK(timer_delete(timer) == 0);
}

/* What a handler has ended is not gone on with when the handler returns to another that would be. */
static void an_interrupted_sleep_is_not_gone_on_with(void)
{
	struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }, off = { { 0, 0 }, { 0, 0 } };
	struct timespec t = { .tv_sec = 30 };
	int seen;

	signal(SIGALRM, tick);
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	CHECK(nanosleep(&t, NULL) == -1 && errno == EINTR);
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	seen = count;
	alarm(20); /* ends it if it is */
	CHECK(syscall(SYS_restart_syscall) == -1 && errno == EINTR);
	alarm(0);
	CHECK_EQ(count, seen);
}

static void cpu_time_timers_count_cpu_time(void)
{
	struct itimerval timer = { { 0, 0 }, { 0, 150000 } };

	signal(SIGPROF, tick);
	count = 0;
	CHECK(setitimer(ITIMER_PROF, &timer, NULL) == 0);
	usleep(170000);
	CHECK_EQ(count, 0);
	long long start = now();
	while (count == 0)
		CHECK(now() - start < 30000 * MS);
}

static void clocks_of_cpu_time_advance_with_work_only(void)
{
	long long start = now_on(CLOCK_PROCESS_CPUTIME_ID), begun, slept;
	volatile long work = 0;

	usleep(50000);
	slept = now_on(CLOCK_PROCESS_CPUTIME_ID) - start;
	CHECK(slept < 40 * MS);
	start = now_on(CLOCK_THREAD_CPUTIME_ID);
	begun = now();
	while (now() - begun < 100 * MS)
		work++;
	CHECK(now_on(CLOCK_THREAD_CPUTIME_ID) - start > 5 * MS);
}

/* More threads than CPUs, so that each is stopped often; each looks at its own clock, the process's, and
 * that of the next. */
#define LOOKERS 6
static struct looker {
	pthread_t thread;
	clockid_t clocks[3];
	_Atomic long went_back[3]; /* the most that each did, in nanoseconds */
} lookers[LOOKERS];
static pthread_barrier_t lookers_start, lookers_end;

static void *look_at_clocks(void *argument)
{
	struct looker *l = argument;
	long long last[3] = { 0 }, end;

	pthread_barrier_wait(&lookers_start);
	for (end = now() + 1500 * MS; now() < end;) {
		for (int i = 0; i < 100 * 3; i++) {
			struct timespec t;
			long long ns;

			clock_gettime(l->clocks[i % 3], &t);
			ns = t.tv_sec * 1000 * MS + t.tv_nsec;
			if (last[i % 3] - ns > l->went_back[i % 3])
				l->went_back[i % 3] = last[i % 3] - ns;
			last[i % 3] = ns;
		}
	}
	pthread_barrier_wait(&lookers_end);
	return NULL;
}

static void clocks_of_cpu_time_do_not_go_back(void)
{
	long most[3] = { 0 };

	pthread_barrier_init(&lookers_start, NULL, LOOKERS + 1);
	pthread_barrier_init(&lookers_end, NULL, LOOKERS + 1);
	for (int i = 0; i < LOOKERS; i++)
		CHECK(pthread_create(&lookers[i].thread, NULL, look_at_clocks, &lookers[i]) == 0);
	for (int i = 0; i < LOOKERS; i++) {
		lookers[i].clocks[0] = CLOCK_THREAD_CPUTIME_ID;
		lookers[i].clocks[1] = CLOCK_PROCESS_CPUTIME_ID;
		pthread_getcpuclockid(lookers[(i + 1) % LOOKERS].thread, &lookers[i].clocks[2]);
	}
	pthread_barrier_wait(&lookers_start);
	pthread_barrier_wait(&lookers_end);
	for (int i = 0; i < LOOKERS; i++) {
		pthread_join(lookers[i].thread, NULL);
		for (int clock = 0; clock < 3; clock++)
			if (lookers[i].went_back[clock] > most[clock])
				most[clock] = lookers[i].went_back[clock];
	}
	CHECK_EQ(most[0], 0);
	CHECK_EQ(most[1], 0);
	CHECK_EQ(most[2], 0);
}

static void note_overrun(int number, siginfo_t *info, void *context)
{
	count++;
	overruns += info->si_overrun;
	CHECK(info->si_code == SI_TIMER);
}

static void posix_timers_count_what_they_miss(void)
{
	struct sigaction action = { .sa_sigaction = note_overrun, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec fast = { { 0, 2 * MS }, { 0, 2 * MS } }, read_back;
	sigset_t set;
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	count = overruns = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(timer_settime(timer, 0, &fast, NULL) == 0);
	usleep(40000);
	CHECK(timer_gettime(timer, &read_back) == 0);
	CHECK(read_back.it_interval.tv_nsec == 2 * MS && read_back.it_value.tv_nsec <= 2 * MS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK(timer_delete(timer) == 0);
	CHECK(count >= 1 && overruns >= 5);
	CHECK(timer_delete(timer) != 0);
}

static void what_a_deleted_timer_has_sent_says_so(void)
{
	struct sigaction action = { .sa_sigaction = note_overrun, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec once = { { 0, 0 }, { 0, 1 } };
	sigset_t set, pending;
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	count = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &once, NULL) == 0);
	do
		sigpending(&pending);
	while (!sigismember(&pending, SIGUSR1));
	CHECK(timer_delete(timer) == 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK_EQ(count, 1);
}

static void a_timer_that_is_too_fast_leaves_time_for_others(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec fastest = { { 0, 1 }, { 0, 1 } };
	struct itimerval fast = { { 0, 1 }, { 0, 1 } }, off = { { 0, 0 }, { 0, 0 } };
	long long start = now();
	timer_t timer;

	signal(SIGUSR1, tick);
	signal(SIGALRM, tick);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &fastest, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &fast, NULL) == 0);
	while (now() - start < 100 * MS)
		;
	CHECK(timer_delete(timer) == 0);
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	CHECK(now() - start < 30000 * MS);
}

static volatile int told;

static void tell(union sigval value)
{
	told = value.sival_int;
}

static void a_timer_can_call_a_function_in_a_thread(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell,
				  .sigev_value.sival_int = 42 };
	struct itimerspec soon = { .it_value.tv_nsec = 5 * MS };
	timer_t timer;

	told = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
	for (int i = 0; i < 20000 && told == 0; i++)
		usleep(1000);
	CHECK_EQ(told, 42);
	timer_delete(timer);
}

/* ---- what follows the clock when it is set */

static void set_later_by(long seconds)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
	t.tv_sec += seconds;
	CHECK(clock_settime(CLOCK_REALTIME, &t) == 0);
}

/* A timer with this clock, which is to expire `ms` from now, at that time of day or after so long. */
static timer_t timer_in(clockid_t clock, int flags, long long ms, long long interval_ms)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	long long at = ms * MS + ((flags & TIMER_ABSTIME) != 0 ? now_on(clock) : 0);
	struct itimerspec set = { { interval_ms / 1000, interval_ms % 1000 * MS },
				  { at / (1000 * MS), at % (1000 * MS) } };
	timer_t timer;

	CHECK(timer_create(clock, &event, &timer) == 0);
	CHECK(timer_settime(timer, flags, &set, NULL) == 0);
	return timer;
}

static long long left_of(timer_t timer)
{
	struct itimerspec left;

	CHECK(timer_gettime(timer, &left) == 0);
	return left.it_value.tv_sec;
}

static void wait_for_count(int wanted)
{
	for (int i = 0; i < 20000 && count < wanted; i++)
		usleep(1000);
	CHECK_EQ(count, wanted);
}

/* POSIX, clock_settime(): a time of day comes when the clock says so, relative times are as long as they
 * were. */
static void a_timer_for_a_time_of_day_follows_the_clock(void)
{
	timer_t by_day, after, monotonic;

	signal(SIGUSR1, tick);
	count = 0;
	by_day = timer_in(CLOCK_REALTIME, TIMER_ABSTIME, 1000000, 0);
	after = timer_in(CLOCK_REALTIME, 0, 1000000, 0);
	monotonic = timer_in(CLOCK_MONOTONIC, TIMER_ABSTIME, 1000000, 0);
	set_later_by(-500);
	CHECK(left_of(by_day) > 1400 && left_of(by_day) <= 1500);
	set_later_by(2000);
	wait_for_count(1);
	CHECK_EQ(left_of(by_day), 0);
	CHECK(left_of(after) > 900 && left_of(after) <= 1000);
	CHECK(left_of(monotonic) > 900 && left_of(monotonic) <= 1000);
	set_later_by(-1500);
	usleep(10000);
	CHECK_EQ(count, 1);
	CHECK(timer_delete(by_day) == 0 && timer_delete(after) == 0 &&
	      timer_delete(monotonic) == 0);
	by_day = timer_in(CLOCK_TAI, TIMER_ABSTIME, 1000000, 0);
	set_later_by(2000);
	wait_for_count(2);
	set_later_by(-2000);
	CHECK(timer_delete(by_day) == 0);
}

static void a_timer_for_a_time_of_day_is_not_early(void)
{
	long long start = now_on(CLOCK_REALTIME);
	timer_t timer;

	signal(SIGUSR1, tick);
	count = 0;
	timer = timer_in(CLOCK_REALTIME, TIMER_ABSTIME, 100, 0);
	set_later_by(-1);
	wait_for_count(1);
	CHECK(now_on(CLOCK_REALTIME) >= start + 100 * MS);
	CHECK(timer_delete(timer) == 0);
	set_later_by(1);
}

/* What the clock has been set past has not been told, but counts. */
static void what_the_clock_leaps_over_is_missed(void)
{
	struct sigaction action = { .sa_sigaction = note_overrun, .sa_flags = SA_SIGINFO };
	timer_t timer = timer_in(CLOCK_REALTIME, TIMER_ABSTIME, 1000000, 1000000);

	sigaction(SIGUSR1, &action, NULL);
	count = overruns = 0;
	set_later_by(10500);
	wait_for_count(1);
	CHECK_EQ(overruns, 9);
	CHECK(left_of(timer) > 400 && left_of(timer) <= 500);
	set_later_by(-10500);
	CHECK(left_of(timer) > 10900 && left_of(timer) <= 11000);
	CHECK(timer_delete(timer) == 0);
}

/* ---- to which times it can be set */

static int set_as_somebody(void)
{
	struct timespec no_time = { 0, -1 }, early = { 0, 1 };
	clockid_t own;

	if (setuid(1000) != 0 || clock_getcpuclockid(0, &own) != 0)
		return 1;
	if (clock_settime(CLOCK_REALTIME, &no_time) == 0 || errno != EINVAL)
		return 2;
	if (clock_settime(CLOCK_REALTIME, &early) == 0 || errno != EPERM)
		return 3;
	return clock_settime(own, &early) == 0 || errno != EPERM ? 4 : 0;
}

/* As Linux has it: the machine cannot have been started before 1970. */
static void real_time_is_not_before_the_monotonic(void)
{
	struct timespec early = { 0, 1 }, late = { 0x7fffffffffff, 0 }, least, day, back;
	struct timeval also_early = { 0, 1 };
	int status;
	pid_t child;

	CHECK(clock_settime(CLOCK_REALTIME, &early) == -1 && errno == EINVAL);
	CHECK(clock_settime(CLOCK_REALTIME, &late) == -1 && errno == EINVAL);
	CHECK(settimeofday(&also_early, NULL) == -1 && errno == EINVAL);
	CHECK(clock_gettime(CLOCK_REALTIME, &day) == 0 &&
	      clock_gettime(CLOCK_MONOTONIC, &least) == 0);
	least.tv_sec += 100;
	CHECK(clock_settime(CLOCK_REALTIME, &least) == 0);
	CHECK(clock_gettime(CLOCK_REALTIME, &back) == 0);
	CHECK(back.tv_sec >= least.tv_sec && back.tv_sec < least.tv_sec + 100);
	CHECK(clock_settime(CLOCK_REALTIME, &day) == 0);
	child = fork();
	if (child == 0)
		_exit(set_as_somebody());
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

static void what_is_no_zone_is_refused(void)
{
	struct { int minutes_west, daylight; } zone = { 15 * 60, 0 };

	CHECK(syscall(SYS_settimeofday, NULL, &zone) == 0);
	zone.minutes_west++;
	CHECK(syscall(SYS_settimeofday, NULL, &zone) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_settimeofday, NULL, 8) == -1 && errno == EFAULT);
	zone.minutes_west = 0;
	CHECK(syscall(SYS_settimeofday, NULL, &zone) == 0);
}

static void other_clocks_are_not_set(void)
{
	struct timespec t = { 5, 0 };
	clockid_t own, threads = (clockid_t)(~0u << 3 | 6),
		       nobodys = (clockid_t)(~99999999u << 3 | 2);

	CHECK(clock_getcpuclockid(0, &own) == 0);
	CHECK(clock_settime(own, &t) == -1 && errno == EPERM);
	CHECK(clock_settime(threads, &t) == -1 && errno == EPERM);
	CHECK(clock_settime(own, (void *)8) == -1 && errno == EFAULT);
	CHECK(clock_settime(nobodys, &t) == -1 && errno == EINVAL);
	CHECK(clock_settime(-1, &t) == -1 && errno == EINVAL);
	CHECK(clock_settime(CLOCK_PROCESS_CPUTIME_ID, &t) == -1 && errno == EINVAL);
	CHECK(clock_settime(CLOCK_MONOTONIC, (void *)8) == -1 && errno == EINVAL);
}

int main(void)
{
	RUN(monotonic_time_does_not_go_back);
	RUN(real_time_is_in_this_century_and_can_be_set);
	RUN(sleeps_are_never_too_short);
	RUN(a_sleep_until_a_time_ends_then);
	RUN(an_interrupted_sleep_says_what_is_left);
	RUN(a_stopped_sleep_goes_on_to_its_end);
	RUN(interval_timers_repeat_and_can_be_read);
	RUN(a_timer_that_is_disarmed_has_no_interval);
	RUN(an_interrupted_sleep_is_not_gone_on_with);
	RUN(cpu_time_timers_count_cpu_time);
	RUN(clocks_of_cpu_time_advance_with_work_only);
	RUN(clocks_of_cpu_time_do_not_go_back);
	RUN(posix_timers_count_what_they_miss);
	RUN(what_a_deleted_timer_has_sent_says_so);
	RUN(a_timer_that_is_too_fast_leaves_time_for_others);
	RUN(a_timer_can_call_a_function_in_a_thread);
	RUN(a_timer_for_a_time_of_day_follows_the_clock);
	RUN(a_timer_for_a_time_of_day_is_not_early);
	RUN(what_the_clock_leaps_over_is_missed);
	RUN(real_time_is_not_before_the_monotonic);
	RUN(what_is_no_zone_is_refused);
	RUN(other_clocks_are_not_set);
	return test_result();
}
