/* SPDX-License-Identifier: MIT */
/* timerfd: expiries that are counted and read, clocks that are set, timers that are set while somebody
 * waits.  All of it holds on Linux, too, but for a clock that only root can set. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include "ready_ways.h"
#include "test.h"

#define MS 1000000ll
#define SECOND (1000 * MS)
#define HOUR (3600 * SECOND)

static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
#define CLOCKS 3

static long long now_on(clockid_t clock)
{
	struct timespec t;

	CHECK_EQ(clock_gettime(clock, &t), 0);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static struct itimerspec setting_of(long long ns, long long interval_ns)
{
	return (struct itimerspec){ { interval_ns / SECOND, interval_ns % SECOND },
				    { ns / SECOND, ns % SECOND } };
}

static void set(int fd, int flags, long long ns, long long interval_ns)
{
	struct itimerspec setting = setting_of(ns, interval_ns);

	CHECK_EQ(timerfd_settime(fd, flags, &setting, NULL), 0);
}

static int timer_on(int clock, int flags)
{
	int fd = timerfd_create(clock, flags);

	CHECK(fd >= 0);
	return fd;
}

/* How often it has expired; -1: it has not. */
static long long count(int fd)
{
	uint64_t expired;
	ssize_t n = read(fd, &expired, sizeof(expired));

	if (n == -1 && errno == EAGAIN)
		return -1;
	CHECK_EQ(n, 8);
	return (long long)expired;
}

static void it_expires_once_and_not_early(void)
{
	for (int c = 0; c < CLOCKS; c++) {
		for (int absolute = 0; absolute < 2; absolute++) {
			int fd = timer_on(clocks[c], 0);
			long long due = now_on(clocks[c]) + 2 * MS;

			set(fd, absolute ? TFD_TIMER_ABSTIME : 0, absolute ? due : 2 * MS, 0);
			CHECK_EQ(count(fd), 1);
			CHECK(now_on(clocks[c]) >= due);
			CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
			CHECK_EQ(count(fd), -1);
			close(fd);
		}
	}
}

/* What has passed before the read is counted, and no more than has passed by its end. */
static void expiries_are_counted(void)
{
	int fd = timer_on(CLOCK_MONOTONIC, 0);
	long long before = now_on(CLOCK_MONOTONIC), set_at, read_at, expired, interval = MS / 10;

	set(fd, 0, interval, interval);
	set_at = now_on(CLOCK_MONOTONIC);
	while (now_on(CLOCK_MONOTONIC) < set_at + 5 * MS)
		;
	read_at = now_on(CLOCK_MONOTONIC);
	expired = count(fd);
	CHECK(expired >= (read_at - set_at) / interval);
	CHECK(expired <= (now_on(CLOCK_MONOTONIC) - before) / interval);
	for (int n = 0; n < 20; n++)
		expired += count(fd);
	CHECK(expired <= (now_on(CLOCK_MONOTONIC) - before) / interval);
	close(fd);
}

/* However short the interval is: nobody is kept from anything. */
static void the_shortest_interval_is_harmless(void)
{
	int fd = timer_on(CLOCK_MONOTONIC, TFD_NONBLOCK), ep = ready_begin(BY_EDGE, fd);

	set(fd, 0, 1, 1);
	for (int n = 0; n < 100; n++) {
		CHECK(is_ready(BY_EDGE, ep, -1));
		CHECK(count(fd) >= 1);
	}
	set(fd, 0, 0, 0);
	CHECK_EQ(count(fd), -1);
	close(ep);
	close(fd);
}

static void a_time_that_has_passed_expires_at_once(void)
{
	for (int c = 0; c < CLOCKS; c++) {
		int fd = timer_on(clocks[c], 0);
		long long now = now_on(clocks[c]);

		set(fd, TFD_TIMER_ABSTIME, 1, 0);
		CHECK(is_ready(BY_POLL, fd, -1));
		CHECK_EQ(count(fd), 1);
		set(fd, TFD_TIMER_ABSTIME, now - 10 * MS, 4 * MS);
		CHECK(count(fd) >= 3);
		close(fd);
	}
}

