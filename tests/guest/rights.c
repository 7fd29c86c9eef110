/* SPDX-License-Identifier: MIT */
/* What a process that is not root may do to itself and to others: credentials(7), getrlimit(2), sched(7). */
#define _GNU_SOURCE
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "test.h"

#define SCHED_IDLE_POLICY 5

static int changes_ids(void)
{
	if (setresgid(1001, 1002, 1003) < 0 || setresuid(1001, 1002, 1003) < 0)
		return 1;
	if (syscall(SYS_setuid, 1002) != -1 || errno != EPERM)
		return 2;
	if (syscall(SYS_setgid, 1002) != -1 || errno != EPERM)
		return 3;
	if (syscall(SYS_setuid, 1001) != 0 || geteuid() != 1001 || syscall(SYS_setuid, 1003) != 0)
		return 4;
	return syscall(SYS_setgid, 1003) != 0 || getegid() != 1003;
}

static void an_effective_id_alone_is_not_set(void)
{
	CHECK_EQ(in_child(changes_ids), 0);
}

static int is_in_groups(void)
{
	gid_t groups[4] = { 7, 1001, 5, 9 }, found[4] = { 0 }, many[33] = { 0 };

	if (setgroups(0, NULL) < 0 || getgroups(0, NULL) != 0 || setgroups(4, groups) < 0)
		return 1;
	if (getgroups(0, NULL) != 4 || getgroups(4, found) != 4 ||
	    memcmp(groups, found, sizeof(groups)))
		return 2;
	if (getgroups(3, found) != -1 || errno != EINVAL || getgroups(-1, found) != -1 ||
	    errno != EINVAL)
		return 3;
	if (setgroups(33, many) != -1 || errno != EINVAL || getgroups(4, found) != 4)
		return 4;
	/* They stay when the identity changes, and then nobody else can be chosen. */
	if (setresgid(1001, 1001, 1001) < 0 || setresuid(1001, 1001, 1001) < 0)
		return 5;
	if (setgroups(0, NULL) != -1 || errno != EPERM)
		return 6;
	memset(found, 0, sizeof(found));
	return getgroups(4, found) != 4 || memcmp(groups, found, sizeof(groups)) ? 7 : 0;
}

static int hands_its_groups_on(void)
{
	gid_t groups[2] = { 7, 5 };
	char line[64] = "";
	FILE *status;
	pid_t child;
	int ended;

	if (setgroups(2, groups) < 0)
		return 1;
	child = fork();
	if (child == 0) {
		/* A program that is started has them, too. */
		execl("/bin/sh", "sh", "-c", "test \"$(id -G)\" = '0 7 5'", NULL);
		_exit(1);
	}
	if (waitpid(child, &ended, 0) != child || ended != 0)
		return 2;
	status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status) && strncmp(line, "Groups:", 7))
		;
	return strcmp(line, "Groups:\t7 5 \n") ? 3 : 0;
}

static void a_process_is_in_several_groups(void)
{
	CHECK_EQ(in_child(is_in_groups), 0);
	CHECK_EQ(in_child(hands_its_groups_on), 0);
}

static int has_own_limits(void)
{
	struct rlimit l;
	pid_t parent = getppid();

	if (setresgid(1001, 1002, 1001) < 0 || setresuid(1001, 1002, 1001) < 0)
		return 1;
	if (getrlimit(RLIMIT_STACK, &l) != 0 || setrlimit(RLIMIT_STACK, &l) != 0)
		return 2;
	if (prlimit(getpid(), RLIMIT_NOFILE, NULL, &l) != 0)
		return 3;
	return prlimit(parent, RLIMIT_NOFILE, NULL, &l) != -1 || errno != EPERM;
}

static void limits_are_ones_own_whatever_the_ids(void)
{
	CHECK_EQ(in_child(has_own_limits), 0);
}

static int loses_its_death_signal(void)
{
	int number = -1;

	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (setresuid(0, 0, 0) < 0 || prctl(PR_GET_PDEATHSIG, &number) < 0 || number != SIGUSR1)
		return 1;
	if (setresgid((gid_t)-1, 1000, (gid_t)-1) < 0 || prctl(PR_GET_PDEATHSIG, &number) < 0 ||
	    number != 0)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (setuid(1000) < 0 || prctl(PR_GET_PDEATHSIG, &number) < 0)
		return 3;
	return number;
}

static void a_death_signal_is_not_kept_by_another_user(void)
{
	CHECK_EQ(in_child(loses_its_death_signal), 0);
}

/* ---- what an exec leaves of an identity */

static const char *self;

/* The program that is executed, with the ids that it is to have: 0, or what was wrong. */
static int finds_its_ids(char **ids)
{
	uid_t real, effective, saved, user = (uid_t)atoi(ids[0]), acts_as = (uid_t)atoi(ids[1]);
	gid_t real_group, effective_group, saved_group;
	int signal = -1;

	if (getresuid(&real, &effective, &saved) < 0 ||
	    getresgid(&real_group, &effective_group, &saved_group) < 0)
		return 11;
	if (real != user || real_group != user || effective != acts_as || effective_group != acts_as)
		return 12;
	if (saved != acts_as || saved_group != acts_as)
		return 13;
	if (acts_as != 0 && (seteuid(0) != -1 || errno != EPERM || setegid(0) != -1))
		return 14;
	/* suid_dumpable of proc(5) may be 0 or 2. */
	if ((prctl(PR_GET_DUMPABLE) == 1) != (user == acts_as))
		return 15;
	if (prctl(PR_GET_PDEATHSIG, &signal) < 0 || signal != (user == acts_as ? SIGUSR1 : 0))
		return 16;
	return 0;
}

