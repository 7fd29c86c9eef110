/* SPDX-License-Identifier: MIT */
/* Signals: handlers, masks, queues, stops, restarts, frames, threads. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "test.h"

static volatile sig_atomic_t count, last_number, last_code, last_pid;
static volatile intptr_t last_value;
static volatile void *last_address;

static void note(int number, siginfo_t *info, void *context)
{
	count++;
	last_number = number;
	last_code = info->si_code;
	last_pid = info->si_pid;
	last_value = (intptr_t)info->si_value.sival_ptr;
}

static void handle(int number, int flags)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&action.sa_mask);
	CHECK(sigaction(number, &action, NULL) == 0);
	count = 0;
}

static void block(int how, int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK(sigprocmask(how, &set, NULL) == 0);
}

static void a_handler_runs_and_returns(void)
{
	handle(SIGUSR1, 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(last_number, SIGUSR1);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK_EQ(count, 2);
	CHECK_EQ(last_code, SI_USER);
	CHECK_EQ(last_pid, getpid());
}

static void blocked_signals_wait_and_standard_ones_do_not_add_up(void)
{
	sigset_t pending;

	handle(SIGUSR1, 0);
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	CHECK_EQ(count, 0);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(count, 1);
}

static void real_time_signals_queue_in_order_with_values(void)
{
	int number = SIGRTMIN + 3;

	handle(number, 0);
	block(SIG_BLOCK, number);
	for (intptr_t i = 1; i <= 5; i++) {
		union sigval value = { .sival_ptr = (void *)i };

		CHECK(sigqueue(getpid(), number, value) == 0);
	}
	block(SIG_UNBLOCK, number);
	CHECK_EQ(count, 5);
	CHECK_EQ(last_value, 5); /* each handler keeps the next one out until it is done */
	CHECK_EQ(last_code, SI_QUEUE);
}

static void vector_registers_survive_a_handler(void)
{
	double before[4] = { 1.5, 2.5, 3.5, 4.5 };
	double sum = 0;

	handle(SIGALRM, 0);
	alarm(1);
	for (long i = 0; count == 0; i++) {
		double a = before[i & 3], b = a * 2, c = b / 2;

		sum += c - a;
	}
	CHECK(sum == 0);
}

static void clobber(int number)
{
	__asm__ volatile("xorps %%xmm7, %%xmm7\n\txor %%rbx, %%rbx\n\txor %%r12, %%r12"
			 :
			 :
			 : "xmm7", "rbx", "r12");
	count++;
}

static void registers_survive_a_handler_that_uses_them(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 5000000 };
	uint64_t rbx = 0, r12 = 0, xmm = 0;
	timer_t timer;

	count = 0;
	signal(SIGALRM, clobber);
	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
	CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
	__asm__ volatile("mov $0x1234567, %%rbx\n\t"
			 "mov $0x7654321, %%r12\n\t"
			 "movq %%rbx, %%xmm7\n"
			 "1:\tcmpl $0, %3\n\t"
			 "je 1b\n\t"
			 "mov %%rbx, %0\n\t"
			 "mov %%r12, %1\n\t"
			 "movq %%xmm7, %2"
			 : "=&a"(rbx), "=&d"(r12), "=&c"(xmm)
			 : "m"(count)
			 : "rbx", "r12", "xmm7", "cc", "memory");
	CHECK_EQ(rbx, 0x1234567);
	CHECK_EQ(r12, 0x7654321);
	CHECK_EQ(xmm, 0x1234567);
	timer_delete(timer);
}

static sigjmp_buf after_fault;

static void fault_note(int number, siginfo_t *info, void *context)
{
	last_number = number;
	last_code = info->si_code;
	last_address = info->si_addr;
	siglongjmp(after_fault, 1);
}

