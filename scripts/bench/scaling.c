/* SPDX-License-Identifier: MIT */
/*
 * How cost and throughput grow: one portable POSIX program, for Linux and for this system.
 *
 *	scaling loads [MS]       throughput of five loads on all CPUs there are; MS of each, three times
 *	scaling mailbox [MS]     wakes a second of tasks on CPU 0, under 1 to 63 tasks on other CPUs
 *	scaling NAME N...        cost of one operation with N others there; NAME is one of
 *
 *	wake      a sleeping thread is woken through its futex, answers, and sleeps again; N sleep
 *	pick      one sched_yield() while N threads are runnable
 *	fork      fork + _exit + wait4 while another process has N sleeping threads
 *	children  the same while the process has N sleeping children
 *	mmap      mmap + munmap of a page in a process that has N mappings
 *	list      a name of /proc/self/task is read and looked at, of N
 *	thread    a thread is made and ends while N sleep (reported by the way: kB for each of the N)
 *
 * A line is "NAME_N VALUE UNIT".  Numbers of iterations are fixed, so that instruction counts repeat.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Linux's; musl has no header for them. */
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE };

#define PAGE 4096ul
#define STACK (2 * PAGE) /* of a thread; one page of it is touched */
#define REPETITIONS 3
#define WORKERS_MAX 64
#define GROUP 4 /* senders, and as many receivers, for each CPU in `hackbench` */
#define MESSAGE 100

static void fail(const char *what)
{
	fprintf(stderr, "scaling: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000l };

	nanosleep(&t, NULL);
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void futex_set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	futex(word, FUTEX_WAKE, INT32_MAX);
}

/* Until the word is no longer `value`. */
static void futex_sleep(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load(word) == value)
		futex(word, FUTEX_WAIT, value);
}

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

static void make_pipe(int ends[2])
{
	if (pipe(ends))
		fail("pipe");
}

static pid_t make_process(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	return pid;
}

/* Its stack comes from the caller, since a mapping for each would be another thing to measure. */
static void make_thread(void *stack, void *(*body)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, STACK);
	errno = pthread_create(&thread, &attributes, body, argument);
	if (errno)
		fail("pthread_create");
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* ---------------------------------------------------------------- loads */

/* Shared with the workers: who counts has a line of his own. */
static struct shared {
	_Atomic uint32_t go, stop;
	struct {
		_Atomic uint64_t count;
	} __attribute__((aligned(64))) worker[WORKERS_MAX];
} *shared;

static const char *true_path = "/bin/true";

static void did(unsigned worker, uint64_t n)
{
	atomic_fetch_add_explicit(&shared->worker[worker].count, n, memory_order_relaxed);
}

static int stopped(void)
{
	return atomic_load_explicit(&shared->stop, memory_order_relaxed) != 0;
}

static void send_messages(int (*pipes)[2], unsigned worker)
{
	char message[MESSAGE] = { 0 };

	while (!stopped()) {
		for (int r = 0; r < GROUP; r++)
			if (write(pipes[r][1], message, MESSAGE) != MESSAGE)
				_exit(1);
		did(worker, GROUP);
	}
	_exit(0);
}

static void receive_messages(int (*pipes)[2], int me)
{
	char message[MESSAGE];

	for (int r = 0; r < GROUP; r++)
		close(pipes[r][1]);
	while (read(pipes[me][0], message, MESSAGE) > 0)
		;
	_exit(0);
}

/* GROUP processes, each of which sends to each of GROUP others, through one pipe for each of those. */
static void load_hackbench(unsigned worker)
{
	int pipes[GROUP][2];

	for (int r = 0; r < GROUP; r++)
		make_pipe(pipes[r]);
	for (int i = 0; i < 2 * GROUP; i++) {
		if (make_process() != 0)
			continue;
		if (i < GROUP)
			receive_messages(pipes, i);
		futex_sleep(&shared->go, 0);
		send_messages(pipes, worker);
	}
	for (int r = 0; r < GROUP; r++) {
		close(pipes[r][0]);
		close(pipes[r][1]);
	}
	for (int i = 0; i < 2 * GROUP; i++)
		wait(NULL);
}