static void what_is_left_is_told(void)
{
	int fd = timer_on(CLOCK_BOOTTIME, TFD_NONBLOCK);
	struct itimerspec setting = setting_of(HOUR, 5 * SECOND), was;

	CHECK(timerfd_gettime(fd, &was) == 0 && was.it_value.tv_sec == 0 &&
	      was.it_value.tv_nsec == 0);
	CHECK_EQ(timerfd_settime(fd, 0, &setting, &was), 0);
	CHECK(was.it_value.tv_sec == 0 && was.it_interval.tv_sec == 0);
	CHECK_EQ(timerfd_gettime(fd, &was), 0);
	CHECK(was.it_value.tv_sec <= 3600 && was.it_value.tv_sec > 0 &&
	      was.it_interval.tv_sec == 5);
	setting = setting_of(0, 0);
	CHECK_EQ(timerfd_settime(fd, 0, &setting, &was), 0);
	CHECK(was.it_value.tv_sec <= 3600 && was.it_value.tv_sec > 0 &&
	      was.it_interval.tv_sec == 5);
	CHECK(timerfd_gettime(fd, &was) == 0 && was.it_value.tv_sec == 0 &&
	      was.it_interval.tv_sec == 0);
	/* One that repeats has always some time left, and is read all the same. */
	set(fd, 0, 1, HOUR);
	CHECK(is_ready(BY_POLL, fd, -1));
	CHECK(timerfd_gettime(fd, &was) == 0 && was.it_value.tv_sec > 0 &&
	      was.it_value.tv_sec <= 3600);
	CHECK_EQ(count(fd), 1);
	/* What was counted is forgotten when it is set. */
	set(fd, 0, 1, 0);
	CHECK(is_ready(BY_POLL, fd, -1));
	set(fd, 0, HOUR, 0);
	CHECK(!is_ready(BY_POLL, fd, 0));
	CHECK_EQ(count(fd), -1);
	close(fd);
}

static void bad_arguments_are_refused(void)
{
	int fd = timer_on(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), end[2];
	struct itimerspec good = setting_of(HOUR, 0), bad = { { 0, SECOND }, { 1, 0 } };
	struct stat s;
	uint64_t value;

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK(fd_is_named(fd, "anon_inode:[timerfd]"));
	CHECK(fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == 0);
	CHECK(timerfd_create(CLOCK_MONOTONIC, 1) == -1 && errno == EINVAL);
	CHECK(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0) == -1 && errno == EINVAL);
	CHECK(timerfd_settime(fd, 4, &good, NULL) == -1 && errno == EINVAL);
	CHECK(timerfd_settime(fd, 0, &bad, NULL) == -1 && errno == EINVAL);
	bad = setting_of(0, 0);
	bad.it_value.tv_sec = -1;
	CHECK(timerfd_settime(fd, 0, &bad, NULL) == -1 && errno == EINVAL);
	CHECK(read(fd, &value, 7) == -1 && errno == EINVAL);
	CHECK(write(fd, &value, 8) == -1 && errno == EINVAL);
	CHECK_EQ(pipe(end), 0);
	CHECK(timerfd_settime(end[0], 0, &good, NULL) == -1 && errno == EINVAL);
	CHECK(timerfd_gettime(end[0], &good) == -1 && errno == EINVAL);
	close(end[0]);
	close(end[1]);
	CHECK(timerfd_settime(end[0], 0, &good, NULL) == -1 && errno == EBADF);
	CHECK(timerfd_gettime(end[0], &good) == -1 && errno == EBADF);
	close(fd);
}

static void an_edge_is_told_once(void)
{
	int fd = timer_on(CLOCK_MONOTONIC, TFD_NONBLOCK), ep = ready_begin(BY_EDGE, fd);

	set(fd, 0, 1, 0);
	CHECK(is_ready(BY_EDGE, ep, -1) && !is_ready(BY_EDGE, ep, 0));
	CHECK(is_ready(BY_POLL, fd, 0));
	CHECK_EQ(count(fd), 1);
	set(fd, 0, 1, 0);
	CHECK(is_ready(BY_EDGE, ep, -1));
	close(ep);
	close(fd);
}

