/* SPDX-License-Identifier: MIT */
/* Ways through calls on processes that hardly any program takes; each as its manual page has it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "in_child.h"
#include "test.h"

#define SCRIPT "/tmp/corners_script"
#define ARCH_GET_GS 0x1004

/* ---- users */

static int becomes_a_user(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];
	gid_t groups[2] = { 5, 6 };

	if (setgroups(2, groups) < 0 || setresuid(1000, 1001, 1002) < 0)
		return 1;
	if (setreuid((uid_t)-1, 1000) < 0 || geteuid() != 1000 || setreuid(1000, (uid_t)-1) < 0)
		return 2;
	if (setreuid(1001, (uid_t)-1) == 0 || errno != EPERM)
		return 3;
	if (syscall(SYS_capget, &header, sets) < 0)
		return 4;
	return sets[0].effective != 0;
}

static void a_user_changes_between_his_numbers(void)
{
	CHECK_EQ(in_child(becomes_a_user), 0);
}

/* capget(2): "if the version is unknown and the data is NULL", as libraries look for the version. */
static void the_version_of_capabilities_is_told(void)
{
	struct __user_cap_header_struct header = { 0 };
	struct __user_cap_data_struct sets[2];

	CHECK_EQ(syscall(SYS_capget, &header, NULL), 0);
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
	CHECK_EQ(syscall(SYS_capget, &header, NULL), 0);
	header.version = 0;
	CHECK(syscall(SYS_capget, &header, sets) == -1 && errno == EINVAL);
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
	header.version = 1;
	CHECK(syscall(SYS_capset, &header, sets) == -1 && errno == EINVAL);
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
	CHECK(syscall(SYS_capget, 8, NULL) == -1 && errno == EFAULT);
}

/* What is said to be gone is gone: here no single one can be dropped. */
static int drops_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2], none[2] = { 0 };
	long r;

	if (syscall(SYS_capget, &header, sets) < 0 || sets[0].effective == 0 ||
	    syscall(SYS_capset, &header, sets) < 0)
		return 1;
	sets[1].inheritable = 1u << 31; /* that there is not */
	if (syscall(SYS_capset, &header, sets) < 0)
		return 2;
	r = syscall(SYS_capset, &header, none);
	if (r < 0 && errno != EPERM)
		return 3;
	if (syscall(SYS_capget, &header, sets) < 0 || (sets[0].effective == 0) != (r == 0))
		return 4;
	return (setresuid(1000, 1000, 1000) < 0) != (r == 0) ? 5 : 0;
}

static int has_none_to_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	if (setresuid(1000, 1000, 1000) < 0 || syscall(SYS_capset, &header, sets) < 0)
		return 1;
	sets[0].effective = sets[0].permitted = 1;
	return syscall(SYS_capset, &header, sets) != -1 || errno != EPERM;
}

static void capabilities_are_dropped_or_it_is_an_error(void)
{
	CHECK_EQ(in_child(drops_capabilities), 0);
	CHECK_EQ(in_child(has_none_to_drop), 0);
}

static void nobody_gains_rights_by_exec(void)
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

/* kill(2): within a session, SIGCONT may be sent to anybody's process. */
static int continues_another_users(void)
{
	pid_t parent = getppid();

	if (setresuid(1000, 1000, 1000) < 0)
		return 1;
	if (kill(parent, SIGTERM) == 0 || errno != EPERM)
		return 2;
	return kill(parent, SIGCONT) < 0;
}

static void a_session_may_be_continued(void)
{
	CHECK_EQ(in_child(continues_another_users), 0);
}

/* ---- exec */

