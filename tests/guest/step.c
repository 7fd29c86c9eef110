/* SPDX-License-Identifier: MIT */
/* A program that steps through itself with the trap flag, and calls the system meanwhile. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static volatile sig_atomic_t steps;

static void on_trap(int number)
{
	(void)number;
	steps++;
}

static void set_stepping(void)
{
	__asm__ volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; add $128, %%rsp"
			 : : : "cc", "memory");
}

static void clear_stepping(void)
{
	__asm__ volatile("sub $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; add $128, %%rsp"
			 : : : "cc", "memory");
}

static void steps_are_traps(void)
{
	signal(SIGTRAP, on_trap);
	steps = 0;
	set_stepping();
	__asm__ volatile("nop; nop; nop; nop");
	clear_stepping();
	CHECK(steps >= 4);
}

static void system_calls_work_while_stepping(void)
{
	char byte = 0;
	int end[2];

	signal(SIGTRAP, on_trap);
	CHECK_EQ(pipe(end), 0);
	pid_t me = getpid(), seen = 0;
	long written = 0, got = 0;
	for (int i = 0; i < 20; i++) {
		set_stepping();
		seen = getpid();
		written = write(end[1], "x", 1);
		got = read(end[0], &byte, 1);
		clear_stepping();
		CHECK_EQ(seen, me);
		CHECK_EQ(written, 1);
		CHECK_EQ(got, 1);
	}
	close(end[0]);
	close(end[1]);
}

static void a_step_without_a_handler_ends_the_program(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGTRAP, SIG_DFL);
		set_stepping();
		getpid();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP);
}

int main(void)
{
	RUN(steps_are_traps);
	RUN(system_calls_work_while_stepping);
	RUN(a_step_without_a_handler_ends_the_program);
	return test_result();
}
