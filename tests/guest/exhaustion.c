/* SPDX-License-Identifier: MIT */
/*
 * The end of each resource: the call that finds nothing left says so, or the process that took it
 * all is ended; everybody else goes on, and afterwards it is all there again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "memory_kb.h"
#include "test.h"

#define PAGE 4096ul
#define MEBI (1ul << 20)
#define USER 1000
#define KEPT_BACK_KB 8192 /* what caches may keep of the memory */
#define FEW_KB 1024       /* less than this counts as short: FEW_FRAMES of libos/core/frames.c */
#define LAST_PAGES 24     /* the kernel may ask for some of them for page tables */

/* ---------------------------------------------------------------- what there is */

static unsigned entries_of(const char *directory, bool numbers)
{
	DIR *d = opendir(directory);
	unsigned count = 0;
	struct dirent *entry;

	CHECK(d != NULL);
	while ((entry = readdir(d)))
		count += !numbers || (entry->d_name[0] >= '0' && entry->d_name[0] <= '9');
	closedir(d);
	return count;
}

static struct {
	long free_kb;
	unsigned processes, descriptors, files;
} at_first;

static void look(void)
{
	at_first.free_kb = memory_kb("MemFree:");
	at_first.processes = entries_of("/proc", true);
	at_first.descriptors = entries_of("/proc/self/fd", true);
	at_first.files = entries_of("/tmp", false);
}

/* Orphans are process 1's to wait for: that may take a moment. */
static void all_is_back(void)
{
	for (int i = 0; i < 1000 && entries_of("/proc", true) > at_first.processes; i++)
		usleep(10000);
	/* Fewer, if an earlier program's orphans were still there at first. */
	CHECK(entries_of("/proc", true) <= at_first.processes);
	CHECK_EQ(entries_of("/proc/self/fd", true), at_first.descriptors);
	CHECK_EQ(entries_of("/tmp", false), at_first.files);
	long now = memory_kb("MemFree:");

	if (now < at_first.free_kb - KEPT_BACK_KB)
		printf("free: %ld kB before, %ld kB after\n", at_first.free_kb, now);
	CHECK(now >= at_first.free_kb - KEPT_BACK_KB);
	CHECK_EQ(system("seq 1 100 | sort -rn | head -1 | grep -q 100"), 0);
}

