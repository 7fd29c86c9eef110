/* SPDX-License-Identifier: MIT */
/* signalfd: signals that are read, whoever sends them, and whoever waits in whatever way.  All of it
 * holds on Linux, too, but for the bound at the end. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "ready_ways.h"
#include "test.h"

#define SIZE ((long)sizeof(struct signalfd_siginfo))

static sigset_t set_of(int first, int second)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, first);
	if (second)
		sigaddset(&set, second);
	return set;
}

/* The calling thread blocks both, and what it makes has them blocked as well. */
static int blocked_file(int first, int second, int flags)
{
	sigset_t set = set_of(first, second);
	int fd = signalfd(-1, &set, flags);

	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK(fd >= 0);
	return fd;
}

static struct signalfd_siginfo next(int fd)
{
	struct signalfd_siginfo info;

	CHECK_EQ(read(fd, &info, sizeof(info)), SIZE);
	return info;
}

static bool is_empty(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == -1 && errno == EAGAIN;
}

static bool is_pending(int number)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, number);
}

static void what_is_known_is_read(void)
{
	int fd = blocked_file(SIGUSR1, SIGRTMIN, SFD_NONBLOCK);
	union sigval value = { .sival_ptr = (void *)0x123456789aul };
	struct signalfd_siginfo info;

	CHECK(is_empty(fd));
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	info = next(fd);
	CHECK(info.ssi_signo == SIGUSR1 && info.ssi_code == SI_USER && info.ssi_errno == 0);
	CHECK(info.ssi_pid == (uint32_t)getpid() && info.ssi_uid == getuid());
	CHECK_EQ(raise(SIGUSR1), 0);
	info = next(fd);
	CHECK(info.ssi_code == SI_TKILL && info.ssi_pid == (uint32_t)getpid());
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
	info = next(fd);
	CHECK(info.ssi_signo == (uint32_t)SIGRTMIN && info.ssi_code == SI_QUEUE);
	CHECK(info.ssi_ptr == 0x123456789aul && info.ssi_int == 0x3456789a);
	CHECK(info.ssi_pid == (uint32_t)getpid());
	CHECK(is_empty(fd) && !is_pending(SIGUSR1));
	close(fd);
}

static void a_child_that_ends_is_read(void)
{
	int fd = blocked_file(SIGCHLD, 0, 0);
	struct signalfd_siginfo info;
	pid_t child = fork();

	if (child == 0)
		_exit(7);
	info = next(fd);
	CHECK(info.ssi_signo == SIGCHLD && info.ssi_code == CLD_EXITED && info.ssi_status == 7);
	CHECK(info.ssi_pid == (uint32_t)child && info.ssi_uid == getuid());
	CHECK_EQ(waitpid(child, NULL, 0), child);
	close(fd);
}

static void a_timer_is_read(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGRTMIN,
				  .sigev_value.sival_int = 77 };
	struct itimerspec soon = { { 0, 1000 }, { 0, 1 } };
	int fd = blocked_file(SIGRTMIN, 0, 0);
	sigset_t set = set_of(SIGRTMIN, 0);
	struct timespec no_time = { 0 };
	struct signalfd_siginfo info;
	timer_t timer;

	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
	while (!is_pending(SIGRTMIN))
		;
	for (int i = 0; i < 2; i++) {
		info = next(fd);
		CHECK(info.ssi_code == SI_TIMER && info.ssi_int == 77 && info.ssi_ptr == 77);
		CHECK_EQ(info.ssi_tid, (uint32_t)(intptr_t)timer);
	}
	CHECK_EQ(timer_delete(timer), 0);
	close(fd);
	/* The timer's last one may be there still, or not be taken any more. */
	sigtimedwait(&set, NULL, &no_time);
	CHECK(!is_pending(SIGRTMIN));
}