static int executes(const char *user, const char *acts_as)
{
	uid_t real = (uid_t)atoi(user), effective = (uid_t)atoi(acts_as);

	if (setresgid(real, effective, 0) < 0 || setresuid(real, effective, 0) < 0)
		return 1;
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	prctl(PR_SET_DUMPABLE, 0);
	execl(self, self, "ids", user, acts_as, NULL);
	return 2;
}

static int executes_as_a_user(void)
{
	return executes("1001", "1001");
}

static int executes_for_a_user(void)
{
	return executes("1001", "1002");
}

static int executes_as_root(void)
{
	return executes("0", "0");
}

/* execve(2): the effective ids are saved, so what was saved to come back to is not the new program's. */
static void an_exec_saves_the_effective_ids(void)
{
	CHECK_EQ(in_child(executes_as_a_user), 0);
	CHECK_EQ(in_child(executes_for_a_user), 0);
	CHECK_EQ(in_child(executes_as_root), 0);
}

static int set_policy(int policy, int priority)
{
	struct sched_param p = { .sched_priority = priority };

	return (int)syscall(SYS_sched_setscheduler, 0, policy, &p);
}

static int is_idle_for_good(void)
{
	if (set_policy(SCHED_IDLE_POLICY, 0) < 0 || setuid(1000) < 0)
		return 1;
	return set_policy(SCHED_OTHER, 0) != -1 || errno != EPERM;
}

static int rises_within_limits(void)
{
	struct rlimit nice = { 25, 25 }, real_time = { 10, 10 };

	if (set_policy(SCHED_IDLE_POLICY, 0) < 0 || setrlimit(RLIMIT_NICE, &nice) < 0 ||
	    setrlimit(RLIMIT_RTPRIO, &real_time) < 0 || setuid(1000) < 0)
		return 1;
	if (set_policy(SCHED_OTHER, 0) < 0)
		return 2;
	if (setpriority(PRIO_PROCESS, 0, -5) < 0 || getpriority(PRIO_PROCESS, 0) != -5)
		return 3;
	if (setpriority(PRIO_PROCESS, 0, -6) != -1 || errno != EACCES)
		return 4;
	if (set_policy(SCHED_FIFO, 11) != -1 || errno != EPERM)
		return 5;
	return set_policy(SCHED_FIFO, 10) < 0 || set_policy(SCHED_RR, 9) < 0;
}

static void more_of_the_cpu_needs_a_limit_that_allows_it(void)
{
	CHECK_EQ(in_child(is_idle_for_good), 0);
	CHECK_EQ(in_child(rises_within_limits), 0);
}

static int thread_id;
static sem_t has_begun, may_end;

static void *has_an_id(void *unused)
{
	thread_id = (int)syscall(SYS_gettid);
	sem_post(&has_begun);
	sem_wait(&may_end);
	return NULL;
}

/* kill(2) and its like take the id of any thread for its process; a priority is a thread's own. */
static void a_thread_is_as_good_a_name_as_its_process(void)
{
	pthread_t thread;
	int tid;

	CHECK(sem_init(&has_begun, 0, 0) == 0 && sem_init(&may_end, 0, 0) == 0);
	CHECK_EQ(pthread_create(&thread, NULL, has_an_id, NULL), 0);
	CHECK_EQ(sem_wait(&has_begun), 0);
	tid = thread_id;
	CHECK_EQ(kill(tid, 0), 0);
	CHECK_EQ(getpgid(tid), getpgid(0));
	CHECK_EQ(getsid(tid), getsid(0));
	CHECK(setpgid(tid, 0) == -1 && errno == EINVAL); /* it is in its process's group */
	CHECK(waitpid(tid, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
	CHECK_EQ(setpriority(PRIO_PROCESS, (id_t)tid, 5), 0);
	CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), 5);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
	CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)getpid()), 0);
	CHECK_EQ(sem_post(&may_end), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(kill(tid, 0) == -1 && errno == ESRCH);
	CHECK(getpriority(PRIO_PROCESS, (id_t)tid) == -1 && errno == ESRCH);
}

static void *ends(void *unused)
{
	thread_id = (int)syscall(SYS_gettid);
	return NULL;
}

/* It may still be on its way out: on Linux, one that was joined can be found for a while. */
static void who_has_joined_a_thread_finds_it_gone(void)
{
	int found[4] = { 0 };

	for (int i = 0; i < 500; i++) {
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, ends, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		found[0] += kill(thread_id, 0) == 0;
		found[1] += syscall(SYS_tkill, thread_id, 0) == 0;
		found[2] += getpriority(PRIO_PROCESS, (id_t)thread_id) != -1;
		found[3] += getpgid(thread_id) != -1;
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(found[i], 0);
}

int main(int argc, char **argv)
{
	self = (const char *)getauxval(AT_EXECFN);
	if (argc == 4)
		return finds_its_ids(argv + 2);
	RUN(an_effective_id_alone_is_not_set);
	RUN(a_process_is_in_several_groups);
	RUN(limits_are_ones_own_whatever_the_ids);
	RUN(a_death_signal_is_not_kept_by_another_user);
	RUN(an_exec_saves_the_effective_ids);
	RUN(more_of_the_cpu_needs_a_limit_that_allows_it);
	RUN(a_thread_is_as_good_a_name_as_its_process);
	RUN(who_has_joined_a_thread_finds_it_gone);
	return test_result();
}