static void a_fault_becomes_a_signal_with_its_address(void)
{
	struct sigaction action = { .sa_sigaction = fault_note, .sa_flags = SA_SIGINFO };
	volatile char *bad = (volatile char *)0x1000;

	sigaction(SIGSEGV, &action, NULL);
	for (int i = 0; i < 3; i++) {
		last_number = 0;
		if (sigsetjmp(after_fault, 1) == 0)
			*bad = 1;
		CHECK_EQ(last_number, SIGSEGV);
		CHECK_EQ(last_code, SEGV_MAPERR);
		CHECK(last_address == bad);
	}
	action.sa_sigaction = fault_note;
	sigaction(SIGFPE, &action, NULL);
	if (sigsetjmp(after_fault, 1) == 0) {
		volatile int zero = 0, one = 1;

		one /= zero;
	}
	CHECK_EQ(last_number, SIGFPE);
	CHECK_EQ(last_code, FPE_INTDIV);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGFPE, SIG_DFL);
}

static void skip_instruction(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
	uc->uc_mcontext.gregs[REG_RAX] = 77;
	count++;
}

static void a_handler_can_change_the_registers(void)
{
	struct sigaction action = { .sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO };
	long result = 1;

	count = 0;
	sigaction(SIGILL, &action, NULL);
	__asm__ volatile("ud2" : "+a"(result));
	CHECK_EQ(count, 1);
	CHECK_EQ(result, 77);
	signal(SIGILL, SIG_DFL);
}

static char alternate[16384];
static volatile bool on_alternate;

static void look_at_stack(int number)
{
	char here;

	on_alternate = &here >= alternate && &here < alternate + sizeof(alternate);
	count++;
}

static void a_handler_can_have_a_stack_of_its_own(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, old;
	struct sigaction action = { .sa_handler = look_at_stack, .sa_flags = SA_ONSTACK };

	CHECK(sigaltstack(&stack, NULL) == 0);
	count = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	CHECK(count == 1 && on_alternate);
	CHECK(sigaltstack(NULL, &old) == 0);
	CHECK(old.ss_sp == alternate && old.ss_flags == 0);
	stack.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&stack, NULL) == 0);
}

static void flags_of_an_action(void)
{
	handle(SIGUSR2, SA_RESETHAND);
	raise(SIGUSR2);
	CHECK_EQ(count, 1);
	struct sigaction now;
	CHECK(sigaction(SIGUSR2, NULL, &now) == 0);
	CHECK(now.sa_handler == SIG_DFL);
	errno = 0;
	CHECK(sigaction(SIGKILL, &now, NULL) == -1 && errno == EINVAL);
}

/* A child that signals its parent so many times, and then writes to the pipe: the first may come before
 * the parent waits. */
static pid_t disturber(int number, int times, int fd)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		for (int i = 0; i < times; i++) {
			usleep(20000);
			kill(parent, number);
		}
		_exit(write(fd, "x", 1) != 1);
	}
	return child;
}

static void interrupted_calls_restart_only_with_sa_restart(void)
{
	int ends[2];
	char byte;

	CHECK(pipe(ends) == 0);
	handle(SIGUSR1, SA_RESTART);
	pid_t child = disturber(SIGUSR1, 3, ends[1]);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK(count >= 1);
	CHECK(waitpid(child, NULL, 0) == child);

	handle(SIGUSR1, 0);
	child = disturber(SIGUSR1, 3000, ends[1]);
	errno = 0;
	CHECK_EQ(read(ends[0], &byte, 1), -1);
	CHECK_EQ(errno, EINTR);
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) != child)
		CHECK_EQ(errno, EINTR);
	close(ends[0]);
	close(ends[1]);
}

static void sigsuspend_waits_with_another_mask(void)
{
	sigset_t none, old;

	handle(SIGUSR1, 0);
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	sigemptyset(&none);
	errno = 0;
	CHECK(sigsuspend(&none) == -1 && errno == EINTR);
	CHECK_EQ(count, 1);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR1));
	block(SIG_UNBLOCK, SIGUSR1);
}