static void load_fork_exec(unsigned worker)
{
	char *arguments[] = { (char *)true_path, NULL }, *environment[] = { NULL };

	while (!stopped()) {
		int status;
		pid_t pid = make_process();

		if (pid == 0) {
			execve(true_path, arguments, environment);
			_exit(127);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			fail("exec");
		did(worker, 1);
	}
}

static _Atomic uint32_t turn;

static void *futex_partner(void *unused)
{
	for (;;) {
		futex_sleep(&turn, 0);
		futex_set(&turn, 0);
	}
	return unused;
}

static void load_futex(unsigned worker)
{
	make_thread(memory(STACK), futex_partner, NULL);
	while (!stopped()) {
		futex_set(&turn, 1);
		futex_sleep(&turn, 1);
		did(worker, 1);
	}
}

static void load_page_fault(unsigned worker)
{
	size_t size = 256 * PAGE;

	while (!stopped()) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			fail("mmap");
		madvise(p, size, MADV_NOHUGEPAGE);
		for (size_t at = 0; at < size; at += PAGE)
			((volatile char *)p)[at] = 1;
		munmap(p, size);
		did(worker, size / PAGE);
	}
}

static void load_pipe(unsigned worker)
{
	int there[2], back[2];
	char c = 0;

	make_pipe(there);
	make_pipe(back);
	if (make_process() == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
			;
		_exit(0);
	}
	while (!stopped()) {
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			fail("pipe");
		did(worker, 1);
	}
	close(there[1]);
	wait(NULL);
}

static const struct load {
	const char *name;
	void (*body)(unsigned worker);
} loads[] = {
	{ "hackbench", load_hackbench }, { "fork_exec", load_fork_exec }, { "futex", load_futex },
	{ "page_fault", load_page_fault }, { "pipe", load_pipe },
};

static uint64_t sum_of(unsigned workers)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < workers; i++)
		sum += atomic_load(&shared->worker[i].count);
	return sum;
}

/* Operations a second, over `ms` in the middle of what the workers do. */
static double measure_workers(unsigned workers, unsigned ms)
{
	sleep_ms(ms / 5);
	uint64_t start = now_ns(), before = sum_of(workers);

	sleep_ms(ms);
	uint64_t after = sum_of(workers), end = now_ns();

	return (double)(after - before) * 1e9 / (double)(end - start);
}

static double run_load(const struct load *l, unsigned workers, unsigned ms)
{
	memset(shared, 0, sizeof(*shared));
	for (unsigned i = 0; i < workers; i++) {
		if (make_process() != 0)
			continue;
		if (l->body != load_hackbench)
			futex_sleep(&shared->go, 0);
		l->body(i);
		_exit(0);
	}
	futex_set(&shared->go, 1);
	double rate = measure_workers(workers, ms);

	atomic_store(&shared->stop, 1);
	for (unsigned i = 0; i < workers; i++)
		wait(NULL);
	return rate;
}

static void run_loads(unsigned ms)
{
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		double rate[REPETITIONS];

		for (int r = 0; r < REPETITIONS; r++)
			rate[r] = run_load(&loads[i], cpus, ms);
		qsort(rate, REPETITIONS, sizeof(rate[0]), ascending);
		printf("%s_%u %.1f op/s\n", loads[i].name, cpus, rate[REPETITIONS / 2]);
		fflush(stdout);
	}
}

/* ---------------------------------------------------------------- mailbox */

static struct pair {
	_Atomic uint32_t word;
	unsigned number, cpus;
} __attribute__((aligned(64))) *pairs;

static void *woken_on_cpu_0(void *argument)
{
	struct pair *p = argument;

	pin(0);
	for (;;) {
		futex_sleep(&p->word, 0);
		futex_set(&p->word, 0);
	}
	return NULL;
}

static void *waker_elsewhere(void *argument)
{
	struct pair *p = argument;

	if (p->cpus > 1)
		pin(1 + p->number % (p->cpus - 1));
	futex_sleep(&shared->go, 0);
	while (!stopped()) {
		futex_set(&p->word, 1);
		futex_sleep(&p->word, 1);
		did(p->number, 1);
	}
	return NULL;
}

static void run_mailbox(unsigned ms)
{
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);

	for (unsigned senders = 1; senders < WORKERS_MAX; senders = senders == 32 ? 63 : senders * 2) {
		memset(shared, 0, sizeof(*shared));
		if (make_process() == 0) {
			char *stacks = memory(2 * senders * STACK);

			pairs = memory(senders * sizeof(*pairs));
			for (unsigned i = 0; i < senders; i++) {
				pairs[i].number = i;
				pairs[i].cpus = cpus;
				make_thread(stacks + 2 * i * STACK, woken_on_cpu_0, &pairs[i]);
				make_thread(stacks + (2 * i + 1) * STACK, waker_elsewhere, &pairs[i]);
			}
			futex_set(&shared->go, 1);
			printf("mailbox_%u %.1f op/s\n", senders, measure_workers(senders, ms));
			fflush(stdout);
			_exit(0);
		}
		wait(NULL);
	}
}

/* ---------------------------------------------------------------- with N others there */

