/* SPDX-License-Identifier: MIT */
/* wait4 and waitid: what they wait for, and what they say. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asleep.h"
#include "in_child.h"
#include "test.h"

static pid_t child_that_exits(int code)
{
	pid_t child = fork();

	if (child == 0)
		_exit(code);
	return child;
}

static pid_t child_that_pauses(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	return child;
}

static void exit_codes_and_signals_are_told_apart(void)
{
	int status;
	pid_t child = child_that_exits(300); /* only the low 8 bits */

	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 300 & 0xff);
	child = child_that_pauses();
	CHECK(kill(child, SIGTERM) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGTERM);
}

static void nohang_returns_at_once(void)
{
	pid_t child = child_that_pauses();
	int status = 99;

	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(status, 99);
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(waitpid(child, &status, WNOHANG) == -1 && errno == ECHILD);
}

static void stops_and_continuations_are_reported_once(void)
{
	pid_t child = child_that_pauses();
	int status;

	CHECK(kill(child, SIGSTOP) == 0);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	CHECK(kill(child, SIGCONT) == 0);
	CHECK(waitpid(child, &status, WCONTINUED) == child);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(waitpid(child, &status, WCONTINUED | WNOHANG), 0);
	/* A stopped process can be killed. */
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void groups_can_be_waited_for(void)
{
	pid_t outside = child_that_pauses(), inside = child_that_pauses();
	int status;

	CHECK(setpgid(inside, inside) == 0);
	CHECK_EQ(waitpid(-inside, &status, WNOHANG), 0);
	kill(inside, SIGKILL);
	kill(outside, SIGKILL);
	CHECK(waitpid(-inside, &status, 0) == inside);
	CHECK(waitpid(-inside, &status, 0) == -1 && errno == ECHILD);
	CHECK(waitpid(0, &status, 0) == outside);
}

static void waitid_fills_siginfo(void)
{
	pid_t child = child_that_exits(12);
	siginfo_t info = { 0 };

	CHECK(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_status, 12);
	CHECK_EQ(info.si_signo, SIGCHLD);
	/* WNOWAIT left it there. */
	CHECK(waitid(P_ALL, 0, &info, WEXITED) == 0);
	CHECK_EQ(info.si_pid, child);
	CHECK(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD);
	CHECK(waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL);
}

static void waitid_nohang_says_nothing(void)
{
	pid_t child = child_that_pauses();
	siginfo_t info = { .si_pid = 5, .si_signo = 6 };

	CHECK(waitid(P_PID, child, &info, WEXITED | WNOHANG) == 0);
	CHECK_EQ(info.si_pid, 0);
	kill(child, SIGKILL);
	CHECK(waitid(P_PID, child, &info, WEXITED) == 0);
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGKILL);
}

static volatile sig_atomic_t children_seen;
static siginfo_t last_info;

static void on_child(int number, siginfo_t *info, void *context)
{
	children_seen++;
	last_info = *info;
}

static void sigchld_carries_the_status(void)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO }, old;
	sigset_t block, before;

	children_seen = 0;
	sigaction(SIGCHLD, &action, &old);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &before);
	pid_t child = child_that_exits(3);

	while (!children_seen)
		sigsuspend(&before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	CHECK_EQ(last_info.si_pid, child);
	CHECK_EQ(last_info.si_code, CLD_EXITED);
	CHECK_EQ(last_info.si_status, 3);
	CHECK(waitpid(child, NULL, 0) == child);
	sigaction(SIGCHLD, &old, NULL);
}

static void ignored_sigchld_reaps_by_itself(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;

	sigaction(SIGCHLD, &ignore, &old);
	pid_t child = child_that_exits(0);
	int r = waitpid(child, NULL, 0);
	int error = errno;

	sigaction(SIGCHLD, &old, NULL);
	CHECK_EQ(r, -1);
	CHECK_EQ(error, ECHILD);
}

/* A process that others' children are given to, and that wants to know of none, gets no zombies. */
static int adopts_and_discards(void)
{
	siginfo_t info;
	pid_t middle;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR)
		return 1;
	middle = fork();
	if (middle == 0) {
		signal(SIGCHLD, SIG_DFL);
		pid_t child = child_that_exits(3);

		waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT); /* a zombie before we end */
		_exit(0);
	}
	return wait(NULL) == -1 && errno == ECHILD ? 0 : 2;
}

static void an_adopter_that_ignores_children_has_no_zombies(void)
{
	CHECK_EQ(in_child(adopts_and_discards), 0);
}

