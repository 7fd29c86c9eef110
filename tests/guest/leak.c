/* SPDX-License-Identifier: MIT */
/* The dead leave nothing behind: memory is the same after many processes and threads as before. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

/* Caches of the system that are not given back at once, and what other CPUs hold for a moment. */
#define SLACK (512l << 10)

static long free_memory(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (long)(info.freeram * info.mem_unit);
}

static int status_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child ? status : -1;
}

/* A first round fills the caches; a leak of one page in each of the following ones would show. */
static void runs_without_leak(void (*round)(void), int rounds)
{
	for (int i = 0; i < rounds / 4 + 1; i++)
		round();
	long before = free_memory();

	for (int i = 0; i < rounds; i++)
		round();
	usleep(50000);
	long lost = before - free_memory();

	CHECK(lost < SLACK);
}

static void fork_and_touch(void)
{
	pid_t child = fork();

	if (child == 0) {
		char *p = malloc(300000);

		memset(p, 1, 300000);
		_exit(0);
	}
	if (status_of(child) != 0)
		abort();
}

static void fork_and_exec(void)
{
	pid_t child = fork();

	if (child == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	if (status_of(child) != 0)
		abort();
}

static void exec_that_fails(void)
{
	char *argv[] = { "x", NULL };

	execv("/nonexistent", argv);
	execv("/etc", argv);
}

static void *touch_stack(void *argument)
{
	volatile char local[20000];

	local[0] = local[19999] = 1;
	return NULL;
}

static void create_and_join(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, touch_stack, NULL) != 0)
			abort();
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static void map_shared_and_fork(void)
{
	char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();

	if (child == 0) {
		memset(p, 1, 64 * 4096);
		_exit(0);
	}
	if (status_of(child) != 0 || p[4096] != 1)
		abort();
	munmap(p, 64 * 4096);
}

static void be_killed_with_threads(void)
{
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, touch_stack, NULL);
		pthread_create(&thread, NULL, touch_stack, NULL);
		for (;;)
			pause();
	}
	usleep(1000);
	kill(child, SIGKILL);
	status_of(child);
}

static void map_a_file(void)
{
	char name[] = "/tmp/leak-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	if (fd < 0 || ftruncate(fd, 32 * 4096) != 0)
		abort();
	char *p = mmap(NULL, 32 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *q = mmap(NULL, 32 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	close(fd);
	memset(p, 1, 32 * 4096);
	memset(q, 2, 32 * 4096);
	munmap(p, 32 * 4096);
	munmap(q, 32 * 4096);
}

/* Running out of memory and dying of it costs nothing either. */
static void eat_everything(void)
{
	pid_t child = fork();

	if (child == 0) {
		for (;;) {
			char *p = malloc(1 << 20);

			if (p)
				memset(p, 1, 1 << 20);
		}
	}
	status_of(child);
}

static void processes(void)
{
	runs_without_leak(fork_and_touch, 400);
}

static void programs(void)
{
	runs_without_leak(fork_and_exec, 200);
}

static void failed_programs(void)
{
	runs_without_leak(exec_that_fails, 400);
}

static void threads(void)
{
	runs_without_leak(create_and_join, 200);
}

static void shared_memory(void)
{
	runs_without_leak(map_shared_and_fork, 100);
}

static void killed_threads(void)
{
	runs_without_leak(be_killed_with_threads, 100);
}

static void mapped_files(void)
{
	runs_without_leak(map_a_file, 200);
}

static void exhaustion(void)
{
	runs_without_leak(eat_everything, 3);
}

/* Each goes by another way: deleted, with its file, with its epoll, and with an epoll that watches it. */
static void watch_and_close(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int inner = epoll_create1(0), outer = epoll_create1(0), end[2], other[2];

	if (inner < 0 || outer < 0 || pipe(end) != 0 || pipe(other) != 0 || write(end[1], "x", 1) != 1)
		abort();
	for (int i = 0; i < 2; i++)
		if (epoll_ctl(inner, EPOLL_CTL_ADD, end[i], &e) ||
		    epoll_ctl(inner, EPOLL_CTL_ADD, other[i], &e))
			abort();
	if (epoll_ctl(outer, EPOLL_CTL_ADD, inner, &e) || epoll_ctl(outer, EPOLL_CTL_ADD, end[0], &e) ||
	    epoll_ctl(inner, EPOLL_CTL_DEL, other[0], NULL) || epoll_wait(outer, &e, 1, 0) != 1)
		abort();
	close(other[0]);
	close(end[1]);
	close(inner);
	close(end[0]);
	close(outer);
	close(other[1]);
}

static void watched_files(void)
{
	runs_without_leak(watch_and_close, 2000);
}

int main(void)
{
	RUN(processes);
	RUN(programs);
	RUN(failed_programs);
	RUN(threads);
	RUN(shared_memory);
	RUN(killed_threads);
	RUN(mapped_files);
	RUN(watched_files);
	RUN(exhaustion);
	return test_result();
}