static int write_script(const char *text)
{
	int fd = open(SCRIPT, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return ok ? 0 : -1;
}

static int runs_a_script(void)
{
	static char many[4000];

	memset(many, 'x', sizeof(many) - 1);
	execl(SCRIPT, SCRIPT, "first", many, NULL);
	return 99;
}

/* Blanks before the interpreter's argument do not count, and all of the script's come behind it. */
static void a_script_gets_its_arguments(void)
{
	CHECK_EQ(write_script("#!/bin/sh \t  -e\ntest \"$1\" = first && test ${#2} = 3999\n"), 0);
	CHECK_EQ(in_child(runs_a_script), 0);
	CHECK_EQ(unlink(SCRIPT), 0);
}

static int execs_with_stack(rlim_t most)
{
	static char many[100 * 1024];
	struct rlimit limit = { most, RLIM_INFINITY };

	memset(many, 'x', sizeof(many) - 1);
	if (setrlimit(RLIMIT_STACK, &limit) < 0)
		return 98;
	execl("/bin/true", "true", many, NULL);
	return 99;
}

static int execs_with_little_stack(void)
{
	return execs_with_stack(128 * 1024);
}

static int execs_with_endless_stack(void)
{
	return execs_with_stack(RLIM_INFINITY);
}

/* execve(2): there is always room for 128 KiB of arguments. */
static void arguments_fit_whatever_the_stack(void)
{
	CHECK_EQ(in_child(execs_with_little_stack), 0);
	CHECK_EQ(in_child(execs_with_endless_stack), 0);
}

static int execs_with_a_timer(void)
{
	struct itimerspec late = { .it_value = { 1000, 0 } }, left;
	char number[16];
	int timer; /* the kernel's number for it */

	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer) < 0 ||
	    syscall(SYS_timer_settime, timer, 0, &late, NULL) < 0 ||
	    syscall(SYS_timer_gettime, timer, &left) < 0)
		return 98;
	snprintf(number, sizeof(number), "%d", timer);
	execl("/proc/self/exe", "corners_process", number, NULL);
	return 99;
}

/* The program that execs_with_a_timer() becomes: its status. */
static int has_no_timer(int timer)
{
	struct itimerspec left;

	return !(syscall(SYS_timer_gettime, timer, &left) == -1 && errno == EINVAL);
}

static void timers_end_when_a_program_begins(void)
{
	CHECK_EQ(in_child(execs_with_a_timer), 0);
}

/* ---- signals */

/* The leader of a session, whose child nobody outside of their group could continue. */
static int has_an_orphan_that_stops(void)
{
	int status = -1;

	if (setsid() < 0)
		return 1;
	pid_t child = fork();

	if (child == 0)
		_exit(raise(SIGTSTP) != 0);
	if (waitpid(child, &status, WUNTRACED) != child)
		return 2;
	if (WIFSTOPPED(status))
		kill(child, SIGKILL);
	return status != 0;
}

static void an_orphaned_group_is_not_stopped(void)
{
	CHECK_EQ(in_child(has_an_orphan_that_stops), 0);
}

static void never_called(int number)
{
	_exit(98);
}

/* There is no place for the handler's frame, so there is no handler. */
static int faults_without_a_stack(void)
{
	signal(SIGSEGV, never_called);
	__asm__ volatile("mov $16, %%rsp\n\tmovb $0, 0" : : : "memory");
	return 99;
}

static void a_fault_without_a_stack_ends_the_process(void)
{
	int status = in_child(faults_without_a_stack);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void raises_itself(int number)
{
	raise(SIGUSR1);
}

static int overflows_its_alternate_stack(void)
{
	static char memory[1 << 15];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };
	struct sigaction action = { .sa_handler = raises_itself,
				    .sa_flags = SA_ONSTACK | SA_NODEFER };

	if (sigaltstack(&stack, NULL) < 0 || sigaction(SIGUSR1, &action, NULL) < 0)
		return 98;
	raise(SIGUSR1);
	return 99;
}