static void on_alarm(int number)
{
}

static void signals_interrupt_the_wait(void)
{
	struct sigaction action = { .sa_handler = on_alarm }, old;
	pid_t child = child_that_pauses();

	sigaction(SIGALRM, &action, &old);
	ualarm(20000, 20000); /* again and again: the first may come before we wait */
	CHECK(waitpid(child, NULL, 0) == -1 && errno == EINTR);
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	pid_t killer = fork();

	if (killer == 0) {
		usleep(60000);
		kill(child, SIGKILL);
		_exit(0);
	}
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(waitpid(killer, NULL, 0) == killer);
	ualarm(0, 0);
	sigaction(SIGALRM, &old, NULL);
}

static void usage_of_children_adds_up(void)
{
	struct rusage before, after, own;
	pid_t child = fork();

	if (child == 0) {
		for (volatile long i = 0; i < 20000000; i++)
			;
		_exit(0);
	}
	getrusage(RUSAGE_CHILDREN, &before);
	CHECK(wait4(child, NULL, 0, &own) == child);
	getrusage(RUSAGE_CHILDREN, &after);
	long used = (own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1000000 + own.ru_utime.tv_usec +
		    own.ru_stime.tv_usec;
	long added = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
		     after.ru_utime.tv_usec - before.ru_utime.tv_usec +
		     (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
		     after.ru_stime.tv_usec - before.ru_stime.tv_usec;

	CHECK(used > 1000);
	CHECK(added >= used / 2);
}

/* Exit and wait race on several CPUs: none may be lost. */
static void waits_and_exits_race(void)
{
	for (int round = 0; round < 100; round++) {
		pid_t a = child_that_exits(1), b = child_that_exits(2);
		int sum = 0, status;

		CHECK(a > 0 && b > 0);
		CHECK(wait(&status) > 0);
		sum += WEXITSTATUS(status);
		CHECK(wait(&status) > 0);
		sum += WEXITSTATUS(status);
		CHECK_EQ(sum, 3);
	}
}

/* waitid must say ECHILD: nothing that the child could still do is asked for. */
static int waits_in_vain(pid_t child, int options)
{
	siginfo_t info;

	alarm(10);
	if (waitid(P_PID, (id_t)child, &info, options) != -1 || errno != ECHILD)
		return 1;
	return waitid(P_ALL, 0, &info, options) != -1 || errno != ECHILD ? 2 : 0;
}

static int waits_for_stops_of_a_zombie(void)
{
	pid_t child = child_that_exits(3);
	siginfo_t info;
	int r;

	if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0)
		return 3;
	r = waits_in_vain(child, WSTOPPED);
	return r ? r : waits_in_vain(child, WSTOPPED | WCONTINUED | WNOHANG);
}

static int waits_for_stops_of_one_that_ends(void)
{
	pid_t child = fork();
	int r;

	if (child == 0) {
		wait_asleep(getppid(), getppid()); /* either order is right, but this one is the point */
		_exit(3);
	}
	r = waits_in_vain(child, WCONTINUED);
	return r ? r : waitpid(child, NULL, 0) != child;
}

static void one_that_has_ended_stops_no_more(void)
{
	CHECK_EQ(in_child(waits_for_stops_of_a_zombie), 0);
	CHECK_EQ(in_child(waits_for_stops_of_one_that_ends), 0);
}

static int is_sent_nothing_that_it_ignores(void)
{
	sigset_t set, pending;

	signal(SIGCHLD, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (child_that_exits(1) < 0 || wait(NULL) != -1 || errno != ECHILD)
		return 1;
	sigpending(&pending);
	return sigismember(&pending, SIGCHLD);
}

static void ignored_sigchld_is_not_pending(void)
{
	CHECK_EQ(in_child(is_sent_nothing_that_it_ignores), 0);
}

static sem_t forked, let_go;

static void *fork_and_stay(void *child)
{
	*(pid_t *)child = child_that_exits(3);
	sem_post(&forked);
	sem_wait(&let_go);
	return NULL;
}

/* __WNOTHREAD: the children of the thread that waits alone, to whom those of one that ends come. */
static void children_of_other_threads_can_be_left_out(void)
{
	pthread_t thread;
	siginfo_t info;
	pid_t child;
	int status;

	CHECK(sem_init(&forked, 0, 0) == 0 && sem_init(&let_go, 0, 0) == 0);
	CHECK_EQ(pthread_create(&thread, NULL, fork_and_stay, &child), 0);
	while (sem_wait(&forked) != 0)
		;
	CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	CHECK(wait4(-1, &status, __WNOTHREAD, NULL) == -1 && errno == ECHILD);
	CHECK(wait4(child, &status, __WNOTHREAD, NULL) == -1 && errno == ECHILD);
	CHECK(waitid(P_ALL, 0, &info, WEXITED | __WNOTHREAD) == -1 && errno == ECHILD);
	pid_t mine = child_that_exits(4);

	CHECK_EQ(wait4(-1, &status, __WNOTHREAD, NULL), mine);
	CHECK_EQ(WEXITSTATUS(status), 4);
	sem_post(&let_go);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	/* The thread has been joined a little before it is gone. */
	while (wait4(-1, &status, __WNOTHREAD, NULL) == -1)
		CHECK_EQ(errno, ECHILD);
	CHECK_EQ(WEXITSTATUS(status), 3);
	CHECK(wait4(-1, &status, 0, NULL) == -1 && errno == ECHILD);
}

/* ---- the signal that a program chose for its child's end, and the next program */

static const char *self;

static void block_both(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* In the program that has been executed, which lets the child end: 0, or what was wrong. */
static int is_told_by_sigchld(pid_t child, int child_waits_for)
{
	bool ignores = signal(SIGCHLD, SIG_DFL) == SIG_IGN;
	sigset_t pending;
	siginfo_t info;

	if (ignores)
		signal(SIGCHLD, SIG_IGN);
	close(child_waits_for);
	if (ignores) /* it is reaped by itself */
		return waitpid(child, NULL, __WALL) != -1 || errno != ECHILD ? 11 : 0;
	if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | __WALL) != 0)
		return 12;
	sigpending(&pending);
	if (sigismember(&pending, SIGUSR1) || !sigismember(&pending, SIGCHLD))
		return 13;
	/* It is waited for as what it was made as. */
	if (waitpid(child, NULL, WNOHANG) != -1 || errno != ECHILD)
		return 14;
	return waitpid(child, NULL, __WCLONE) == child ? 0 : 15;
}

static int executes_beside_a_child(void)
{
	char child[16], end[16], byte;
	int ends[2];
	pid_t made;

	block_both();
	if (pipe(ends) != 0)
		return 1;
	made = (pid_t)syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
	if (made == 0) {
		close(ends[1]);
		_exit((int)read(ends[0], &byte, 1));
	}
	snprintf(child, sizeof(child), "%d", made);
	snprintf(end, sizeof(end), "%d", ends[1]);
	execl(self, self, child, end, NULL);
	return 2;
}

static int executes_without_wanting_to_know(void)
{
	signal(SIGCHLD, SIG_IGN);
	return executes_beside_a_child();
}

static int is_told_as_it_chose(void)
{
	sigset_t pending;
	siginfo_t info;
	pid_t child;

	block_both();
	child = (pid_t)syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | __WALL) != 0)
		return 1;
	sigpending(&pending);
	return !sigismember(&pending, SIGUSR1) || sigismember(&pending, SIGCHLD);
}