static _Atomic uint32_t *words, reply, ready;
static struct {
	unsigned threads, times;
	_Atomic uint64_t yields;
	uint64_t start, end;
	_Atomic uint32_t done;
} pick;

/* As many as are wanted may be there: Linux has to be told. */
static void lift_limits(void)
{
	static const char *const files[] = { "/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max",
					     "/proc/sys/vm/max_map_count" };
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i], O_WRONLY);

		if (fd < 0)
			continue;
		if (write(fd, "1000000", 7) < 0)
			printf("# %s is as it is\n", files[i]);
		close(fd);
	}
	setrlimit(RLIMIT_NPROC, &none);
}

static void wait_until_ready(uint32_t n)
{
	uint32_t seen;

	while ((seen = atomic_load(&ready)) < n)
		futex(&ready, FUTEX_WAIT_PRIVATE, seen);
}

static void say_ready(void)
{
	atomic_fetch_add(&ready, 1);
	futex(&ready, FUTEX_WAKE_PRIVATE, 1);
}

/* Sleeps on its own word, and answers whoever changes that. */
static void *sleeper(void *argument)
{
	_Atomic uint32_t *word = argument;

	say_ready();
	for (;;) {
		while (atomic_load(word) == 0)
			futex(word, FUTEX_WAIT_PRIVATE, 0);
		atomic_store(word, 0);
		atomic_store(&reply, 1);
		futex(&reply, FUTEX_WAKE_PRIVATE, 1);
	}
	return NULL;
}

static void make_threads(unsigned n, void *(*body)(void *))
{
	char *stacks = mmap(NULL, n * STACK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (stacks == MAP_FAILED)
		fail("mmap");
	madvise(stacks, n * STACK, MADV_NOHUGEPAGE);
	words = calloc(n, sizeof(*words));
	for (unsigned i = 0; i < n; i++)
		make_thread(stacks + i * STACK, body, &words[i]);
	wait_until_ready(n);
	/* Each has said so before it sleeps; let the last ones get there. */
	for (int i = 0; i < 10; i++)
		sched_yield();
}

static void print_cost(const char *name, uint64_t n, uint64_t ns, unsigned times)
{
	printf("%s_%lu %.1f ns\n", name, n, (double)ns / times);
	fflush(stdout);
}

static void wake_one_and_wait(unsigned i)
{
	atomic_store(&reply, 0);
	atomic_store(&words[i], 1);
	futex(&words[i], FUTEX_WAKE_PRIVATE, 1);
	while (atomic_load(&reply) == 0)
		futex(&reply, FUTEX_WAIT_PRIVATE, 0);
}

static void cost_wake(unsigned n)
{
	enum { TIMES = 2000, STEP = 7919 };

	make_threads(n, sleeper);
	wake_one_and_wait(0);
	uint64_t start = now_ns();

	for (unsigned i = 0; i < TIMES; i++)
		wake_one_and_wait((unsigned)((uint64_t)i * STEP % n));
	print_cost("wake", n, now_ns() - start, TIMES);
}

/* Whoever makes the first of the yields that count looks at the clock, and whoever makes the last. */
static void *yielder(void *argument)
{
	uint64_t n = pick.threads, last = 2 * n + pick.times;

	say_ready();
	while (atomic_load(&words[0]) == 0)
		futex(&words[0], FUTEX_WAIT_PRIVATE, 0);
	for (;;) {
		uint64_t number = atomic_fetch_add(&pick.yields, 1);

		if (number == 2 * n)
			pick.start = now_ns();
		if (number == last) {
			pick.end = now_ns();
			futex_set(&pick.done, 1); /* a stack of this size is not enough for printf() */
		}
		sched_yield();
	}
	return argument;
}

static void cost_pick(unsigned n)
{
	pick.threads = n;
	pick.times = n < 10000 ? 20000 : 2 * n;
	make_threads(n, yielder);
	/* To make the threads it has used more than its share, and would wait for all of them. */
	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 }))
		fail("sched_setscheduler");
	atomic_store(&words[0], 1);
	futex(&words[0], FUTEX_WAKE_PRIVATE, INT32_MAX);
	futex_sleep(&pick.done, 0);
	print_cost("pick", n, pick.end - pick.start, pick.times);
}

static void fork_exit_wait(void)
{
	pid_t pid = make_process();

	if (pid == 0)
		_exit(0);
	if (waitpid(pid, NULL, 0) != pid)
		fail("waitpid");
}

static void time_forks(const char *name, unsigned n)
{
	enum { TIMES = 50 };

	fork_exit_wait();
	uint64_t start = now_ns();

	for (unsigned i = 0; i < TIMES; i++)
		fork_exit_wait();
	print_cost(name, n, now_ns() - start, TIMES);
}

