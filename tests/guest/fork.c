/* SPDX-License-Identifier: MIT */
/* fork, vfork, clone, orphans, process groups and limits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static int status_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child ? status : -1;
}

static void child_returns_zero_and_parent_the_pid(void)
{
	int pipe_ends[2];
	pid_t seen = 0;

	CHECK(pipe(pipe_ends) == 0);
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		pid_t me = getpid();

		write(pipe_ends[1], &me, sizeof(me));
		_exit(getppid() > 0 ? 7 : 8);
	}
	CHECK(read(pipe_ends[0], &seen, sizeof(seen)) == sizeof(seen));
	CHECK_EQ(seen, child);
	int status = status_of(child);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

/* Faults of a child that writes to `page`, or to nothing; without the C library, which would write too.  Its
 * exit status is the page's old contents. */
static long faults_of_child(volatile char *page, int *status)
{
	struct rusage before, after;
	pid_t child;

	getrusage(RUSAGE_CHILDREN, &before);
	child = (pid_t)syscall(SYS_fork);
	if (child == 0) {
		int old = page ? *page : 0;

		if (page)
			*page = 99;
		syscall(SYS_exit_group, old);
	}
	*status = status_of(child);
	getrusage(RUSAGE_CHILDREN, &after);
	return after.ru_minflt - before.ru_minflt;
}

/* The page that the last child wrote to first is copied ahead for the next: it is still each one's own, with
 * what the parent has in it now and no more rights than there. */
static void what_the_last_child_wrote_first_is_copied_ahead(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long first, second;
	int status;

	CHECK(page != MAP_FAILED);
	*page = 1;
	first = faults_of_child(page, &status);
	CHECK_EQ(WEXITSTATUS(status), 1);
	second = faults_of_child(page, &status);
	CHECK_EQ(WEXITSTATUS(status), 1);
	CHECK_EQ(second, first - 1);
	for (char i = 2; i < 6; i++) {
		CHECK_EQ(*page, i - 1);
		*page = i;
		CHECK_EQ(faults_of_child(page, &status), second);
		CHECK_EQ(WEXITSTATUS(status), i);
	}
	faults_of_child(NULL, &status); /* did not need it */
	CHECK_EQ(faults_of_child(page, &status), first);
	CHECK(mprotect(page, 4096, PROT_READ) == 0);
	faults_of_child(page, &status);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	CHECK(munmap(page, 4096) == 0);
	faults_of_child(page, &status);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void registers_survive_in_the_child(void)
{
	volatile int on_stack = 41;
	register long kept __asm__("rbx") = 0x1234567;

	__asm__ volatile("" : "+r"(kept));
	pid_t child = fork();

	__asm__ volatile("" : "+r"(kept));
	if (child == 0)
		_exit(kept == 0x1234567 && on_stack + 1 == 42 ? 0 : 1);
	CHECK_EQ(status_of(child), 0);
	CHECK(kept == 0x1234567);
}

static void many_children_in_a_row(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0)
			_exit(i & 0x7f);
		int status = status_of(child);

		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), i & 0x7f);
	}
}