static void another_program_is_told_by_sigchld(void)
{
	CHECK_EQ(in_child(is_told_as_it_chose), 0);
	CHECK_EQ(in_child(executes_beside_a_child), 0);
	CHECK_EQ(in_child(executes_without_wanting_to_know), 0);
}

int main(int argc, char **argv)
{
	self = (const char *)getauxval(AT_EXECFN);
	if (argc == 3)
		return is_told_by_sigchld(atoi(argv[1]), atoi(argv[2]));
	RUN(exit_codes_and_signals_are_told_apart);
	RUN(nohang_returns_at_once);
	RUN(stops_and_continuations_are_reported_once);
	RUN(groups_can_be_waited_for);
	RUN(waitid_fills_siginfo);
	RUN(waitid_nohang_says_nothing);
	RUN(sigchld_carries_the_status);
	RUN(ignored_sigchld_reaps_by_itself);
	RUN(an_adopter_that_ignores_children_has_no_zombies);
	RUN(signals_interrupt_the_wait);
	RUN(usage_of_children_adds_up);
	RUN(one_that_has_ended_stops_no_more);
	RUN(ignored_sigchld_is_not_pending);
	RUN(waits_and_exits_race);
	RUN(another_program_is_told_by_sigchld);
	RUN(children_of_other_threads_can_be_left_out);
	return test_result();
}
