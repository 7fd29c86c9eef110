/* SPDX-License-Identifier: MIT */
/*
 * What runs in a domain whose CPUs and budgets change, and what looks at it from outside.
 *
 *	domains_resize load          workers of all kinds; told on standard input what to check:
 *		go N     every worker has gone on since, on N CPUs, within a bound; answers "on N"
 *		end      they have lost nothing: answers "all there"
 *	domains_resize bound         one that computes, bound to the last CPU; told how many there are:
 *		go N     it runs where it is bound to, or on the only one there is; answers "on N"
 *	domains_resize spin          computes for ever
 *	domains_resize share ID MS   how much of MS milliseconds the domain had of a CPU, in thousandths
 */
#define _GNU_SOURCE
#include <exo/abi.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 3
#define ADDERS 3
#define COMPUTERS 3
#define BOUND_S 60

enum {
	PINGS = 0,
	SUMS = PINGS + PAIRS,
	LOOPS = SUMS + ADDERS,
	NAPS = LOOPS + COMPUTERS,
	PINNED,
	LOOKS,
	WORKERS
};

/* Shared by all processes: how far each has come. */
static struct shared {
	_Atomic uint64_t steps[WORKERS];
	atomic_bool stop;
} *shared;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static uint64_t sum; /* under lock */
static unsigned turn; /* likewise: whose it is */

static _Noreturn void fail(const char *why)
{
	printf("failed: %s\n", why);
	exit(1);
}

/* ---------------------------------------------------------------- workers */

/* Another process sends each number back. */
static void *ping(void *number)
{
	unsigned n = (unsigned)(uintptr_t)number;
	int there[2], back[2];
	uint64_t answer;

	if (pipe(there) || pipe(back))
		fail("pipe");
	if (fork() == 0) {
		close(there[1]);
		while (read(there[0], &answer, sizeof(answer)) == sizeof(answer))
			if (write(back[1], &answer, sizeof(answer)) != sizeof(answer))
				break;
		_exit(0);
	}
	close(there[0]);
	for (uint64_t i = 1; !shared->stop; i++) {
		if (write(there[1], &i, sizeof(i)) != sizeof(i) ||
		    read(back[0], &answer, sizeof(answer)) != sizeof(answer) || answer != i)
			fail("a pipe lost something");
		shared->steps[PINGS + n]++;
	}
	close(there[1]);
	return NULL;
}

/* In turn: each wakes the next. */
static void *add(void *number)
{
	unsigned n = (unsigned)(uintptr_t)number;

	pthread_mutex_lock(&lock);
	while (!shared->stop) {
		if (turn != n) {
			pthread_cond_wait(&turned, &lock);
			continue;
		}
		sum++;
		turn = (turn + 1) % ADDERS;
		shared->steps[SUMS + n]++;
		pthread_cond_broadcast(&turned);
	}
	pthread_cond_broadcast(&turned);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *compute(void *number)
{
	volatile double x = 1;

	while (!shared->stop) {
		for (int i = 0; i < 10000; i++)
			x = x * 1.0000001;
		shared->steps[LOOPS + (unsigned)(uintptr_t)number]++;
	}
	return NULL;
}

static void *nap(void *unused)
{
	(void)unused;
	while (!shared->stop) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		shared->steps[NAPS]++;
	}
	return NULL;
}

/* Bound to the last CPU, which goes and comes. */
static void *stay(void *unused)
{
	cpu_set_t one;

	(void)unused;
	CPU_ZERO(&one);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		fail("sched_setaffinity");
	while (!shared->stop) {
		sched_yield();
		shared->steps[PINNED]++;
	}
	return NULL;
}

/* As the libos does behind each lock, if it is just there that the CPU that it was on is taken. */
static void *look(void *unused)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	(void)unused;
	while (!shared->stop) {
		for (long cpu = 0; cpu < cpus; cpu++) {
			const uint64_t page = EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE;

			(void)((volatile struct exo_vcore_page *)page)->pending;
		}
		shared->steps[LOOKS]++;
	}
	return NULL;
}