static void many_children_at_once(void)
{
	enum { N = 40 };
	pid_t child[N];

	for (int i = 0; i < N; i++) {
		child[i] = fork();
		CHECK(child[i] >= 0);
		if (child[i] == 0) {
			sched_yield();
			_exit(i);
		}
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(WEXITSTATUS(status_of(child[i])), i);
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

static void grandchildren_do_the_same(void)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		for (int i = 0; i < 10; i++) {
			pid_t grandchild = fork();

			if (grandchild == 0)
				_exit(3);
			if (WEXITSTATUS(status_of(grandchild)) != 3)
				_exit(1);
		}
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
}

static void vfork_shares_memory_and_waits(void)
{
	static volatile int written;
	pid_t child = vfork();

	if (child == 0) {
		written = 5;
		_exit(9);
	}
	CHECK_EQ(written, 5);
	CHECK_EQ(WEXITSTATUS(status_of(child)), 9);
}

static int clone_entry(void *argument)
{
	*(volatile int *)argument = 77;
	return 4;
}

static void clone_with_vm_shares_memory(void)
{
	static volatile int written;
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(stack != MAP_FAILED);
	pid_t child = clone(clone_entry, stack + 65536, CLONE_VM | SIGCHLD, (void *)&written);

	CHECK(child > 0);
	CHECK_EQ(WEXITSTATUS(status_of(child)), 4);
	CHECK_EQ(written, 77);
	munmap(stack, 65536);
}

static void descriptors_are_copied_but_share_the_offset(void)
{
	char name[] = "/tmp/fork-XXXXXX", c = 0;
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	CHECK(write(fd, "abc", 3) == 3);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	pid_t child = fork();

	if (child == 0) {
		read(fd, &c, 1);
		close(fd);
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(read(fd, &c, 1) == 1);
	CHECK_EQ(c, 'b');
	close(fd);
	unlink(name);
}

static void orphans_are_adopted(void)
{
	int pipe_ends[2];
	pid_t parent_of_orphan = -1;

	CHECK(pipe(pipe_ends) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid_t child = fork();

	if (child == 0) {
		pid_t before = getpid();

		if (fork() == 0) {
			while (getppid() == before)
				usleep(1000);
			pid_t p = getppid();

			write(pipe_ends[1], &p, sizeof(p));
			_exit(6);
		}
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(read(pipe_ends[0], &parent_of_orphan, sizeof(parent_of_orphan)) ==
	      sizeof(parent_of_orphan));
	CHECK_EQ(parent_of_orphan, getpid());
	int status;

	CHECK(wait(&status) > 0);
	CHECK_EQ(WEXITSTATUS(status), 6);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void groups_and_sessions_follow_the_rules(void)
{
	pid_t child = fork();

	if (child == 0) {
		if (getpgrp() != getpgid(getppid()) || setpgid(0, 0) != 0 || getpgrp() != getpid())
			_exit(1);
		if (setsid() != -1 || errno != EPERM) /* a group leader may not */
			_exit(2);
		pid_t grandchild = fork();

		if (grandchild == 0) {
			if (getpgrp() != getppid() || setsid() != getpid())
				_exit(1);
			_exit(getsid(0) == getpid() && getpgrp() == getpid() ? 0 : 2);
		}
		_exit(status_of(grandchild) == 0 ? 0 : 3);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(setpgid(child, child) == -1 && errno == ESRCH);
}

static pid_t child_that_has_ended(void)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(0);
	return child;
}

/* Makes children until their ids have gone round, and beyond this one: was it any child's? */
static bool is_given_again(pid_t id)
{
	pid_t child = 0, last;
	bool round = false;

	for (int i = 0; i < 200000 && !(round && child > id); i++) {
		last = child;
		child = child_that_has_ended();
		if (child == id || waitpid(child, NULL, 0) != child)
			return true;
		round |= child < last;
	}
	return !round;
}

/* Whoever had it would be taken for the leader of that session. */
static void the_id_of_a_session_is_not_given_again(void)
{
	int ends[2];
	char c = 0;

	CHECK_EQ(pipe(ends), 0);
	pid_t child = fork();

	if (child == 0) {
		pid_t session = setsid();
		cpu_set_t one;

		if (fork() != 0)
			_exit(0);
		/* In no group of that name, so that the session alone is called so. */
		if (setpgid(0, 0) != 0)
			_exit(1);
		while (kill(session, 0) == 0)
			usleep(1000);
		CPU_ZERO(&one);
		CPU_SET(0, &one);
		sched_setaffinity(0, sizeof(one), &one); /* quicker */
		write(ends[1], getsid(0) == session && !is_given_again(session) ? "y" : "n", 1);
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
	close(ends[1]);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(c, 'y');
	close(ends[0]);
}

static void process_limit_stops_fork(void)
{
	pid_t child = fork();

	if (child == 0) {
		struct rlimit limit = { 3, 3 };
		int made = 0;

		/* The limit counts all of the user's, so it is reached at once for root as well. */
		if (setrlimit(RLIMIT_NPROC, &limit) != 0)
			_exit(1);
		for (;;) {
			pid_t p = fork();

			if (p == 0) {
				pause();
				_exit(0);
			}
			if (p < 0)
				break;
			if (++made > 3)
				_exit(2);
		}
		_exit(errno == EAGAIN ? 0 : 3);
	}
	CHECK_EQ(status_of(child), 0);
}

/* A user's tasks are counted as they come, change hands and go, threads and zombies with them. */
static void a_user_is_counted_exactly(void)
{
	pid_t child = fork();

	if (child == 0) {
		struct rlimit limit = { 3, 3 };
		pid_t first, second;

		if (setrlimit(RLIMIT_NPROC, &limit) != 0 || setuid(4711) != 0)
			_exit(1);
		first = fork();
		if (first == 0)
			_exit(0);
		second = fork();
		if (second == 0)
			_exit(0);
		if (first < 0 || second < 0)
			_exit(2);
		for (int i = 0; i < 10; i++) {
			/* With two zombies there is no room. */
			siginfo_t info;

			if (waitid(P_PID, (id_t)second, &info, WEXITED | WNOWAIT) != 0 || fork() != -1)
				_exit(3);
			if (waitpid(second, NULL, 0) != second)
				_exit(4);
			second = fork();
			if (second == 0)
				_exit(0);
			if (second < 0)
				_exit(5);
		}
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
}

static void killed_group_leaves_no_survivor(void)
{
	int pipe_ends[2];
	char c;

	CHECK(pipe(pipe_ends) == 0);
	pid_t child = fork();

	if (child == 0) {
		setpgid(0, 0);
		for (int i = 0; i < 4; i++)
			fork();
		write(pipe_ends[1], "x", 1);
		for (;;)
			pause();
	}
	for (int i = 0; i < 16; i++)
		CHECK(read(pipe_ends[0], &c, 1) == 1);
	CHECK(kill(-child, SIGKILL) == 0);
	int status = status_of(child);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(pipe_ends[1]);
	CHECK_EQ(read(pipe_ends[0], &c, 1), 0); /* the last writer is gone */
	close(pipe_ends[0]);
}

/* One that makes children when its group is sent a signal.  Not by fork(3), which shuts signals out, so that
 * what came meanwhile would be the parent's alone, as on Linux. */
static _Noreturn void make_children(int ready)
{
	setpgid(0, 0);
	write(ready, "x", 1);
	for (int i = 0; i < 30; i++)
		if (syscall(SYS_fork) == 0)
			for (;;)
				pause();
	for (;;)
		pause();
}

static void a_signal_to_a_group_reaches_a_child_that_is_made(void)
{
	static char big[1 << 20];
	int ends[2], status;
	char c;

	memset(big, 1, sizeof(big)); /* so that a fork takes a while */
	for (int round = 0; round < 60; round++) {
		CHECK_EQ(pipe(ends), 0);
		pid_t child = fork();

		if (child == 0)
			make_children(ends[1]);
		close(ends[1]);
		CHECK_EQ(read(ends[0], &c, 1), 1);
		for (volatile int n = 0; n < round * 3001 % 40000; n++)
			;
		CHECK_EQ(kill(-child, SIGTERM), 0);
		status = status_of(child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
		CHECK_EQ(read(ends[0], &c, 1), 0); /* all that had the other end have ended */
		close(ends[0]);
	}
}

static _Atomic bool children_made;

/* Real and saved ids are always the same, a soft limit is its hard one; by calls that are this thread's
 * only. */
static void *changes_both_at_once(void *unused)
{
	for (unsigned n = 0; !children_made; n = !n) {
		struct rlimit limit = { 1000 + n * 1000, 1000 + n * 1000 };

		syscall(SYS_setresuid, 1 + n, 0, 1 + n);
		syscall(SYS_setresgid, 1 + n, 0, 1 + n);
		syscall(SYS_setrlimit, RLIMIT_CORE, &limit);
	}
	return unused;
}

static int has_halves_of_two(void)
{
	uid_t id[3];
	struct rlimit limit;

	if (syscall(SYS_getresuid, &id[0], &id[1], &id[2]) != 0 || id[0] != id[2])
		return 1;
	if (syscall(SYS_getresgid, &id[0], &id[1], &id[2]) != 0 || id[0] != id[2])
		return 2;
	return syscall(SYS_getrlimit, RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != limit.rlim_max
		       ? 3
		       : 0;
}

/* A process of its own for it, as it goes on with other ids. */
static void a_child_has_its_identity_of_one_moment(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;
		int status = 0;

		syscall(SYS_setresuid, 1, 0, 1);
		syscall(SYS_setresgid, 1, 0, 1);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 1000, 1000 });
		CHECK_EQ(pthread_create(&thread, NULL, changes_both_at_once, NULL), 0);
		for (int i = 0; i < 1000 && status == 0; i++) {
			pid_t one = fork();

			if (one == 0)
				_exit(has_halves_of_two());
			CHECK(one > 0);
			status = status_of(one);
		}
		children_made = true;
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ(status, 0);
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
}

/* Every process of it forks for ever; the rest of the machine goes on, and the bomb can be removed. */
static void fork_bomb_under_a_limit_is_survived(void)
{
	pid_t bomb = fork();
	int status, tries = 0;

	if (bomb == 0) {
		struct rlimit limit = { 100, 100 };

		setpgid(0, 0);
		setrlimit(RLIMIT_NPROC, &limit);
		for (;;)
			fork();
	}
	setpgid(bomb, bomb);
	usleep(300000);
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		_exit(5);
	CHECK_EQ(WEXITSTATUS(status_of(child)), 5);
	while (kill(-bomb, SIGKILL) == 0 && tries++ < 1000) {
		while (waitpid(-1, &status, WNOHANG) > 0)
			;
		usleep(1000);
	}
	CHECK(tries < 1000);
}

static volatile sig_atomic_t death_signals;

static pid_t ends;

static void count_death(int number, siginfo_t *info, void *context)
{
	death_signals += info->si_code == SI_USER && info->si_pid == ends ? 1 : 100;
}

static void parent_death_signal_arrives(void)
{
	int pipe_ends[2];
	char c = 0;

	CHECK(pipe(pipe_ends) == 0);
	pid_t child = fork();

	if (child == 0) {
		if (fork() == 0) {
			struct sigaction action = { .sa_sigaction = count_death,
						    .sa_flags = SA_SIGINFO };

			ends = getppid();
			sigaction(SIGUSR1, &action, NULL);
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			write(pipe_ends[1], "r", 1);
			for (int i = 0; i < 5000 && !death_signals; i++)
				usleep(1000);
			write(pipe_ends[1], death_signals == 1 ? "y" : "n", 1);
			_exit(0);
		}
		read(pipe_ends[0], &c, 1);
		_exit(0);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK(read(pipe_ends[0], &c, 1) == 1);
	CHECK_EQ(c, 'y');
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

/* The child of a thread, which ends when it has written that it is ready. */
static void *makes_a_child(void *pipe_ends)
{
	const int *at = pipe_ends;
	char c;

	if (fork() == 0) {
		struct sigaction action = { .sa_sigaction = count_death, .sa_flags = SA_SIGINFO };

		ends = getppid();
		sigaction(SIGUSR1, &action, NULL);
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		write(at[1], "r", 1);
		for (int i = 0; i < 5000 && !death_signals; i++)
			usleep(1000);
		write(at[1], death_signals == 1 && getppid() == ends ? "y" : "n", 1);
		_exit(0);
	}
	read(at[0], &c, 1);
	return NULL;
}

/* PR_SET_PDEATHSIG(2const): the parent is the thread that made the child, and its process lives on. */
static void the_end_of_the_thread_that_forked_is_told(void)
{
	pthread_t thread;
	int pipe_ends[2];
	char c = 0;

	CHECK_EQ(pipe(pipe_ends), 0);
	CHECK_EQ(pthread_create(&thread, NULL, makes_a_child, pipe_ends), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(read(pipe_ends[0], &c, 1), 1);
	CHECK_EQ(c, 'y');
	CHECK(wait(NULL) > 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

#define TABLE (2ul << 20) /* of memory that one page table is for */

static char *alone;       /* a table's worth of memory with nothing else in it */
static volatile int *busy; /* shared */

/* In the space of a process that is about to end: its page table goes and comes again. */
static int takes_tables_away(void *unused)
{
	(void)unused;
	for (int i = 0; i < 100; i++) {
		munmap(alone, TABLE);
		mmap(alone, TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		*(volatile char *)alone = 1;
		if (i == 5)
			*busy = 1;
	}
	return 0;
}

/* A child that ends while another process is in its space, having written where the last child did. */
static void a_space_is_left_to_another_process(void)
{
	char *around = mmap(NULL, 3 * TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;

	alone = (char *)(((unsigned long)around + TABLE - 1) & ~(TABLE - 1));
	busy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*alone = 1;
	for (int i = 0; i < 150; i++) {
		*busy = 0;
		if (fork() == 0) {
			*(volatile char *)alone = 2;
			if (i >= 2 && clone(takes_tables_away, stack + 65536, CLONE_VM | SIGCHLD, NULL) > 0)
				while (!*busy)
					;
			for (volatile int n = 0; n < i * 7919 % 20000; n++)
				;
			syscall(SYS_exit_group, 0);
		}
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
	while (wait(&status) > 0)
		;
	munmap(around, 3 * TABLE);
	munmap(stack, 65536);
	munmap((void *)busy, 4096);
}

int main(void)
{
	RUN(child_returns_zero_and_parent_the_pid);
	RUN(what_the_last_child_wrote_first_is_copied_ahead);
	RUN(registers_survive_in_the_child);
	RUN(many_children_in_a_row);
	RUN(many_children_at_once);
	RUN(grandchildren_do_the_same);
	RUN(vfork_shares_memory_and_waits);
	RUN(clone_with_vm_shares_memory);
	RUN(a_space_is_left_to_another_process);
	RUN(descriptors_are_copied_but_share_the_offset);
	RUN(orphans_are_adopted);
	RUN(groups_and_sessions_follow_the_rules);
	RUN(killed_group_leaves_no_survivor);
	RUN(a_signal_to_a_group_reaches_a_child_that_is_made);
	RUN(parent_death_signal_arrives);
	RUN(the_end_of_the_thread_that_forked_is_told);
	RUN(the_id_of_a_session_is_not_given_again);
	RUN(process_limit_stops_fork);
	RUN(a_user_is_counted_exactly);
	RUN(a_child_has_its_identity_of_one_moment);
	RUN(fork_bomb_under_a_limit_is_survived);
	return test_result();
}
