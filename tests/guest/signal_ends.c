/* SPDX-License-Identifier: MIT */
/* Signals that end a process: as they are sent, whatever the thread does that might have taken them; and
 * which ones do not. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asleep.h"
#include "in_child.h"
#include "test.h"

#define ROUNDS 200

static void set_mask(int how, int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(how, &set, NULL);
}

/* ---------------------------------------------------------------- vfork */

/* In the memory of its parent, which is in vfork: goes on until that has ended, and says so. */
static _Noreturn void outlives(pid_t parent, int report)
{
	alarm(20); /* if it does not end */
	(void)!write(report, "b", 1);
	while (getppid() == parent)
		sched_yield();
	(void)!write(report, "e", 1);
	_exit(0);
}

static _Noreturn void waits_in_vfork(int report)
{
	pid_t self = getpid();

	if (vfork() == 0)
		outlives(self, report);
	_exit(1);
}

static void *shuts_it_out(void *unused)
{
	set_mask(SIG_BLOCK, SIGTERM);
	for (;;)
		sched_yield();
	return NULL;
}

static void *forks_and_waits(void *report)
{
	waits_in_vfork((int)(long)report);
	return NULL;
}

/* The main thread waits in vfork, alone. */
static void is_alone(int report)
{
	waits_in_vfork(report);
}

/* Others run, and do not take the signal. */
static void has_others(int report)
{
	pthread_t thread;

	pthread_create(&thread, NULL, shuts_it_out, NULL);
	waits_in_vfork(report);
}

/* Another one waits in vfork, and is the only one to take it. */
static void has_one_in_vfork(int report)
{
	pthread_t thread;

	pthread_create(&thread, NULL, forks_and_waits, (void *)(long)report);
	shuts_it_out(NULL);
}

static void ends_before_its_child(void (*what)(int), int number)
{
	int ends[2], status;
	char said[2] = "";
	pid_t child;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		what(ends[1]);
		_exit(2);
	}
	close(ends[1]);
	CHECK_EQ(read(ends[0], said, 1), 1);
	CHECK_EQ(kill(child, number), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(read(ends[0], said + 1, 1), 1);
	CHECK_EQ(said[1], 'e');
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), number);
	close(ends[0]);
}

static void who_waits_in_vfork_is_ended_at_once(void)
{
	ends_before_its_child(is_alone, SIGTERM);
	ends_before_its_child(is_alone, SIGRTMIN + 1);
	ends_before_its_child(has_others, SIGTERM);
}

static void the_others_do_not_run_on(void)
{
	for (int round = 0; round < 10; round++)
		ends_before_its_child(has_one_in_vfork, SIGTERM);
}

/* ---------------------------------------------------------------- what does not end it */

static sem_t begun;

static void *waits_for_it(void *unused)
{
	sigset_t set;
	int number = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sem_post(&begun);
	sigwait(&set, &number);
	_exit(number == SIGTERM ? 0 : 2);
}

/* All shut it out, and one waits for it. */
static int takes_what_it_waits_for(void)
{
	pthread_t thread;

	sem_init(&begun, 0, 0);
	set_mask(SIG_BLOCK, SIGTERM);
	pthread_create(&thread, NULL, waits_for_it, NULL);
	sem_wait(&begun);
	kill(getpid(), SIGTERM); /* it may wait already or not */
	for (;;)
		pause();
	return 3;
}

static int takes_it_in_the_main_thread(void)
{
	pid_t parent = getpid();
	int status;

	set_mask(SIG_BLOCK, SIGTERM);
	if (fork() == 0) {
		wait_asleep(parent, parent);
		kill(parent, SIGTERM);
		_exit(0);
	}
	sigset_t set;
	int number = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigwait(&set, &number) != 0 || number != SIGTERM)
		return 1;
	return wait(&status) < 0 || status != 0;
}

static void what_is_waited_for_is_taken(void)
{
	for (int round = 0; round < 20; round++) {
		CHECK_EQ(in_child(takes_what_it_waits_for), 0);
		CHECK_EQ(in_child(takes_it_in_the_main_thread), 0);
	}
}

static int keeps_what_is_shut_out(void)
{
	sigset_t pending;

	set_mask(SIG_BLOCK, SIGTERM);
	kill(getpid(), SIGTERM);
	sigpending(&pending);
	if (!sigismember(&pending, SIGTERM))
		return 1;
	kill(getpid(), SIGTERM);
	set_mask(SIG_UNBLOCK, SIGTERM);
	return 2;
}

static void what_is_shut_out_ends_it_later(void)
{
	CHECK_EQ(in_child(keeps_what_is_shut_out), SIGTERM);
}

static void who_is_stopped_ends_when_it_goes_on(void)
{
	pid_t child = fork();
	int status;

	while (child == 0)
		pause();
	CHECK_EQ(kill(child, SIGSTOP), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGTERM);
}

/* ---------------------------------------------------------------- masks that change meanwhile */

static void *opens_and_shuts(void *unused)
{
	for (;;) {
		set_mask(SIG_BLOCK, SIGTERM);
		set_mask(SIG_UNBLOCK, SIGTERM);
	}
	return NULL;
}

static void it_ends_whatever_masks_do(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		int status, ends[2];
		char byte;
		pid_t child;

		CHECK_EQ(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			pthread_t thread;

			if (round % 2)
				pthread_create(&thread, NULL, opens_and_shuts, NULL);
			(void)!write(ends[1], "b", 1);
			opens_and_shuts(NULL);
		}
		CHECK_EQ(read(ends[0], &byte, 1), 1);
		CHECK_EQ(kill(child, SIGTERM), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, SIGTERM);
		close(ends[0]);
		close(ends[1]);
	}
}

int main(void)
{
	RUN(who_waits_in_vfork_is_ended_at_once);
	RUN(the_others_do_not_run_on);
	RUN(what_is_waited_for_is_taken);
	RUN(what_is_shut_out_ends_it_later);
	RUN(who_is_stopped_ends_when_it_goes_on);
	RUN(it_ends_whatever_masks_do);
	return test_result();
}
