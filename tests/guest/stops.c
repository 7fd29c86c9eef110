/* SPDX-License-Identifier: MIT */
/* A process with several threads stops: its parent is told when nothing of it runs any more, and once. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

#define ROUNDS 60
#define BLOCK (2u << 20)

/* With the child. */
static struct shared {
	_Atomic unsigned long count; /* what its threads do */
	_Atomic int thread;          /* the id of the one that counts */
	_Atomic bool in_vfork;       /* the main thread waits for its child */
	char block[BLOCK];           /* what they read into */
} *shared;

static void *count(void *unused)
{
	shared->thread = (int)syscall(SYS_gettid);
	for (;;)
		shared->count++;
	return NULL;
}

static _Noreturn void stay(void)
{
	for (;;)
		pause();
}

static void end(pid_t child)
{
	int status;

	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, SIGKILL);
}

/* Until it does something (again). */
static void wait_for_work(void)
{
	unsigned long before = shared->count;

	while (shared->count == before)
		sched_yield();
}

/* What a thread that still runs would change. */
static uint64_t look(void)
{
	uint64_t sum = shared->count;

	for (unsigned i = 0; i < BLOCK; i += 512)
		sum = sum * 31 + (unsigned char)shared->block[i];
	return sum;
}

/* Stops it again and again, and looks whether it does anything after its stop has been told. */
static void stops_for_good(pid_t child)
{
	struct timespec a_while = { 0, 2000000 };
	int ran_on = 0, status;

	for (int round = 0; round < ROUNDS; round++) {
		wait_for_work();
		CHECK_EQ(kill(child, SIGSTOP), 0);
		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		uint64_t found = look();

		nanosleep(&a_while, NULL);
		ran_on += look() != found;
		CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
		CHECK_EQ(kill(child, SIGCONT), 0);
		CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
		CHECK(WIFCONTINUED(status));
	}
	end(child);
	CHECK_EQ(ran_on, 0);
}

static void threads_that_compute_have_stopped(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, count, NULL);
		pthread_create(&thread, NULL, count, NULL);
		stay();
	}
	stops_for_good(child);
}

/* The same bytes again and again, each time others. */
static void *read_a_file(void *unused)
{
	static char bytes[2][BLOCK];
	int fd = open("/tmp/stops", O_RDWR | O_CREAT | O_TRUNC, 0600);

	unlink("/tmp/stops");
	for (int i = 0; i < 2; i++) {
		memset(bytes[i], 'a' + i, BLOCK);
		if (pwrite(fd, bytes[i], BLOCK, (off_t)BLOCK * i) != BLOCK)
			_exit(1);
	}
	for (int i = 0;; i = !i) {
		if (pread(fd, shared->block, BLOCK, (off_t)BLOCK * i) != BLOCK)
			_exit(2);
		shared->count++;
	}
	return NULL;
}

/* They are in the middle of a call that nothing interrupts. */
static void calls_that_write_memory_are_over(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, read_a_file, NULL);
		stay();
	}
	stops_for_good(child);
}

static void *count_once(void *unused)
{
	shared->count++;
	return NULL;
}

static void *make_threads(void *unused)
{
	for (;;) {
		pthread_t thread[2];

		for (int i = 0; i < 2; i++)
			if (pthread_create(&thread[i], NULL, count_once, NULL) != 0)
				_exit(1);
		for (int i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
	}
	return NULL;
}

/* Threads begin and end while it stops. */
static void threads_that_come_and_go_are_counted(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, make_threads, NULL);
		make_threads(NULL);
	}
	stops_for_good(child);
}

/* The main thread has ended, and another one as well. */
static void only_those_that_are_left_count(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, count, NULL);
		pthread_create(&thread, NULL, count_once, NULL);
		syscall(SYS_exit, 0);
	}
	stops_for_good(child);
}

/* ---------------------------------------------------------------- one that cannot stop yet */

static int gate[2]; /* closed: the child of vfork goes on */

