/* SPDX-License-Identifier: MIT */
/* Resource limits that no other test is about: CPU time, and the arguments of a program. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define STRING_MAX (128u << 10)

static volatile sig_atomic_t warnings;

static void count_warning(int number)
{
	warnings++;
}

static void limit(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit wanted = { soft, hard };

	if (setrlimit(which, &wanted) != 0)
		_exit(100);
}

static double used_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t start_life(void (*life)(void))
{
	pid_t child = fork();

	if (child == 0) {
		life();
		_exit(0);
	}
	return child;
}

static int end_of_life(pid_t child)
{
	int status = -1;

	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	return status;
}

/* What became of a child that runs `life`. */
static int life_of(void (*life)(void))
{
	return end_of_life(start_life(life));
}

static void burn_for_ever(void)
{
	for (;;)
		;
}

/* Judged by the clock that the limit is about, which a busy host may make jump. */
static void burn_and_count(void)
{
	struct rlimit now;

	signal(SIGXCPU, count_warning);
	limit(RLIMIT_CPU, 1, 60);
	while (warnings < 1)
		if (used_s() > 30)
			_exit(1);
	if (used_s() < 1.0)
		_exit(2);
	getrlimit(RLIMIT_CPU, &now);
	if (now.rlim_cur < 2 || (double)now.rlim_cur > used_s() + 1 || now.rlim_max != 60)
		_exit(3);
	while (warnings < 2)
		if (used_s() > 30)
			_exit(4);
	_exit(used_s() < 2.0 ? 5 : 0);
}

static void burn_to_the_soft_limit(void)
{
	limit(RLIMIT_CPU, 1, 60);
	burn_for_ever();
}

static void burn_to_the_hard_limit(void)
{
	signal(SIGXCPU, SIG_IGN);
	limit(RLIMIT_CPU, 1, 1);
	burn_for_ever();
}

/* The child has the limit, and its own time. */
static void let_a_child_burn(void)
{
	int status;
	pid_t child;

	limit(RLIMIT_CPU, 1, 60);
	child = fork();
	if (child == 0)
		burn_for_ever();
	waitpid(child, &status, 0);
	_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU ? 0 : 1);
}

static void cpu_time_is_warned_of_each_second(void)
{
	CHECK_EQ(life_of(burn_and_count), 0);
}

static void cpu_time_ends_at_its_limits(void)
{
	/* All at once: each takes a second of its own. */
	pid_t soft = start_life(burn_to_the_soft_limit), hard = start_life(burn_to_the_hard_limit);
	pid_t parent = start_life(let_a_child_burn);
	int status = end_of_life(soft);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
	status = end_of_life(hard);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(end_of_life(parent), 0);
}

static char *string_of(size_t length)
{
	char *s = malloc(length + 1);

	CHECK(s != NULL);
	memset(s, 'a', length);
	s[length] = 0;
	return s;
}

/* errno of an exec of ourselves with these words, 0 if it came to be. */
static int exec_error(char **argv, char **envp)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execve("/proc/self/exe", argv, envp);
		_exit(errno);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_string_of_a_program_has_a_limit(void)
{
	char *longest = string_of(STRING_MAX - 1), *longer = string_of(STRING_MAX);
	char *words[] = { "limits", "stop", longest, NULL }, *none[] = { NULL };

	CHECK_EQ(exec_error(words, none), 0);
	words[2] = longer;
	CHECK_EQ(exec_error(words, none), E2BIG);
	words[2] = NULL;
	CHECK_EQ(exec_error(words, (char *[]){ longest, NULL }), 0);
	CHECK_EQ(exec_error(words, (char *[]){ longer, NULL }), E2BIG);
	free(longest);
	free(longer);
}

/* A quarter of the stack, but never less than STRING_MAX. */
static void the_stack_limits_the_arguments(void)
{
	char *word = string_of(50000);
	char *words[] = { "limits", "stop", word, word, word, word, NULL }, *none[] = { NULL };
	struct rlimit old;

	CHECK(getrlimit(RLIMIT_STACK, &old) == 0);
	CHECK_EQ(exec_error(words, none), 0);
	limit(RLIMIT_STACK, 1 << 20, old.rlim_max);
	CHECK_EQ(exec_error(words, none), 0);
	limit(RLIMIT_STACK, 512 << 10, old.rlim_max);
	CHECK_EQ(exec_error(words, none), E2BIG);
	words[4] = NULL;
	CHECK_EQ(exec_error(words, none), 0);
	limit(RLIMIT_STACK, old.rlim_cur, old.rlim_max);
	free(word);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return 0;
	RUN(cpu_time_is_warned_of_each_second);
	RUN(cpu_time_ends_at_its_limits);
	RUN(a_string_of_a_program_has_a_limit);
	RUN(the_stack_limits_the_arguments);
	return test_result();
}
