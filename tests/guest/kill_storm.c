/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL at any moment, of any process: workers that do all kinds of things, and their children, are
 * ended at random while they do them.  Nobody else notices, and everything is there again afterwards.
 *
 *     kill_storm [SEED [KILLS]]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/time.h>
#include <time.h>
#include "test.h"
#include "held.h"
#include "witness.h"

#define WORKERS 8
#define VICTIMS_MAX 512
#define BLOCK 65536

extern char **environ;

static unsigned seed = 20261122;
static unsigned long wanted = 200;

/* ---------------------------------------------------------------- what workers do */

static unsigned turn; /* a worker's own random numbers */

static unsigned pick(unsigned n)
{
	return (unsigned)rand_r(&turn) % n;
}

static void wait_for(pid_t child)
{
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void send_through_a_pipe(int slot)
{
	static char block[BLOCK];
	int ends[2];

	if (pipe(ends) != 0)
		return;
	pid_t child = fork();

	if (child == 0) {
		close(ends[0]);
		for (int i = 0; i < 4; i++)
			if (write(ends[1], block, sizeof(block)) < 0)
				break;
		_exit(0);
	}
	close(ends[1]);
	while (read(ends[0], block, sizeof(block)) > 0)
		;
	close(ends[0]);
	wait_for(child);
}

static void touch_memory(int slot)
{
	int kind = pick(2) ? MAP_PRIVATE : MAP_SHARED;
	char *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	memset(p, 1, BLOCK);
	pid_t child = fork();

	memset(p, 2, BLOCK);
	if (child == 0)
		_exit(p[100]);
	wait_for(child);
	munmap(p, BLOCK);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *lock_and_touch(void *argument)
{
	volatile char local[20000];

	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&mutex);
		local[i * 100] = (char)i;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)(intptr_t)local[0];
}

static void use_threads(int slot)
{
	pthread_t thread[3];
	int n = 0;

	while (n < 3 && pthread_create(&thread[n], NULL, lock_and_touch, NULL) == 0)
		n++;
	while (n > 0)
		pthread_join(thread[--n], NULL);
}

static void run_a_program(int slot)
{
	char *arguments[] = { "true", NULL };
	pid_t child;

	if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0)
		wait_for(child);
}

static void file_name(char name[32], int slot)
{
	snprintf(name, 32, "/tmp/kill_storm-%d", slot);
}

static void use_a_file(int slot)
{
	char name[32];

	file_name(name, slot);
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return;
	for (int i = 0; i < 16; i++)
		write(fd, name, sizeof(name));
	ftruncate(fd, BLOCK);
	char *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	if (p != MAP_FAILED) {
		memset(p, 3, BLOCK);
		munmap(p, BLOCK);
	}
	if (pick(2))
		unlink(name);
}

static void sleep_a_while(int slot)
{
	struct itimerval timer = { .it_value.tv_usec = 1000 };
	struct pollfd none = { .fd = -1 };

	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &timer, NULL);
	if (pick(2))
		usleep(pick(5000));
	else
		poll(&none, 1, (int)pick(5));
}

static void compute(int slot)
{
	for (volatile unsigned i = 0; i < 200000; i++)
		;
}

/* Until it is killed: in the middle of a stop, of a sleep without end, or of a wait for a child. */
static void wait_for_the_end(int slot)
{
	if (pick(4))
		return;
	pid_t child = fork();

	if (child == 0) {
		if (pick(2))
			raise(SIGSTOP);
		pause();
	}
	wait_for(child);
}

static _Noreturn void work(int slot, unsigned number)
{
	static void (*const kinds[])(int slot) = { send_through_a_pipe, touch_memory, use_threads,
						   run_a_program, use_a_file, sleep_a_while,
						   compute, wait_for_the_end };

	turn = number;
	for (;;)
		kinds[pick(sizeof(kinds) / sizeof(kinds[0]))](slot);
}

/* ---------------------------------------------------------------- the storm */

static pid_t workers[WORKERS];
static unsigned long killed;

/* Whoever is in our session, but for ourselves. */
static unsigned find_victims(pid_t *victims)
{
	pid_t self = getpid();
	struct dirent *entry;
	unsigned n = 0;
	DIR *d = opendir("/proc");

	CHECK(d != NULL);
	while (n < VICTIMS_MAX && (entry = readdir(d))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != self && getsid(pid) == self)
			victims[n++] = pid;
	}
	closedir(d);
	return n;
}

/* Ours, and those whose parents have been killed: we are the subreaper. */
static void bury(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		for (int i = 0; i < WORKERS; i++)
			if (workers[i] == pid)
				workers[i] = 0;
	}
}

static void keep_workers(void)
{
	for (int i = 0; i < WORKERS; i++) {
		unsigned number = (unsigned)rand_r(&seed);

		if (workers[i] != 0)
			continue;
		workers[i] = fork();
		CHECK(workers[i] >= 0);
		if (workers[i] == 0)
			work(i, number);
	}
}

static void kill_one(void)
{
	pid_t victims[VICTIMS_MAX];
	unsigned n = find_victims(victims);

	if (n > 0)
		kill(victims[(unsigned)rand_r(&seed) % n], SIGKILL);
}

static void end_all(void)
{
	pid_t victims[VICTIMS_MAX];
	char name[32];
	unsigned n;

	while ((n = find_victims(victims)) > 0) {
		while (n > 0)
			kill(victims[--n], SIGKILL);
		bury();
		usleep(1000);
	}
	for (int i = 0; i < WORKERS; i++) {
		file_name(name, i);
		unlink(name);
	}
}

/* In a session of our own, of which we are the first. */
static void storm_of(unsigned long kills)
{
	struct witness *witness = witness_start();

	CHECK(witness != NULL);
	while (killed < kills) {
		keep_workers();
		usleep((unsigned)rand_r(&seed) % 2000);
		for (unsigned n = 1 + (unsigned)rand_r(&seed) % 3; n > 0; n--)
			kill_one();
		bury();
	}
	end_all();
	CHECK(witness_ends_well(witness));
}

static void storm(void)
{
	storm_of(wanted);
}

/* All that is made once and stays: the room for so many names in /tmp, for example. */
static void drizzle(void)
{
	char name[32];

	for (int i = 0; i < WORKERS; i++) {
		file_name(name, i);
		close(open(name, O_RDWR | O_CREAT, 0600));
	}
	storm_of(20);
}

/* In a process that does nothing else, so that all that it takes is given back. */
static void in_a_child(void (*function)(void))
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		setsid();
		if (setjmp(test_end_of_case) == 0) {
			function();
			_exit(0);
		}
		printf("%s\n", test_reason);
		fflush(stdout);
		_exit(1);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void whoever_is_killed_leaves_nothing_behind_and_harms_nobody(void)
{
	struct held before;

	in_a_child(drizzle);
	before = held_now();
	in_a_child(storm);
	CHECK(held_returns_to(&before));
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seed = (unsigned)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		wanted = strtoul(argv[2], NULL, 0);
	printf("seed %u, %lu kills\n", seed, wanted);
	fflush(stdout);
	RUN(whoever_is_killed_leaves_nothing_behind_and_harms_nobody);
	return test_result();
}