/* One thread counts; the main thread waits in vfork until the gate is closed. */
static pid_t child_in_vfork(void)
{
	pid_t child;

	shared->in_vfork = false;
	CHECK_EQ(pipe(gate), 0);
	child = fork();
	if (child == 0) {
		pthread_t thread;
		char byte;

		close(gate[1]);
		pthread_create(&thread, NULL, count, NULL);
		if (vfork() == 0) {
			shared->in_vfork = true;
			(void)!read(gate[0], &byte, 1);
			_exit(0);
		}
		stay();
	}
	close(gate[0]);
	while (!shared->in_vfork)
		sched_yield();
	wait_for_work();
	return child;
}

static void stop_the_thread(pid_t child)
{
	char path[64], state = 0;

	CHECK_EQ(syscall(SYS_tgkill, child, shared->thread, SIGSTOP), 0);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", child, shared->thread);
	while (state != 'T') {
		FILE *f = fopen(path, "r");

		CHECK(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
		fclose(f);
		sched_yield();
	}
}

static bool is_pending(int number)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, number);
}

static void nothing(int number)
{
}

static void the_last_one_tells_of_the_stop(void)
{
	struct sigaction action = { .sa_handler = nothing }, before;
	sigset_t set, mask;
	siginfo_t info;
	int status;
	pid_t child = child_in_vfork();

	sigaction(SIGCHLD, &action, &before);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &mask);
	stop_the_thread(child);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	CHECK(!is_pending(SIGCHLD));
	close(gate[1]);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP && info.si_pid == child);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	CHECK(!is_pending(SIGCHLD));
	end(child);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGCHLD, &before, NULL);
}

/* It goes on before it has stopped, and stops anew, while some are on their way out of the first stop. */
static void a_stop_that_was_not_over_is_not_told(void)
{
	pid_t child = child_in_vfork();
	int status;

	for (int round = 0; round < ROUNDS; round++) {
		stop_the_thread(child);
		CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
		CHECK_EQ(kill(child, SIGCONT), 0);
		CHECK_EQ(waitpid(child, &status, WUNTRACED | WCONTINUED), child);
		CHECK(WIFCONTINUED(status));
		if (round % 2)
			wait_for_work();
	}
	stop_the_thread(child);
	close(gate[1]);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WCONTINUED), child);
	CHECK(WIFSTOPPED(status));
	uint64_t found = look();

	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	wait_for_work();
	CHECK(look() != found);
	end(child);
}

/* By SIGKILL at once; by another signal when it is continued, though one cannot take it yet. */
static void who_has_not_stopped_yet_can_be_ended(void)
{
	pid_t child = child_in_vfork();
	int status;

	stop_the_thread(child);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK_EQ(status, SIGKILL);
	close(gate[1]);
	child = child_in_vfork();
	stop_the_thread(child);
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK_EQ(status, SIGTERM);
	close(gate[1]);
}

/* ---------------------------------------------------------------- a storm */

/* Stops and continuations as they come: what is told is what is. */
static void stops_and_continuations_may_meet(void)
{
	struct timespec a_while = { 0, 200000 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, make_threads, NULL);
		make_threads(NULL);
	}
	wait_for_work();
	for (int round = 0; round < 20 * ROUNDS; round++) {
		kill(child, SIGSTOP);
		if (round % 3 == 0)
			sched_yield();
		kill(child, SIGCONT);
		if (round % 5)
			continue;
		/* Whatever was told before: it goes on. */
		while (waitpid(child, &status, WUNTRACED | WCONTINUED | WNOHANG) > 0)
			;
		wait_for_work();
		kill(child, SIGSTOP);
		do
			CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		while (!WIFSTOPPED(status));
		uint64_t found = look();

		nanosleep(&a_while, NULL);
		CHECK(look() == found);
		kill(child, SIGCONT);
	}
	end(child);
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	RUN(threads_that_compute_have_stopped);
	RUN(calls_that_write_memory_are_over);
	RUN(threads_that_come_and_go_are_counted);
	RUN(only_those_that_are_left_count);
	RUN(the_last_one_tells_of_the_stop);
	RUN(a_stop_that_was_not_over_is_not_told);
	RUN(who_has_not_stopped_yet_can_be_ended);
	RUN(stops_and_continuations_may_meet);
	return test_result();
}
