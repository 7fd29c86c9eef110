/* SPDX-License-Identifier: MIT */
/* Work in which slices are given away, and what the system counts of it. */
#ifndef TESTS_GUEST_DONATION_LOAD_H
#define TESTS_GUEST_DONATION_LOAD_H

#include <errno.h>
#include <libos/donate.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A counter of /proc/exo/sched-stats, over all CPUs; -1: there is none.  The file is read anew, and
 * with no pipe. */
static inline long total(const char *name)
{
	char line[1024], *rest;
	FILE *f = fopen("/proc/exo/sched-stats", "r");
	long found = -1;

	while (f && found < 0 && fgets(line, sizeof(line), f))
		if (!strcmp(strtok_r(line, " ", &rest), name))
			found = atol(rest);
	if (f)
		fclose(f);
	return found;
}

static inline long donations(const char *kind, const char *outcome)
{
	char name[64];

	snprintf(name, sizeof(name), "donation-%s-%s", kind, outcome);
	return total(name);
}

static inline void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline void run_anywhere(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static inline int cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* The calling thread, although it could have gone on. */
static inline long times_stopped(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : -1;
}

/* How often who began the last ping_pong() was stopped in its rounds. */
static long stops;

/* A byte there and back, rounds times, between CPU 0 and `other`. */
static inline int ping_pong(int other, int rounds)
{
	int there[2], back[2];
	char byte = 'x';

	if (pipe(there) || pipe(back))
		return -1;
	run_on(0);
	pid_t child = fork();
	if (child == 0) {
		run_on(other);
		close(there[1]);
		while (read(there[0], &byte, 1) == 1)
			if (write(back[1], &byte, 1) != 1)
				break;
		_exit(0);
	}
	close(there[0]);
	int done = 0;
	stops = times_stopped();
	while (done < rounds && write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
		done++;
	stops = times_stopped() - stops;
	close(there[1]);
	waitpid(child, NULL, 0);
	close(back[0]);
	close(back[1]);
	run_anywhere();
	return done;
}

/* Waits for SIGUSR1, answers with SIGUSR2, `rounds` times.  Both are blocked. */
static inline int answer_signals(pid_t parent, int rounds)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	for (int i = 0; i < rounds; i++)
		if (sigwaitinfo(&wanted, NULL) != SIGUSR1 || kill(parent, SIGUSR2) < 0)
			return 1;
	return 0;
}

/* Signals to a child on the same CPU, and its answers. */
static inline int ping_pong_by_signals(int rounds)
{
	sigset_t both, answer;
	int answered = 0, status;

	sigemptyset(&answer);
	sigaddset(&answer, SIGUSR2);
	both = answer;
	sigaddset(&both, SIGUSR1);
	sigprocmask(SIG_BLOCK, &both, NULL);
	run_on(0);
	pid_t child = fork();
	if (child == 0)
		_exit(answer_signals(getppid(), rounds));
	for (int i = 0; i < rounds && kill(child, SIGUSR1) == 0; i++)
		answered += sigwaitinfo(&answer, NULL) == SIGUSR2;
	if (waitpid(child, &status, 0) != child || status != 0)
		answered = -1;
	run_anywhere();
	sigprocmask(SIG_UNBLOCK, &both, NULL);
	return answered;
}

struct spinner {
	_Atomic long *count; /* shared with it: grows while it runs */
	pid_t pid;
	struct task_ref ref;
};

static inline int start_spinner(struct spinner *s, int cpu)
{
	s->count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->count == MAP_FAILED)
		return -1;
	s->pid = fork();
	if (s->pid == 0) {
		run_on(cpu);
		for (;;)
			atomic_fetch_add(s->count, 1);
	}
	while (s->pid > 0 && atomic_load(s->count) == 0)
		sched_yield();
	return sched_find(s->pid, &s->ref);
}

static inline void stop_spinner(struct spinner *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	munmap((void *)s->count, 4096);
}

/* Gives to it until it has been given `times` slices; how often it had not run then. */
static inline int give(struct spinner *s, unsigned flags, int times)
{
	int idle = 0;

	for (int given = 0; given < times;) {
		long before = atomic_load(s->count);
		int r = sched_donate(s->ref, flags);

		if (r != 0 && r != -EAGAIN)
			return -1;
		if (r == 0)
			idle += atomic_load(s->count) == before;
		given += r == 0;
	}
	return idle;
}

#endif