/* A fault that is sent says who sent it; the page fault itself cannot be read. */
static void several_are_read_at_once(void)
{
	int fd = blocked_file(SIGSEGV, SIGRTMIN, SFD_NONBLOCK);
	union sigval value = { .sival_int = 0 };
	struct signalfd_siginfo info[4];

	for (; value.sival_int < 4; value.sival_int++)
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
	CHECK_EQ(kill(getpid(), SIGSEGV), 0);
	CHECK_EQ(read(fd, info, SIZE - 1), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(read(fd, info, 4 * SIZE - 1), 3 * SIZE);
	CHECK(info[0].ssi_signo == SIGSEGV && info[0].ssi_pid == (uint32_t)getpid() &&
	      info[0].ssi_addr == 0);
	CHECK(info[1].ssi_int == 0 && info[2].ssi_int == 1);
	CHECK_EQ(read(fd, info, 4 * SIZE), 2 * SIZE);
	CHECK(info[0].ssi_int == 2 && info[1].ssi_int == 3);
	CHECK(is_empty(fd));
	close(fd);
}

static void bad_arguments_are_refused(void)
{
	int end[2], fd = blocked_file(SIGUSR1, 0, SFD_CLOEXEC | SFD_NONBLOCK);
	sigset_t set = set_of(SIGUSR1, 0), unmaskable = set_of(SIGKILL, SIGSTOP);
	struct stat s;

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK(fd_is_named(fd, "anon_inode:[signalfd]"));
	CHECK(fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == 0 && s.st_size == 0);
	CHECK(signalfd(-1, &set, 1) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_signalfd4, -1, &set, 4, 0) == -1 && errno == EINVAL);
	CHECK_EQ(pipe(end), 0);
	CHECK(signalfd(end[0], &set, 0) == -1 && errno == EINVAL);
	close(end[0]);
	close(end[1]);
	CHECK(signalfd(end[0], &set, 0) == -1 && errno == EBADF);
	CHECK(write(fd, &set, 8) == -1 && errno == EINVAL);
	CHECK_EQ(signalfd(fd, &unmaskable, 0), fd);
	close(fd);
	fd = (int)syscall(SYS_signalfd, -1, &set, 8);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == 0);
	close(fd);
}

/* ---------------------------------------------------------------- who waits is woken */

static void by_a_signal_for_the_process(struct ready_sleeper *s)
{
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
}

static void by_a_signal_for_the_thread(struct ready_sleeper *s)
{
	CHECK_EQ(pthread_kill(s->thread, SIGUSR1), 0);
}

static void by_a_timer(struct ready_sleeper *s)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec soon = { { 0, 0 }, { 0, 1 } };
	timer_t timer;

	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
	ready_is_woken(s, SIZE);
	CHECK_EQ(timer_delete(timer), 0);
}

static void by_another_process(struct ready_sleeper *s)
{
	pid_t child = fork();

	if (child == 0)
		_exit(kill(getppid(), SIGUSR1));
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void by_another_set(struct ready_sleeper *s)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2);

	CHECK_EQ(signalfd(s->fd, &set, 0), s->fd);
}

static void in_each_way(void (*happen)(struct ready_sleeper *s))
{
	for (enum ready_way way = 0; way < READY_WAYS; way++) {
		sigset_t set = set_of(SIGUSR1, 0);
		int fd = blocked_file(SIGUSR1, SIGUSR2, 0);
		struct signalfd_siginfo info;
		struct ready_sleeper s;

		CHECK_EQ(signalfd(fd, &set, 0), fd);
		if (happen == by_another_set)
			CHECK_EQ(kill(getpid(), SIGUSR2), 0); /* is pending meanwhile */
		ready_fall_asleep(&s, way, fd);
		happen(&s);
		if (happen != by_a_timer)
			ready_is_woken(&s, SIZE);
		memcpy(&info, s.data, sizeof(info));
		CHECK_EQ(info.ssi_signo, happen == by_another_set ? SIGUSR2 : SIGUSR1);
		close(fd);
	}
}

static void a_signal_for_the_process_wakes(void)
{
	in_each_way(by_a_signal_for_the_process);
}

static void a_signal_for_the_thread_wakes(void)
{
	in_each_way(by_a_signal_for_the_thread);
}

static void a_timers_signal_wakes(void)
{
	in_each_way(by_a_timer);
}

static void another_process_wakes(void)
{
	in_each_way(by_another_process);
}

static void another_set_wakes(void)
{
	in_each_way(by_another_set);
}

/* A thread of its own, whose signals are nobody else's. */
static void *raise_one(void *argument)
{
	sigset_t set = set_of(SIGUSR1, 0);
	int fd = *(int *)argument;

	return (void *)(long)(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR1) == 0 &&
			      is_ready(BY_POLL, fd, 0));
}