static void sigtimedwait_takes_or_times_out(void)
{
	struct timespec short_time = { .tv_nsec = 20000000 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	errno = 0;
	CHECK(sigtimedwait(&set, &info, &short_time) == -1 && errno == EAGAIN);
	kill(getpid(), SIGUSR2);
	CHECK_EQ(sigtimedwait(&set, &info, &short_time), SIGUSR2);
	CHECK_EQ(info.si_pid, getpid());
	/* Also one that is ignored by default, and that comes while we wait. */
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid_t child = fork();
	if (child == 0) {
		usleep(20000);
		_exit(3);
	}
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK(info.si_pid == child && info.si_code == CLD_EXITED && info.si_status == 3);
	CHECK(waitpid(child, NULL, 0) == child);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void a_signal_ends_a_process_and_the_parent_sees_which(void)
{
	static const int numbers[] = { SIGTERM, SIGKILL, SIGSEGV, SIGUSR1 };
	int status, ends[2];
	char byte;

	CHECK(pipe(ends) == 0);
	for (unsigned i = 0; i < 4; i++) {
		pid_t child = fork();

		if (child == 0) {
			signal(numbers[i], SIG_DFL);
			write(ends[1], "", 1);
			for (;;)
				pause();
		}
		CHECK_EQ(read(ends[0], &byte, 1), 1);
		CHECK(kill(child, numbers[i]) == 0);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i]);
	}
	close(ends[0]);
	close(ends[1]);
}