static void end_the_user(void)
{
	pid_t child = fork();

	if (child == 0) {
		if (setuid(USER) == 0)
			kill(-1, SIGKILL);
		_exit(0);
	}
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

/* ---------------------------------------------------------------- memory */

/* Returns when mmap refuses; else the process is ended in the middle. */
static void take_all_memory(void)
{
	for (;;) {
		char *p = mmap(NULL, MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return;
		for (size_t at = 0; at < MEBI; at += PAGE)
			p[at] = 1;
	}
}

static bool ended_for_lack_of_memory(int status)
{
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	       (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void one_process_takes_all_memory(void)
{
	look();
	for (int round = 0; round < 3; round++) {
		int status;
		pid_t child = fork();

		if (child == 0) {
			take_all_memory();
			_exit(0);
		}
		CHECK(child > 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(ended_for_lack_of_memory(status));
	}
	all_is_back();
}

static bool is_there(char *page)
{
	unsigned char there = 0;

	CHECK_EQ(mincore(page, PAGE, &there), 0);
	return there & 1;
}

/* Of the last pages nobody gets more than he asks for. */
static void take_one(char *page, bool of_the_last)
{
	bool was_there = is_there(page);

	*page = 1;
	CHECK(!of_the_last || was_there || !is_there(page + PAGE));
}

/* Touches pages until so few are left; false: there is no place for a mapping. */
static bool take_all_but(long left_kb)
{
	char *p = mmap(NULL, (size_t)memory_kb("MemFree:") << 10, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	while (memory_kb("MemFree:") > left_kb + 4096) {
		for (size_t end = (size_t)p + MEBI; (size_t)p < end; p += PAGE)
			*p = 1;
	}
	for (long free_kb; (free_kb = memory_kb("MemFree:")) > left_kb; p += PAGE)
		take_one(p, free_kb < FEW_KB);
	return true;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * What is said to be free can be had, on whatever CPU it was given back.  A program that has been
 * told of a page and does not get it would end by a signal.
 */
static void the_last_pages_can_be_had(void)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), status;
	pid_t child = fork();

	if (child == 0) {
		for (int cpu = cpus - 1; cpu >= 0; cpu--) {
			run_on(cpu);
			char *p = mmap(NULL, MEBI, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

			if (p == MAP_FAILED || munmap(p, MEBI))
				_exit(1);
		}
		_exit(take_all_but(LAST_PAGES * PAGE >> 10) ? 0 : 1);
	}
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void many_processes_take_all_memory(void)
{
	enum { PROCESSES = 12 };
	pid_t children[PROCESSES];

	look();
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			take_all_memory();
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = 0;

		if (children[i] > 0) {
			CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
			CHECK(ended_for_lack_of_memory(status));
		}
	}
	all_is_back();
}

/* Copies of more than half of the memory: there is no room for one more when all are written. */
static void a_large_process_forks_when_memory_is_short(void)
{
	int status;

	look();
	size_t size = (size_t)at_first.free_kb * 1024 / 5 * 3;
	pid_t child = fork();

	if (child == 0) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(2);
		memset(p, 1, size);
		pid_t copy = fork();

		if (copy == 0) {
			int fd = open("/proc/self/oom_score_adj", O_WRONLY);

			write(fd, "1000", 4); /* of the two, this one is to be ended */
			memset(p, 2, size);
			_exit(0);
		}
		if (copy > 0 && waitpid(copy, &status, 0) != copy)
			_exit(3);
		for (size_t at = 0; at < size; at += PAGE)
			if (p[at] != 1)
				_exit(4);
		_exit(copy < 0 && errno != ENOMEM ? 5 : 0);
	}
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	all_is_back();
}

/* Each page a mapping of its own, since its neighbours have other rights. */
static void a_process_takes_mappings_without_end(void)
{
	int status;

	look();
	pid_t child = fork();

	if (child == 0) {
		char *p = mmap(NULL, 200000 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		size_t i;

		if (p == MAP_FAILED)
			_exit(2);
		for (i = 0; i < 100000; i++)
			if (mprotect(p + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE) != 0)
				break;
		_exit(i < 1000 || (i < 100000 && errno != ENOMEM));
	}
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(ended_for_lack_of_memory(status));
	all_is_back();
}

/* ---------------------------------------------------------------- files */

static void fill(int fd)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	while (write(fd, block, sizeof(block)) > 0)
		;
	CHECK_EQ(errno, ENOSPC);
	while (write(fd, block, 1) > 0)
		;
	CHECK_EQ(errno, ENOSPC);
}

static void the_file_system_fills_and_empties(void)
{
	struct statvfs before, full, after;

	look();
	CHECK_EQ(statvfs("/tmp", &before), 0);
	for (int round = 0; round < 2; round++) {
		int fd = open("/tmp/exhaustion-full", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		CHECK(fd >= 0);
		fill(fd);
		CHECK_EQ(statvfs("/tmp", &full), 0);
		CHECK(full.f_bfree < 16);
		CHECK_EQ(system("true"), 0);
		CHECK_EQ(close(fd), 0);
		CHECK_EQ(unlink("/tmp/exhaustion-full"), 0);
	}
	CHECK_EQ(statvfs("/tmp", &after), 0);
	CHECK_EQ(after.f_bfree, before.f_bfree);
	all_is_back();
}

static void many_files_come_and_go(void)
{
	enum { FILES = 3000 };
	char name[64];

	look();
	CHECK_EQ(mkdir("/tmp/exhaustion", 0700), 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "/tmp/exhaustion/%d", i);
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

		CHECK(fd >= 0);
		CHECK_EQ(write(fd, name, 1), 1);
		close(fd);
	}
	CHECK_EQ(entries_of("/tmp/exhaustion", true), FILES);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "/tmp/exhaustion/%d", i);
		CHECK_EQ(unlink(name), 0);
	}
	CHECK_EQ(rmdir("/tmp/exhaustion"), 0);
	all_is_back();
}

static void directories_nest_deeply(void)
{
	enum { DEPTH = 3000 };
	static char path[8192];
	int depth = 0;

	look();
	CHECK_EQ(mkdir("/tmp/exhaustion", 0700), 0);
	CHECK_EQ(chdir("/tmp/exhaustion"), 0);
	while (depth < DEPTH && mkdir("d", 0700) == 0 && chdir("d") == 0)
		depth++;
	char *where = getcwd(path, sizeof(path));
	int error = errno;

	for (int i = 0; i < depth; i++)
		if (chdir("..") != 0 || rmdir("d") != 0)
			break;
	CHECK(where == NULL && error != 0);
	CHECK(depth >= 1000);
	CHECK_EQ(chdir("/"), 0);
	CHECK_EQ(rmdir("/tmp/exhaustion"), 0);
	memset(path, '/', sizeof(path) - 1);
	CHECK(open(path, O_RDONLY) == -1 && errno == ENAMETOOLONG);
	all_is_back();
}

/* ---------------------------------------------------------------- descriptors, pipes */

static void descriptors_run_out(void)
{
	int last = -1, pair[2], count = 0;

	look();
	for (;;) {
		int fd = open("/dev/null", O_RDONLY);

		if (fd < 0)
			break;
		last = fd;
		count++;
	}
	int error = errno;
	bool none = dup(0) == -1 && errno == EMFILE && pipe(pair) == -1 && errno == EMFILE;

	for (int fd = last; count > 0; fd--, count--)
		close(fd);
	CHECK_EQ(error, EMFILE);
	CHECK(none);
	all_is_back();
}

static int make_pipe(int pair[2])
{
	return pipe2(pair, O_NONBLOCK);
}

static int make_sockets(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
}

/* As many as a process may have, all of them filled. */
static void take_memory(int (*make)(int pair[2]))
{
	int status;

	look();
	pid_t child = fork();

	if (child == 0) {
		static char block[65536];
		int pair[2];

		for (int i = 0; i < 8; i++) { /* each generation fills its own */
			while (make(pair) == 0)
				while (write(pair[1], block, sizeof(block)) > 0)
					;
			if (fork() != 0)
				break;
			for (int fd = 3; fd < 1024; fd += 2)
				close(fd);
		}
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(ended_for_lack_of_memory(status));
	all_is_back();
}

static void pipes_take_memory_until_there_is_none(void)
{
	take_memory(make_pipe);
}

static void sockets_take_memory_until_there_is_none(void)
{
	take_memory(make_sockets);
}

/* ---------------------------------------------------------------- processes, threads */

static void a_thousand_forks_in_a_row(void)
{
	look();
	for (int i = 0; i < 1000; i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			_exit(i & 0x7f);
		CHECK(child > 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WEXITSTATUS(status), i & 0x7f);
	}
	all_is_back();
}

static void a_fork_bomb_has_a_limit(void)
{
	static const struct rlimit limit = { 40, 40 };
	pid_t child;
	int status;

	look();
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_NPROC, &limit);
		if (setuid(USER) != 0)
			_exit(1);
		for (;;)
			fork();
	}
	CHECK(child > 0);
	usleep(300000);
	unsigned grown = entries_of("/proc", true);

	for (int i = 0; i < 3000 && grown <= at_first.processes + 2; i++) {
		usleep(10000);
		grown = entries_of("/proc", true);
	}

	CHECK_EQ(system("true"), 0);
	end_the_user(); /* once: no child escapes that its parent was just making */
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, SIGKILL);
	CHECK(grown > at_first.processes + 2);
	CHECK(grown <= at_first.processes + 40);
	all_is_back();
}

static void *wait_for_the_end(void *stop)
{
	while (!atomic_load((_Atomic int *)stop))
		usleep(1000);
	return NULL;
}

/* Returns how many there could be. */
static int take_all_threads(void)
{
	enum { THREADS = 5000 };
	static pthread_t threads[THREADS];
	static _Atomic int stop;
	pthread_attr_t attributes;
	int count = 0, error = 0;

	atomic_store(&stop, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 16384);
	while (count < THREADS && !error)
		error = pthread_create(&threads[count++], &attributes, wait_for_the_end, &stop);
	if (error)
		count--;
	atomic_store(&stop, 1);
	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK(error == 0 || error == EAGAIN);
	return count;
}

/* The libos keeps the stacks of so many tasks for the next ones: a second time takes no more. */
static void threads_run_out(void)
{
	int first = take_all_threads();

	look();
	int second = take_all_threads();

	printf("threads: %d, then %d\n", first, second);
	CHECK(first > 50);
	CHECK(second > first / 2);
	all_is_back();
}

/* ---------------------------------------------------------------- what is queued for later */

static void queued_signals_run_out(void)
{
	sigset_t set, old;
	siginfo_t info;
	int sent = 0, got = 0;

	look();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &old);
	while (sent < 100000 && sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = sent }) == 0)
		sent++;
	int error = errno;
	struct timespec none = { 0, 0 };

	while (sigtimedwait(&set, &info, &none) == SIGRTMIN && info.si_value.sival_int == got)
		got++;
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK_EQ(error, EAGAIN);
	CHECK_EQ(got, sent);
	all_is_back();
}

static void timers_run_out(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	static timer_t timers[100000];
	int count = 0;

	look();
	while (count < 100000 && timer_create(CLOCK_MONOTONIC, &event, &timers[count]) == 0)
		count++;
	int error = errno;

	for (int i = 0; i < count; i++)
		timer_delete(timers[i]);
	CHECK_EQ(error, EAGAIN);
	all_is_back();
}

int main(void)
{
	system("true"); /* caches are filled before the first look */
	RUN(one_process_takes_all_memory);
	RUN(the_last_pages_can_be_had);
	RUN(many_processes_take_all_memory);
	RUN(a_large_process_forks_when_memory_is_short);
	RUN(a_process_takes_mappings_without_end);
	RUN(the_file_system_fills_and_empties);
	RUN(many_files_come_and_go);
	RUN(directories_nest_deeply);
	RUN(descriptors_run_out);
	RUN(pipes_take_memory_until_there_is_none);
	RUN(sockets_take_memory_until_there_is_none);
	RUN(a_thousand_forks_in_a_row);
	RUN(a_fork_bomb_has_a_limit);
	RUN(threads_run_out);
	RUN(queued_signals_run_out);
	RUN(timers_run_out);
	return test_result();
}