static void an_alternate_stack_is_not_left_below(void)
{
	int status = in_child(overflows_its_alternate_stack);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static uint16_t x87_control(void)
{
	uint16_t word;

	__asm__ volatile("fnstcw %0" : "=m"(word));
	return word;
}

static void changes_the_control_word(int number)
{
	uint16_t word = 0x27f;

	__asm__ volatile("fldcw %0" : : "m"(word));
}

static void a_handlers_control_word_is_its_own(void)
{
	uint16_t before = x87_control();

	CHECK(before != 0x27f);
	signal(SIGUSR1, changes_the_control_word);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(x87_control(), before);
	signal(SIGUSR1, SIG_DFL);
}

static volatile sig_atomic_t alarms;

static void counts(int number)
{
	alarms++;
}

static void *spins_until_the_alarm(void *unused)
{
	while (!alarms)
		;
	return unused;
}

/* What the threads use together is what counts. */
static void the_time_of_all_threads_ends_a_timer(void)
{
	struct itimerval soon = { .it_value = { 0, 20000 } };
	pthread_t thread;

	signal(SIGVTALRM, counts);
	CHECK_EQ(pthread_create(&thread, NULL, spins_until_the_alarm, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_VIRTUAL, &soon, NULL), 0);
	spins_until_the_alarm(NULL);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(alarms, 1);
	signal(SIGVTALRM, SIG_DFL);
}

/* rt_tgsigqueueinfo(2): a number that comes along, from ourselves also one that says it is by queue. */
static void a_thread_is_sent_a_number(void)
{
	siginfo_t sent = { .si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value.sival_int = 77 }, got;
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &wanted, NULL), 0);
	CHECK(syscall(SYS_rt_tgsigqueueinfo, 0, gettid(), SIGUSR1, &sent) == -1 && errno == EINVAL);
	CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &sent), 0);
	CHECK_EQ(sigwaitinfo(&wanted, &got), SIGUSR1);
	CHECK_EQ(got.si_value.sival_int, 77);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &wanted, NULL), 0);
}

/* ---- threads and children */

struct owned {
	struct robust_list entry;
	_Atomic uint32_t word;
};

static struct robust_list_head robust;
static struct owned pending;

/* It says that it is about to take, or to leave, what it owns: nobody has put that on its list. */
static void *ends_with_something_pending(void *unused)
{
	robust = (struct robust_list_head){ .list = { &robust.list }, .list_op_pending = &pending.entry,
					    .futex_offset = offsetof(struct owned, word) };
	pending.word = (uint32_t)gettid() | FUTEX_WAITERS;
	return (void *)syscall(SYS_set_robust_list, &robust, sizeof(robust));
}

static void what_is_pending_is_left_by_a_thread_that_ends(void)
{
	pthread_t thread;
	void *wrong;

	CHECK_EQ(pthread_create(&thread, NULL, ends_with_something_pending, NULL), 0);
	CHECK_EQ(pthread_join(thread, &wrong), 0);
	CHECK(wrong == NULL);
	CHECK_EQ(pending.word, FUTEX_WAITERS | FUTEX_OWNER_DIED);
}

static void the_base_of_gs_can_be_read(void)
{
	unsigned long base = 1;

	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_GS, &base), 0);
	CHECK_EQ(base, 0);
}

static void a_group_is_waited_for_without_being_told(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	CHECK_EQ(syscall(SYS_waitid, P_PGID, 0, NULL, WEXITED, NULL), 0);
	CHECK(waitpid(child, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void *gives_its_number(void *ends)
{
	int id = gettid();
	char c;

	write(((int *)ends)[1], &id, sizeof(id));
	read(((int *)ends)[2], &c, 1);
	return NULL;
}

/* prlimit(2) takes the number of any thread. */
static void a_limit_is_found_by_any_thread(void)
{
	int ends[4], id;
	struct rlimit mine, its = { 0 };
	pthread_t thread;

	CHECK(pipe(ends) == 0 && pipe(ends + 2) == 0);
	CHECK_EQ(pthread_create(&thread, NULL, gives_its_number, ends), 0);
	CHECK_EQ(read(ends[0], &id, sizeof(id)), sizeof(id));
	long r = syscall(SYS_prlimit64, id, RLIMIT_NOFILE, NULL, &its);

	CHECK_EQ(write(ends[3], "x", 1), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		close(ends[i]);
	CHECK_EQ(r, 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &mine), 0);
	CHECK_EQ(its.rlim_cur, mine.rlim_cur);
}

/* The main thread is there, and takes nothing, while others go on: proc(5) has it as a zombie. */
static void *signals_the_main_thread(void *unused)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", getpid(), getpid());
	for (int i = 0; i < 2000 && state != 'Z'; i++) {
		FILE *f = fopen(path, "r");

		if (f) {
			fscanf(f, "%*d (%*[^)]) %c", &state);
			fclose(f);
		}
		usleep(1000);
	}
	if (state != 'Z')
		_exit(1);
	if (syscall(SYS_tgkill, getpid(), getpid(), 0) != 0 ||
	    syscall(SYS_tgkill, getpid(), getpid(), SIGTERM) != 0)
		_exit(2);
	if (syscall(SYS_tgkill, getpid() + 1, getpid(), 0) == 0 || errno != ESRCH)
		_exit(3);
	_exit(0);
	return unused;
}

static int ends_its_main_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, signals_the_main_thread, NULL) != 0)
		return 98;
	pthread_exit(NULL);
}