static void a_threads_signals_are_its_own(void)
{
	int fd = blocked_file(SIGUSR1, 0, SFD_NONBLOCK);
	pthread_t thread;
	void *was_ready;

	CHECK_EQ(pthread_create(&thread, NULL, raise_one, &fd), 0);
	CHECK_EQ(pthread_join(thread, &was_ready), 0);
	CHECK(was_ready && is_empty(fd) && !is_ready(BY_POLL, fd, 0));
	close(fd);
}

static void an_edge_is_told_once(void)
{
	int fd = blocked_file(SIGUSR1, SIGRTMIN, SFD_NONBLOCK), ep = ready_begin(BY_EDGE, fd);
	union sigval value = { 0 };

	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK(is_ready(BY_EDGE, ep, -1) && !is_ready(BY_EDGE, ep, 0));
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
	CHECK(is_ready(BY_EDGE, ep, -1) && !is_ready(BY_EDGE, ep, 0));
	CHECK_EQ(next(fd).ssi_signo, SIGUSR1);
	CHECK(is_ready(BY_POLL, fd, 0) && !is_ready(BY_EDGE, ep, 0));
	CHECK_EQ(next(fd).ssi_signo, SIGRTMIN);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK(is_ready(BY_EDGE, ep, -1));
	CHECK_EQ(next(fd).ssi_signo, SIGUSR1);
	CHECK(!is_ready(BY_POLL, fd, 0));
	close(ep);
	close(fd);
}

static void on_signal(int number)
{
}

/* A signal that is not blocked, and has a handler, ends the wait. */
static void another_signal_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_signal }, before;
	int fd = blocked_file(SIGUSR1, 0, 0);
	struct ready_sleeper s;

	CHECK_EQ(sigaction(SIGALRM, &action, &before), 0);
	ready_fall_asleep(&s, BY_READ, fd);
	CHECK_EQ(pthread_kill(s.thread, SIGALRM), 0);
	ready_is_woken(&s, -1);
	CHECK_EQ(s.error, EINTR);
	CHECK_EQ(sigaction(SIGALRM, &before, NULL), 0);
	close(fd);
}

/* ---------------------------------------------------------------- processes */

static void who_reads_has_his_own(void)
{
	int fd = blocked_file(SIGUSR1, 0, SFD_NONBLOCK), other = dup(fd), status;
	pid_t child;

	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	child = fork();
	if (child == 0) {
		CHECK(is_empty(fd) && !is_ready(BY_POLL, fd, 0));
		CHECK_EQ(kill(getpid(), SIGUSR1), 0);
		CHECK(is_ready(BY_SELECT, other, 0));
		CHECK_EQ(next(other).ssi_pid, (uint32_t)getpid());
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(next(other).ssi_pid, (uint32_t)getpid());
	CHECK(is_empty(fd));
	close(fd);
	close(other);
}

/* The item waits at a process that has ended, and is removed all the same. */
static void an_item_outlives_who_added_it(void)
{
	int fd = blocked_file(SIGUSR1, 0, SFD_NONBLOCK), ep = epoll_create1(0), status;
	struct epoll_event e = { .events = EPOLLIN };
	pid_t child = fork();

	if (child == 0)
		_exit(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK(is_ready(BY_POLL, fd, 0));
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), 0);
	CHECK(is_ready(BY_EPOLL, ep, 0));
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), 0);
	CHECK_EQ(next(fd).ssi_signo, SIGUSR1);
	close(ep);
	close(fd);
}

/* A program that has been started so: the signal that is pending since before is in the file that was
 * open. */
static int after_exec(const char *number)
{
	struct signalfd_siginfo info;
	int fd = atoi(number), ep = epoll_of(fd, EPOLLIN);

	return !is_ready(BY_EPOLL, ep, -1) || read(fd, &info, sizeof(info)) != SIZE ||
	       info.ssi_signo != SIGUSR1 || info.ssi_pid != (uint32_t)getpid();
}

