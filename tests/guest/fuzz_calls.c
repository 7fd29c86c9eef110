/* SPDX-License-Identifier: MIT */
/*
 * Random system calls with random arguments: whatever they do to the processes that make them, the
 * system goes on, and has its memory back when they are gone.
 *
 *     fuzz_calls [SEED [SECONDS]]
 *
 * The workers are an ordinary user's, so that no call may end the machine or the tests.  One that
 * waits for ever or has destroyed itself is replaced by the next; each has its own seed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <libos/calls.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "memory_kb.h"
#include "test.h"

#define DIRECTORY "/tmp/fuzz"
#define USER 1000
#define WORKERS 4
#define PAGE 4096ul
#define AREA_PAGES 16
#define NUMBERS 450          /* Linux's numbers, and some behind them */
#define OWN_NUMBERS 4        /* the libos's own, and some behind them */
#define LOOK_EVERY_MS 50
#define KEPT_BACK_KB 8192    /* what caches may keep of the memory */

static uint64_t seed = 20261122;
static unsigned seconds = 2;
static unsigned long total_calls, total_workers;

/* Written by the worker, read by the one that watches it. */
static struct progress {
	_Atomic unsigned long calls;
	_Atomic unsigned number;
} *progress;

static char *area; /* the worker's playground */

static uint64_t random_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d;
}

/* ---------------------------------------------------------------- a worker */

static uint64_t random_pointer(uint64_t *state)
{
	static const char *const names[] = {
		"a", "b", "c", "d/e", "d", "..", ".", "", "/", "/proc/self/maps", "/dev/zero", "/dev/null",
		"/proc/self/fd", "/proc/self/fd/5", "/bin/true", "/tmp", "/proc", "/dev/full", "a/b",
	};
	static const uint64_t foreign[] = {
		0,
		8,
		0x7e8000000000,
		0x7e7ffffffff8,
		0x7f0000000000,
		0x7f003c018000,
		0x7f003c180000,
		0x7fffffffffff,
		0x800000000000,
		0xffff800000000000,
		0xffffff8000000000,
		0xffffffff80100000,
		-8ul,
		-1ul,
	};
	uint64_t choice = random_word(state);

	switch (choice % 8) {
	case 0:
		return foreign[choice / 8 % (sizeof(foreign) / sizeof(*foreign))];
	case 1:
	case 2:
		return (uint64_t)names[choice / 8 % (sizeof(names) / sizeof(*names))];
	case 3:
		return (uint64_t)area + choice / 8 % AREA_PAGES * PAGE;
	case 4:
		return (uint64_t)area + AREA_PAGES * PAGE - choice / 8 % 64;
	default:
		return (uint64_t)area + (choice / 8 % (AREA_PAGES * PAGE) & ~7ul);
	}
}

static uint64_t random_argument(uint64_t *state)
{
	static const uint64_t sizes[] = { 0, 1, 7, 8, 16, 64, 511, PAGE - 1, PAGE, PAGE + 1, 65536,
					  1ul << 31, 1ul << 32, 1ul << 40, 1ul << 63, -1ul, -PAGE };
	uint64_t choice = random_word(state);

	switch (choice % 10) {
	case 0:
	case 1:
		return choice / 16 % 24; /* descriptors, signals, small flags */
	case 2:
		return sizes[choice / 16 % (sizeof(sizes) / sizeof(*sizes))];
	case 3:
		return 1ul << (choice / 16 % 64);
	case 4:
		return -(choice / 16 % 128);
	case 5:
		return choice / 16 % 4096;
	case 6:
		return choice / 16 % 8 ? 0 : random_word(state);
	default:
		return random_pointer(state);
	}
}

/* Memory that is read as structures: words of all kinds. */
static void fill_area(uint64_t *state)
{
	for (int i = 0; i < 64; i++) {
		uint64_t place = random_word(state) % (AREA_PAGES * PAGE / 8);

		((uint64_t *)area)[place] = random_argument(state);
	}
}

/* Those that end or stop the worker come too seldom to be left in at full rate. */
static bool is_rare(uint64_t number)
{
	return number == SYS_exit || number == SYS_exit_group || number == SYS_pause ||
	       number == SYS_rt_sigreturn || number == SYS_rt_sigsuspend || number == SYS_vfork;
}