/* A fork's child has the same timer; so has a copy of the descriptor. */
static void a_timer_is_shared(void)
{
	int fd = timer_on(CLOCK_MONOTONIC, TFD_NONBLOCK), other = dup(fd), status;
	pid_t child = fork();

	if (child == 0) {
		set(other, 0, 1, 0);
		CHECK(is_ready(BY_SELECT, fd, -1));
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK(is_ready(BY_SELECT, other, 0));
	CHECK_EQ(count(fd), 1);
	CHECK_EQ(count(other), -1);
	close(fd);
	close(other);
}

/* ---------------------------------------------------------------- set while somebody waits */

static int sooner_flags;
static long long sooner;

static void is_woken_by_a_timer_that_is_set(long long at_first)
{
	for (enum ready_way way = 0; way < READY_WAYS; way++) {
		int fd = timer_on(CLOCK_REALTIME, 0);
		struct ready_sleeper s;

		if (at_first)
			set(fd, 0, at_first, 0);
		ready_fall_asleep(&s, way, fd);
		set(fd, sooner_flags, sooner, 0);
		ready_is_woken(&s, 8);
		CHECK_EQ(s.data[0], 1);
		close(fd);
	}
}

static void who_waits_is_woken_by_a_timer_that_is_set(void)
{
	sooner_flags = 0;
	sooner = MS / 10;
	is_woken_by_a_timer_that_is_set(0);
	is_woken_by_a_timer_that_is_set(HOUR);
	sooner_flags = TFD_TIMER_ABSTIME;
	sooner = 1;
	is_woken_by_a_timer_that_is_set(0);
	is_woken_by_a_timer_that_is_set(HOUR);
}

#define READERS 4
#define MANY 400

static struct {
	int fd;
	_Atomic int received;
	_Atomic bool bad, ends;
} crew;

static void *read_many(void *argument)
{
	enum ready_way way = (enum ready_way)(long)argument;
	int waited = ready_begin(way, crew.fd);
	uint64_t expired;

	while (!crew.ends) {
		if (!is_ready(way, waited, -1))
			crew.bad = true;
		if (read(crew.fd, &expired, sizeof(expired)) != sizeof(expired))
			continue;
		if (expired != 1)
			crew.bad = true;
		crew.received++;
	}
	return NULL;
}

/* Each time it is set when it has been read; now and then in two steps, the second of which may meet the
 * first one's expiry.  One wake that is lost, and it goes no further. */
static void no_wake_is_lost_by(enum ready_way way)
{
	bool alone = way == BY_EPOLL || way == BY_EDGE || way == BY_NESTED;
	int readers = alone ? 1 : READERS,
	    fd = timer_on(CLOCK_MONOTONIC, way == BY_READ ? 0 : TFD_NONBLOCK);
	pthread_t thread[READERS];

	crew.fd = fd;
	crew.received = 0;
	crew.ends = false;
	for (int n = 0; n < readers; n++)
		CHECK_EQ(pthread_create(&thread[n], NULL, read_many, (void *)(long)way), 0);
	for (int n = 0; n < MANY; n++) {
		int before = crew.received;

		if (n % 3 == 0)
			set(fd, 0, HOUR, 0);
		set(fd, 0, 1 + n % 7 * 10000, 0);
		while (crew.received == before && !crew.bad)
			sched_yield();
		CHECK(!crew.bad);
	}
	crew.ends = true;
	set(fd, 0, 1, 0);
	for (int n = 0; n < readers; n++) {
		/* Who sleeps in read() takes one each. */
		while (pthread_tryjoin_np(thread[n], NULL) != 0) {
			struct itimerspec left;

			CHECK_EQ(timerfd_gettime(fd, &left), 0);
			if (left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0)
				set(fd, 0, 1, 0);
			sched_yield();
		}
	}
	CHECK(!crew.bad);
	close(fd);
}

static void no_wake_is_lost(void)
{
	for (enum ready_way way = 0; way < READY_WAYS; way++)
		no_wake_is_lost_by(way);
}

/* ---------------------------------------------------------------- the clock is set */

static void set_clock(long long later_ns)
{
	long long now = now_on(CLOCK_REALTIME) + later_ns;
	struct timespec t = { now / SECOND, now % SECOND };

	CHECK_EQ(clock_settime(CLOCK_REALTIME, &t), 0);
}

static void a_time_of_day_comes_when_the_clock_is_set(void)
{
	for (enum ready_way way = 0; way < READY_WAYS; way++) {
		int fd = timer_on(CLOCK_REALTIME, 0),
		    relative = timer_on(CLOCK_REALTIME, TFD_NONBLOCK);
		struct ready_sleeper s;

		set(relative, 0, HOUR / 2, 0);
		set(fd, TFD_TIMER_ABSTIME, now_on(CLOCK_REALTIME) + HOUR, 0);
		ready_fall_asleep(&s, way, fd);
		set_clock(HOUR);
		ready_is_woken(&s, 8);
		CHECK_EQ(count(relative), -1);
		set_clock(-HOUR);
		close(fd);
		close(relative);
	}
}

/* It waits for the clock that has been set back; what was counted before stays. */
static void a_time_of_day_is_put_off(void)
{
	int fd = timer_on(CLOCK_REALTIME, TFD_NONBLOCK),
	    early = timer_on(CLOCK_REALTIME, TFD_NONBLOCK);
	struct itimerspec left;

	set(early, TFD_TIMER_ABSTIME, now_on(CLOCK_REALTIME), HOUR);
	CHECK(is_ready(BY_POLL, early, -1));
	set(fd, TFD_TIMER_ABSTIME, now_on(CLOCK_REALTIME) + HOUR, 0);
	set_clock(-HOUR);
	CHECK_EQ(timerfd_gettime(fd, &left), 0);
	CHECK(left.it_value.tv_sec > 3600 && left.it_value.tv_sec <= 7200);
	CHECK_EQ(count(early), 1);
	set_clock(2 * HOUR);
	CHECK(is_ready(BY_POLL, fd, -1) && is_ready(BY_POLL, early, -1));
	CHECK_EQ(count(fd), 1);
	set_clock(-HOUR);
	close(fd);
	close(early);
}

static void a_clock_that_is_set_cancels(void)
{
	for (enum ready_way way = 0; way < READY_WAYS; way++) {
		int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
		int fd = timer_on(CLOCK_REALTIME, 0),
		    other = timer_on(CLOCK_MONOTONIC, TFD_NONBLOCK);
		struct ready_sleeper s;
		uint64_t value;

		set(fd, flags, now_on(CLOCK_REALTIME) + HOUR, 0);
		set(other, flags, now_on(CLOCK_MONOTONIC) + HOUR, 0);
		ready_fall_asleep(&s, way, fd);
		set_clock(SECOND);
		ready_is_woken(&s, -1);
		CHECK_EQ(s.error, ECANCELED);
		CHECK(!is_ready(BY_POLL, fd, 0) && !is_ready(BY_POLL, other, 0));
		/* Again, and one that has been set since is not cancelled. */
		set_clock(-SECOND);
		CHECK(is_ready(BY_POLL, fd, 0) && read(fd, &value, 8) == -1 && errno == ECANCELED);
		set_clock(0);
		set(fd, TFD_TIMER_ABSTIME, 1, 0);
		CHECK_EQ(count(fd), 1);
		close(fd);
		close(other);
	}
}

int main(void)
{
	RUN(it_expires_once_and_not_early);
	RUN(expiries_are_counted);
	RUN(the_shortest_interval_is_harmless);
	RUN(a_time_that_has_passed_expires_at_once);
	RUN(what_is_left_is_told);
	RUN(bad_arguments_are_refused);
	RUN(an_edge_is_told_once);
	RUN(a_timer_is_shared);
	RUN(who_waits_is_woken_by_a_timer_that_is_set);
	RUN(no_wake_is_lost);
	RUN(a_time_of_day_comes_when_the_clock_is_set);
	RUN(a_time_of_day_is_put_off);
	RUN(a_clock_that_is_set_cancels);
	return test_result();
}
