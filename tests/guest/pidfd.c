/* SPDX-License-Identifier: MIT */
/* Descriptors of processes: pidfd_open(2), pidfd_send_signal(2), waitid(2) with P_PIDFD. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fails.h"
#include "test.h"

#define BY_DESCRIPTOR 3  /* P_PIDFD */
#define HASTY O_NONBLOCK /* PIDFD_NONBLOCK */

static int descriptor_of(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int send_to(int fd, int number, siginfo_t *info)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, number, info, 0);
}

static bool has_ended(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };

	return poll(&item, 1, 0) == 1 && (item.revents & POLLIN);
}

/* A child that waits for a signal; its descriptor. */
static int make_child(pid_t *child, unsigned flags)
{
	int fd;

	*child = fork();
	if (*child == 0)
		for (;;)
			pause();
	fd = descriptor_of(*child, flags);
	CHECK(fd >= 0);
	return fd;
}

static void the_end_of_a_process_is_polled(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(0), fd;
	struct pollfd item;
	siginfo_t info;
	pid_t child;

	fd = make_child(&child, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(!has_ended(fd));
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), 0);
	CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
	CHECK_EQ(send_to(fd, 0, NULL), 0);
	CHECK_EQ(send_to(fd, SIGKILL, NULL), 0);
	item = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&item, 1, -1), 1);
	CHECK_EQ(epoll_wait(epoll, &e, 1, -1), 1);
	/* It is there until it has been waited for. */
	CHECK_EQ(send_to(fd, SIGTERM, NULL), 0);
	CHECK_EQ(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED | WNOWAIT), 0);
	CHECK(info.si_pid == child && info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	CHECK_EQ(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED), 0);
	CHECK(has_ended(fd));
	FAILS(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED), ECHILD);
	FAILS(send_to(fd, SIGTERM, NULL), ESRCH);
	close(fd);
	close(epoll);
}

static void it_does_not_mean_who_has_the_number_next(void)
{
	int fd, again;
	siginfo_t info;
	pid_t child, other;

	fd = make_child(&child, 0);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	again = make_child(&other, 0);
	CHECK(has_ended(fd) && !has_ended(again));
	FAILS(send_to(fd, SIGKILL, NULL), ESRCH);
	FAILS(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED), ECHILD);
	FAILS(descriptor_of(child, 0), ESRCH);
	CHECK(send_to(again, SIGKILL, NULL) == 0 &&
	      waitid(BY_DESCRIPTOR, (id_t)again, &info, WEXITED) == 0);
	CHECK_EQ(info.si_pid, other);
	close(fd);
	close(again);
}

static void one_that_does_not_wait_says_so(void)
{
	siginfo_t info;
	pid_t child;
	int fd = make_child(&child, HASTY);

	FAILS(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED), EAGAIN);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	info.si_pid = 1;
	CHECK(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
	CHECK_EQ(send_to(fd, SIGKILL, NULL), 0);
	CHECK(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == child);
	close(fd);
}

static int no_process(pid_t pid)
{
	FAILS(descriptor_of(pid, 0), EINVAL);
	return 0;
}

static void *is_no_process(void *unused)
{
	int fd = descriptor_of((pid_t)syscall(SYS_gettid), 0);

	return (void *)(long)(fd == -1 ? errno : 0);
}

static void what_is_no_process_has_none(void)
{
	pthread_t thread;
	siginfo_t info;
	void *error;

	no_process(0);
	no_process(-1);
	FAILS(descriptor_of(getpid(), 1), EINVAL);
	CHECK(pthread_create(&thread, NULL, is_no_process, NULL) == 0 &&
	      pthread_join(thread, &error) == 0);
	CHECK(error != NULL);
	FAILS(send_to(-1, 0, NULL), EBADF);
	FAILS(send_to(STDOUT_FILENO, 0, NULL), EBADF);
	FAILS(waitid(BY_DESCRIPTOR, STDOUT_FILENO, &info, WEXITED), EBADF);
	FAILS(waitid(BY_DESCRIPTOR, 999, &info, WEXITED), EBADF);
}

static int received_value;

static void receive(int number, siginfo_t *info, void *unused)
{
	received_value = info->si_value.sival_int;
}

static void a_signal_says_what_it_is_given(void)
{
	struct sigaction a = { .sa_sigaction = receive, .sa_flags = SA_SIGINFO };
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
	int self = descriptor_of(getpid(), 0), fd;
	pid_t child;

	info.si_value.sival_int = 42;
	sigemptyset(&a.sa_mask);
	sigaction(SIGUSR1, &a, NULL);
	CHECK_EQ(send_to(self, SIGUSR1, &info), 0);
	CHECK_EQ(received_value, 42);
	FAILS(send_to(self, SIGUSR2, &info), EINVAL);
	FAILS(send_to(self, 65, NULL), EINVAL);
	CHECK_EQ(syscall(SYS_pidfd_send_signal, self, 0, NULL, 1u << 31), -1);
	CHECK_EQ(errno, EINVAL);
	/* Of another nobody claims that kill() has sent it. */
	fd = make_child(&child, 0);
	info.si_code = SI_USER;
	FAILS(send_to(fd, SIGUSR1, &info), EPERM);
	CHECK(send_to(fd, SIGKILL, NULL) == 0 && waitpid(child, NULL, 0) == child);
	close(fd);
	close(self);
}

/* It is not over before its last thread has ended. */
static void *ends_later(void *unused)
{
	char byte;

	_exit(read(STDIN_FILENO, &byte, 1) == 1 ? 7 : 8);
}

static void all_threads_are_of_the_process(void)
{
	int ends[2], fd;
	pthread_t thread;
	siginfo_t info;
	pid_t child;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[0], STDIN_FILENO);
		pthread_create(&thread, NULL, ends_later, NULL);
		syscall(SYS_exit, 0);
	}
	fd = descriptor_of(child, 0);
	CHECK(fd >= 0 && !has_ended(fd));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(waitid(BY_DESCRIPTOR, (id_t)fd, &info, WEXITED), 0);
	CHECK(info.si_code == CLD_EXITED && info.si_status == 7);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	RUN(the_end_of_a_process_is_polled);
	RUN(it_does_not_mean_who_has_the_number_next);
	RUN(one_that_does_not_wait_says_so);
	RUN(what_is_no_process_has_none);
	RUN(a_signal_says_what_it_is_given);
	RUN(all_threads_are_of_the_process);
	return test_result();
}