static _Noreturn void work(struct progress *mine, uint64_t state)
{
	static const struct rlimit processes = { 24, 24 }, space = { 96 << 20, 96 << 20 },
				   file = { 1 << 20, 1 << 20 };
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	setpgid(0, 0);
	setrlimit(RLIMIT_NPROC, &processes);
	setrlimit(RLIMIT_AS, &space);
	setrlimit(RLIMIT_FSIZE, &file);
	if (chdir(DIRECTORY) != 0 || setgid(USER) != 0 || setuid(USER) != 0)
		_exit(1);
	/* Nothing lies right behind it, least of all what is shared with the watcher. */
	area = mmap(NULL, (AREA_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(area + AREA_PAGES * PAGE, PAGE);
	for (;;) {
		uint64_t number = random_word(&state) % (NUMBERS + OWN_NUMBERS), a[6];

		if (number >= NUMBERS)
			number = LIBOS_CALL_FIRST + (number - NUMBERS);
		if (is_rare(number) && random_word(&state) % 64)
			continue;
		if (random_word(&state) % 16 == 0)
			fill_area(&state);
		for (int i = 0; i < 6; i++)
			a[i] = random_argument(&state);
		atomic_store_explicit(&mine->number, number, memory_order_relaxed);
		syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
		atomic_fetch_add_explicit(&mine->calls, 1, memory_order_relaxed);
	}
}

/* ---------------------------------------------------------------- watching */

static pid_t start_worker(struct progress *mine)
{
	uint64_t state = seed * 1000003 + ++total_workers;

	pid_t pid = fork();

	if (pid == 0) {
		random_word(&state);
		work(mine, state);
	}
	return pid;
}

/* All that workers started, wherever it has gone: only their user's processes can be meant. */
static void end_all_of_user(void)
{
	for (int round = 0; round < 3; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (setuid(USER) == 0)
				kill(-1, SIGKILL);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		struct timespec wait = { 0, 20000000 };

		nanosleep(&wait, NULL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void watch(void)
{
	static unsigned long seen[WORKERS];
	pid_t pids[WORKERS] = { 0 };
	unsigned looks = seconds * 1000 / LOOK_EVERY_MS;

	for (unsigned look = 0; look < looks; look++) {
		struct timespec wait = { 0, LOOK_EVERY_MS * 1000000 };

		for (int i = 0; i < WORKERS; i++) {
			unsigned long calls = atomic_load(&progress[i].calls);

			if (pids[i] > 0 && calls == seen[i]) {
				kill(pids[i], SIGKILL);
				waitpid(pids[i], NULL, 0);
				pids[i] = 0;
			}
			if (pids[i] <= 0)
				pids[i] = start_worker(&progress[i]);
			total_calls += calls - seen[i];
			seen[i] = calls;
		}
		nanosleep(&wait, NULL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void remove_files(void)
{
	CHECK_EQ(system("chmod -R u+rwx " DIRECTORY " 2>/dev/null; rm -rf " DIRECTORY), 0);
}

static unsigned process_count(void)
{
	DIR *proc = opendir("/proc");
	unsigned count = 0;
	struct dirent *entry;

	CHECK(proc != NULL);
	while ((entry = readdir(proc)))
		count += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	closedir(proc);
	return count;
}

static void random_calls_hurt_only_their_makers(void)
{
	CHECK_EQ(mkdir(DIRECTORY, 0700), 0);
	CHECK_EQ(chown(DIRECTORY, USER, USER), 0);
	CHECK_EQ(system("true"), 0);
	unsigned processes = process_count();
	long before = memory_kb("MemFree:");

	watch();
	end_all_of_user();
	printf("%lu calls by %lu workers\n", total_calls, total_workers);
	remove_files();
	CHECK_EQ(system("seq 1 1000 | sort -n | tail -1 | grep -q 1000"), 0);
	for (int i = 0; i < 100 && process_count() > processes; i++) {
		end_all_of_user(); /* orphans are process 1's to wait for */
	}
	/* Fewer, if an earlier program's orphans were still there at first. */
	CHECK(process_count() <= processes);
	long after = memory_kb("MemFree:");

	printf("free: %ld kB before, %ld kB after\n", before, after);
	CHECK(after > before - KEPT_BACK_KB);
	CHECK(total_calls > 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seconds = (unsigned)atoi(argv[2]);
	printf("seed %lu\n", (unsigned long)seed);
	progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	RUN(random_calls_hurt_only_their_makers);
	return test_result();
}