static void cost_fork(unsigned n)
{
	int told[2];
	char c = 0;

	make_pipe(told);
	pid_t holder = make_process();

	if (holder == 0) {
		make_threads(n, sleeper);
		if (write(told[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(told[1]);
	if (read(told[0], &c, 1) != 1)
		fail("the threads' process");
	time_forks("fork", n);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

static void cost_children(unsigned n)
{
	int until[2];
	char c;

	make_pipe(until);
	for (unsigned i = 0; i < n; i++) {
		if (make_process() != 0)
			continue;
		close(until[1]);
		_exit(read(until[0], &c, 1) == 0 ? 0 : 1);
	}
	sleep_ms(1);
	time_forks("children", n);
	close(until[1]);
	for (unsigned i = 0; i < n; i++)
		wait(NULL);
}

static void cost_mmap(unsigned n)
{
	enum { TIMES = 2000 };
	uint64_t start = 0;

	/* Rights that differ from the neighbours' keep them apart. */
	for (unsigned i = 0; i < n; i++)
		if (mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		    MAP_FAILED)
			fail("mmap");
	for (unsigned i = 0; i <= TIMES; i++) {
		if (i == 1)
			start = now_ns();
		void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || munmap(p, PAGE))
			fail("mmap");
	}
	print_cost("mmap", n, now_ns() - start, TIMES);
}

/* The names that were there; all of them are looked at. */
static unsigned list(DIR *directory)
{
	struct dirent *entry;
	unsigned names = 0;
	struct stat s;

	rewinddir(directory);
	while ((entry = readdir(directory)))
		names += fstatat(dirfd(directory), entry->d_name, &s, 0) == 0;
	return names;
}

static void cost_list(unsigned n)
{
	unsigned times = 1000 / n + 1, names = 0;
	DIR *threads = opendir("/proc/self/task");
	uint64_t start;

	if (!threads)
		fail("/proc/self/task");
	make_threads(n, sleeper);
	list(threads);
	start = now_ns();
	for (unsigned i = 0; i < times; i++)
		names += list(threads);
	print_cost("list", n, now_ns() - start, names);
}

static void *ends_at_once(void *argument)
{
	return argument;
}

static uint64_t free_kb(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (uint64_t)info.freeram * info.mem_unit / 1024;
}

static void cost_thread(unsigned n)
{
	enum { TIMES = 200 };
	uint64_t before = free_kb(), start = 0;

	make_threads(n, sleeper);
	printf("thread_kb_%u %.2f kB\n", n, (double)(before - free_kb()) / n);
	for (unsigned i = 0; i <= TIMES; i++) {
		pthread_t thread;

		if (i == 1)
			start = now_ns();
		if (pthread_create(&thread, NULL, ends_at_once, NULL) || pthread_join(thread, NULL))
			fail("pthread_create");
	}
	print_cost("thread", n, now_ns() - start, TIMES);
}

static const struct cost {
	const char *name;
	void (*measure)(unsigned n);
} costs[] = {
	{ "wake", cost_wake },         { "pick", cost_pick }, { "fork", cost_fork },
	{ "children", cost_children }, { "mmap", cost_mmap }, { "list", cost_list },
	{ "thread", cost_thread },
};

/* In a process of its own, which takes with it what it has made. */
static int run_cost(const char *name, unsigned n)
{
	int status;

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		if (strcmp(costs[i].name, name) != 0)
			continue;
		if (make_process() == 0) {
			costs[i].measure(n);
			_exit(0);
		}
		wait(&status);
		sleep_ms(500); /* Linux gives back what thousands of threads had when nobody waits */
		return status != 0;
	}
	fprintf(stderr, "scaling: what is %s?\n", name);
	return 1;
}

int main(int argc, char **argv)
{
	int failures = 0;

	if (getenv("BENCH_TRUE"))
		true_path = getenv("BENCH_TRUE");
	shared = memory(sizeof(*shared));
	lift_limits();
	for (int i = 1; i < argc; i++) {
		unsigned ms = i + 1 < argc && atoi(argv[i + 1]) > 0 ? (unsigned)atoi(argv[i + 1]) : 400;

		if (strcmp(argv[i], "loads") == 0) {
			run_loads(ms);
			i++;
		} else if (strcmp(argv[i], "mailbox") == 0) {
			run_mailbox(ms);
			i++;
		} else {
			const char *name = argv[i];

			while (i + 1 < argc && atoi(argv[i + 1]) > 0)
				failures += run_cost(name, (unsigned)atoi(argv[++i]));
		}
	}
	printf("# scaling done, %d failed\n", failures);
	return failures != 0;
}