static void a_main_thread_that_has_ended_is_still_there(void)
{
	CHECK_EQ(in_child(ends_its_main_thread), 0);
}

/* prctl(2): a child has it, and another user begins without. */
static int remembers_that_it_is_not_dumped(void)
{
	if (prctl(PR_GET_DUMPABLE) != 1 || prctl(PR_SET_DUMPABLE, 0) != 0)
		return 1;
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(prctl(PR_GET_DUMPABLE) != 0);
	if (waitpid(child, &status, 0) != child || status != 0 || prctl(PR_GET_DUMPABLE) != 0)
		return 2;
	if (prctl(PR_SET_DUMPABLE, 2) == 0 || errno != EINVAL || prctl(PR_SET_DUMPABLE, 1) != 0)
		return 3;
	return seteuid(1000) != 0 || prctl(PR_GET_DUMPABLE) != 0;
}

static void being_dumped_is_remembered(void)
{
	CHECK_EQ(in_child(remembers_that_it_is_not_dumped), 0);
}

/* As reboot(2) is not. */
static int cannot_end_the_machine(void)
{
	int control = open("/dev/host/ctl", O_WRONLY);
	unsigned nobody = 999999;
	char group[5] = "g";

	if (control < 0)
		return 0; /* nobody to tell */
	memcpy(group + 1, &nobody, 4);
	if (seteuid(1000) != 0)
		return 1;
	if (write(control, group, 5) != -1 || errno != EPERM)
		return 2;
	return write(control, &nobody, 4) != -1 || errno != EPERM;
}

static void the_machine_is_not_everybodys_to_end(void)
{
	CHECK_EQ(in_child(cannot_end_the_machine), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return has_no_timer(atoi(argv[1]));
	RUN(a_user_changes_between_his_numbers);
	RUN(the_version_of_capabilities_is_told);
	RUN(capabilities_are_dropped_or_it_is_an_error);
	RUN(nobody_gains_rights_by_exec);
	RUN(a_session_may_be_continued);
	RUN(a_script_gets_its_arguments);
	RUN(arguments_fit_whatever_the_stack);
	RUN(timers_end_when_a_program_begins);
	RUN(an_orphaned_group_is_not_stopped);
	RUN(a_fault_without_a_stack_ends_the_process);
	RUN(an_alternate_stack_is_not_left_below);
	RUN(a_handlers_control_word_is_its_own);
	RUN(the_time_of_all_threads_ends_a_timer);
	RUN(a_thread_is_sent_a_number);
	RUN(what_is_pending_is_left_by_a_thread_that_ends);
	RUN(the_base_of_gs_can_be_read);
	RUN(a_group_is_waited_for_without_being_told);
	RUN(a_limit_is_found_by_any_thread);
	RUN(a_main_thread_that_has_ended_is_still_there);
	RUN(being_dumped_is_remembered);
	RUN(the_machine_is_not_everybodys_to_end);
	return test_result();
}