static void a_looping_process_can_be_killed(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		for (volatile long i = 0;; i++)
			;
	usleep(20000);
	CHECK(kill(child, SIGKILL) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void processes_stop_and_continue(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGTSTP, SIG_DFL);
		for (;;)
			pause();
	}
	usleep(10000);
	CHECK(kill(child, SIGSTOP) == 0);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK(kill(child, SIGTERM) == 0); /* waits for the continuation */
	usleep(20000);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK(kill(child, SIGCONT) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);

	child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	kill(child, SIGCONT);
	CHECK(waitpid(child, &status, WCONTINUED) == child);
	CHECK(WIFCONTINUED(status));
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	kill(child, SIGKILL); /* also ends what is stopped */
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static volatile pthread_t handled_by;

static void note_thread(int number)
{
	handled_by = pthread_self();
	count++;
}

static void *wait_to_be_told(void *unused)
{
	while (count == 0)
		usleep(1000);
	return NULL;
}

static void a_signal_for_the_process_goes_to_a_thread_that_accepts_it(void)
{
	pthread_t thread;

	count = 0;
	signal(SIGUSR1, note_thread);
	CHECK(pthread_create(&thread, NULL, wait_to_be_told, NULL) == 0);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	pthread_join(thread, NULL);
	CHECK_EQ(count, 1);
	CHECK(pthread_equal(handled_by, thread));
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static _Noreturn void *sleep_for_ever(void *unused)
{
	for (;;)
		pause();
}

static _Noreturn void *loop_with_test(void *unused)
{
	for (;;)
		pthread_testcancel();
}

static void threads_can_be_cancelled(void)
{
	pthread_t thread;
	void *result;

	CHECK(pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0);
	usleep(10000);
	CHECK(pthread_cancel(thread) == 0);
	CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
	CHECK(pthread_create(&thread, NULL, loop_with_test, NULL) == 0);
	CHECK(pthread_cancel(thread) == 0);
	CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
}

static void many_signals_between_processes_all_arrive(void)
{
	enum { SIGNALS = 300 };
	int status, number = SIGRTMIN + 1;
	pid_t parent = getpid(), child;

	handle(number, SA_RESTART);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < SIGNALS; i++) {
			union sigval value = { .sival_int = i };

			while (sigqueue(parent, number, value) != 0)
				usleep(1000);
		}
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	for (int i = 0; i < 20000 && count < SIGNALS; i++)
		usleep(1000);
	CHECK_EQ(count, SIGNALS);
}

static void other(int number)
{
	count += 100;
}

static void (*handler_of(int number))(int)
{
	struct sigaction now;

	CHECK(sigaction(number, NULL, &now) == 0);
	return now.sa_handler;
}

/* The parent and the child have the same actions after a fork, and either changes only its own. */
static void actions_are_ones_own_after_a_fork(void)
{
	int status, go[2];
	char c;
	pid_t child;

	handle(SIGUSR1, 0);
	signal(SIGUSR2, SIG_IGN);
	CHECK(pipe(go) == 0);
	child = fork();
	if (child == 0) {
		/* What the parent has changed meanwhile is not seen; what was there is. */
		bool good = read(go[0], &c, 1) == 1 && handler_of(SIGUSR2) == SIG_IGN &&
			    raise(SIGUSR1) == 0 && count == 1 && last_number == SIGUSR1;

		signal(SIGUSR1, SIG_IGN);
		good &= raise(SIGUSR1) == 0 && count == 1 && handler_of(SIGUSR2) == SIG_IGN;
		_exit(good ? 0 : 1);
	}
	signal(SIGUSR1, other);
	signal(SIGUSR2, other);
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(handler_of(SIGUSR1) == other && handler_of(SIGUSR2) == other);
	close(go[0]);
	close(go[1]);
}

/* A handler that goes when it runs goes in the process where it has run. */
static void a_handler_for_once_goes_in_one_process(void)
{
	int status;
	pid_t child;

	handle(SIGUSR1, SA_RESETHAND);
	child = fork();
	if (child == 0)
		_exit(raise(SIGUSR1) == 0 && count == 1 && handler_of(SIGUSR1) == SIG_DFL ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(handler_of(SIGUSR1) != SIG_DFL);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(count == 1 && handler_of(SIGUSR1) == SIG_DFL);
}

static int change_actions(void *unused)
{
	pid_t child;
	int status;

	signal(SIGUSR1, other);
	child = fork();
	if (child == 0) {
		signal(SIGUSR2, other);
		_exit(handler_of(SIGUSR1) == other ? 0 : 1);
	}
	return waitpid(child, &status, 0) == child && status == 0 && handler_of(SIGUSR2) == SIG_IGN ? 0 : 1;
}

/* With CLONE_SIGHAND they stay the same for both, and a child of either has its own again. */
static void common_actions_are_changed_for_both(void)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	int status, flags = CLONE_VM | CLONE_SIGHAND | SIGCHLD;
	pid_t child;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	child = clone(change_actions, stack + sizeof(stack), flags, NULL);
	CHECK(child > 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(handler_of(SIGUSR1) == other && handler_of(SIGUSR2) == SIG_IGN);
}

/* SIGUSR1 is ignored, SIGUSR2 has a handler: the next program is a shell, which sends itself both. */
static void exec_keeps_what_is_ignored(void)
{
	static const char script[] = "kill -USR1 $$; kill -USR2 $$; exit 3";
	int status;
	pid_t child;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, other);
	child = fork();
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(9);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2);
	CHECK(handler_of(SIGUSR1) == SIG_IGN && handler_of(SIGUSR2) == other);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

int main(void)
{
	RUN(a_handler_runs_and_returns);
	RUN(blocked_signals_wait_and_standard_ones_do_not_add_up);
	RUN(real_time_signals_queue_in_order_with_values);
	RUN(vector_registers_survive_a_handler);
	RUN(registers_survive_a_handler_that_uses_them);
	RUN(a_fault_becomes_a_signal_with_its_address);
	RUN(a_handler_can_change_the_registers);
	RUN(a_handler_can_have_a_stack_of_its_own);
	RUN(flags_of_an_action);
	RUN(interrupted_calls_restart_only_with_sa_restart);
	RUN(sigsuspend_waits_with_another_mask);
	RUN(sigtimedwait_takes_or_times_out);
	RUN(a_signal_ends_a_process_and_the_parent_sees_which);
	RUN(a_looping_process_can_be_killed);
	RUN(processes_stop_and_continue);
	RUN(a_signal_for_the_process_goes_to_a_thread_that_accepts_it);
	RUN(threads_can_be_cancelled);
	RUN(many_signals_between_processes_all_arrive);
	RUN(actions_are_ones_own_after_a_fork);
	RUN(a_handler_for_once_goes_in_one_process);
	RUN(common_actions_are_changed_for_both);
	RUN(exec_keeps_what_is_ignored);
	return test_result();
}