static void exec_keeps_file_and_signals(void)
{
	int fd = blocked_file(SIGUSR1, 0, 0), status;
	char number[12];
	pid_t child;

	snprintf(number, sizeof(number), "%d", fd);
	child = fork();
	if (child == 0) {
		CHECK_EQ(kill(getpid(), SIGUSR1), 0);
		execl("/proc/self/exe", "signalfd", number, NULL);
		_exit(100);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	close(fd);
}

/* ---------------------------------------------------------------- many at once */

#define READERS 6
#define MANY 600

static struct {
	int fd;
	_Atomic int received; /* signals */
	_Atomic bool bad;
} crew;

/* One that reads until it gets the signal that means the end; others may have taken what made it ready. */
static void *read_many(void *argument)
{
	enum ready_way way = (enum ready_way)(long)argument;
	int waited = ready_begin(way, crew.fd);
	struct signalfd_siginfo info;
	bool ends = false;

	while (!ends) {
		if (!is_ready(way, waited, -1)) {
			crew.bad = true;
			break;
		}
		if (read(crew.fd, &info, sizeof(info)) != SIZE)
			continue;
		ends = info.ssi_signo == SIGUSR2;
		if (!ends)
			crew.received++;
	}
	return NULL;
}

/* Each is sent when the one before has been received: one wake that is lost, and it goes no further.
 * The half of them is for a thread that polls. */
static void no_wake_is_lost_by(enum ready_way way)
{
	int fd = blocked_file(SIGUSR1, SIGUSR2, way == BY_READ ? 0 : SFD_NONBLOCK);
	bool alone = way == BY_EPOLL || way == BY_EDGE || way == BY_NESTED;
	int readers = alone ? 1 : READERS;
	pthread_t thread[READERS];

	crew.fd = fd;
	crew.received = 0;
	for (int n = 0; n < readers; n++)
		CHECK_EQ(pthread_create(&thread[n], NULL, read_many, (void *)(long)way), 0);
	for (int n = 0; n < MANY; n++) {
		if (n % 2)
			CHECK_EQ(kill(getpid(), SIGUSR1), 0);
		else
			CHECK_EQ(pthread_kill(thread[n % readers], SIGUSR1), 0);
		while (crew.received <= n && !crew.bad)
			sched_yield();
		CHECK(!crew.bad);
	}
	for (int n = 0; n < readers; n++)
		CHECK_EQ(pthread_kill(thread[n], SIGUSR2), 0);
	for (int n = 0; n < readers; n++)
		CHECK_EQ(pthread_join(thread[n], NULL), 0);
	CHECK_EQ(crew.received, MANY);
	CHECK(!is_pending(SIGUSR1));
	close(fd);
}

static void no_wake_is_lost(void)
{
	for (enum ready_way way = 0; way < READY_WAYS; way++)
		no_wake_is_lost_by(way);
}

/* ---------------------------------------------------------------- a bound */

#define WATCHERS 1024

static void watchers_of_a_process_are_bounded(void)
{
	struct rlimit before, limit = { 2 * WATCHERS, 2 * WATCHERS };
	int fd = blocked_file(SIGUSR1, 0, SFD_NONBLOCK), ep = epoll_create1(0), copies[WATCHERS];
	struct epoll_event e = { .events = EPOLLIN };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (int n = 0; n < WATCHERS; n++) {
		CHECK((copies[n] = dup(fd)) >= 0);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, copies[n], &e), 0);
	}
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == -1 && errno == ENOMEM);
	CHECK(poll(&p, 1, -1) == -1 && errno == ENOMEM);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
	CHECK_EQ(next(fd).ssi_signo, SIGUSR1);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, copies[0], NULL), 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
	for (int n = 0; n < WATCHERS; n++)
		close(copies[n]);
	close(ep);
	close(fd);
	limit.rlim_cur = before.rlim_cur;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

int main(int count, char **arguments)
{
	if (count > 1)
		return after_exec(arguments[1]);
	RUN(what_is_known_is_read);
	RUN(a_child_that_ends_is_read);
	RUN(a_timer_is_read);
	RUN(several_are_read_at_once);
	RUN(bad_arguments_are_refused);
	RUN(a_signal_for_the_process_wakes);
	RUN(a_signal_for_the_thread_wakes);
	RUN(a_timers_signal_wakes);
	RUN(another_process_wakes);
	RUN(another_set_wakes);
	RUN(a_threads_signals_are_its_own);
	RUN(an_edge_is_told_once);
	RUN(another_signal_interrupts);
	RUN(who_reads_has_his_own);
	RUN(an_item_outlives_who_added_it);
	RUN(exec_keeps_file_and_signals);
	RUN(no_wake_is_lost);
	RUN(watchers_of_a_process_are_bounded);
	return test_result();
}