/* ---------------------------------------------------------------- checks */

static bool all_have_gone_on(const uint64_t *before)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (shared->steps[i] == before[i])
			return false;
	return true;
}

static long processors(void)
{
	char line[256];
	long count = 0;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		count += strncmp(line, "processor", 9) == 0;
	fclose(f);
	return count;
}

static void check_all_go_on(long cpus)
{
	uint64_t before[WORKERS];
	time_t end = time(NULL) + BOUND_S;

	for (unsigned i = 0; i < WORKERS; i++)
		before[i] = shared->steps[i];
	while (!all_have_gone_on(before) || sysconf(_SC_NPROCESSORS_ONLN) != cpus || processors() != cpus) {
		if (time(NULL) > end)
			fail("somebody is stuck, or the CPUs are not as many");
		usleep(1000);
	}
	printf("on %ld\n", cpus);
}

static void load(void)
{
	pthread_t threads[WORKERS];
	void *(*const kinds[])(void *) = { ping, add, compute, nap, stay, look };
	const unsigned counts[] = { PAIRS, ADDERS, COMPUTERS, 1, 1, 1 };
	unsigned started = 0;
	uint64_t added = 0;
	char line[64];

	for (unsigned kind = 0; kind < sizeof(counts) / sizeof(counts[0]); kind++)
		for (unsigned i = 0; i < counts[kind]; i++)
			if (pthread_create(&threads[started++], NULL, kinds[kind], (void *)(uintptr_t)i))
				fail("pthread_create");
	while (fgets(line, sizeof(line), stdin) && strncmp(line, "go ", 3) == 0)
		check_all_go_on(strtol(line + 3, NULL, 10));
	shared->stop = true;
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < ADDERS; i++)
		added += shared->steps[SUMS + i];
	if (added != sum)
		fail("a sum is not what was added");
	printf("all there\n");
}

/* ---------------------------------------------------------------- one that is bound */

static _Atomic int runs_on;

static void *compute_where_bound(void *cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((int)(intptr_t)cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		fail("sched_setaffinity");
	for (;;) /* nothing that gives its CPU up */
		runs_on = sched_getcpu();
	return NULL;
}

static void bound(void)
{
	int last = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	pthread_t thread;
	char line[64];

	if (pthread_create(&thread, NULL, compute_where_bound, (void *)(intptr_t)last))
		fail("pthread_create");
	while (fgets(line, sizeof(line), stdin) && strncmp(line, "go ", 3) == 0) {
		long cpus = strtol(line + 3, NULL, 10);
		time_t end = time(NULL) + BOUND_S;

		while (runs_on != (cpus > 1 ? last : 0)) {
			if (time(NULL) > end)
				fail("it runs where it is not bound to");
			usleep(1000);
		}
		printf("on %ld\n", cpus);
	}
	printf("all there\n");
}

/* ---------------------------------------------------------------- outside */

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t consumed_us(unsigned id)
{
	char line[512];
	unsigned number;
	uint64_t us = 0;
	FILE *f = fopen("/proc/exo/domains", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%u %*s %*s %*u %*u %*u %lu", &number, &us) == 2 && number == id)
			break;
	fclose(f);
	return us;
}

/* Computes meanwhile, so that nobody else has the time by chance. */
static void share(unsigned id, uint64_t ms)
{
	uint64_t start = now_us(), before = consumed_us(id), end = start + ms * 1000, had;

	while (now_us() < end)
		;
	had = consumed_us(id) - before;
	printf("%lu\n", had * 1000 / (now_us() - start));
}

int main(int count, char **words)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (count == 2 && strcmp(words[1], "load") == 0)
		load();
	else if (count == 2 && strcmp(words[1], "bound") == 0)
		bound();
	else if (count == 4 && strcmp(words[1], "share") == 0)
		share((unsigned)strtoul(words[2], NULL, 10), strtoul(words[3], NULL, 10));
	else
		for (;;)
			;
	return 0;
}
