/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL at any moment: pipelines under load lose their members in any order; and every process,
 * descriptor and page is there again afterwards.  The seed may be given as argument.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define ROUNDS 50
#define MEMBERS 4 /* 200 kills */
#define KEPT_BACK_KB 8192 /* what caches may keep of the memory */

static unsigned seed = 20261122;

static long memory_free_kb(void)
{
	char text[2048], *line;
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	CHECK(n > 0);
	text[n] = 0;
	line = strstr(text, "MemFree:");
	CHECK(line != NULL);
	return atol(line + strlen("MemFree:"));
}

static unsigned numbers_in(const char *directory)
{
	DIR *d = opendir(directory);
	unsigned count = 0;
	struct dirent *entry;

	CHECK(d != NULL);
	while ((entry = readdir(d)))
		count += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	closedir(d);
	return count;
}

/* Takes memory, starts and loses children of its own, and passes on what it reads, for ever. */
static _Noreturn void member(int in, int out)
{
	static char block[16384];

	for (unsigned i = 0;; i++) {
		if (in >= 0 && read(in, block, sizeof(block)) <= 0)
			in = -1;
		signal(SIGPIPE, SIG_IGN);
		if (write(out, block, sizeof(block)) < 0)
			out = open("/dev/null", O_WRONLY);
		if (i % 4 == 0) {
			char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			pid_t child = fork();

			memset(p, (int)i, 65536);
			if (child == 0)
				_exit(p[100]);
			if (child > 0)
				waitpid(child, NULL, 0);
			munmap(p, 65536);
		}
	}
}

static void one_round(void)
{
	pid_t pids[MEMBERS];
	int pipes[MEMBERS][2];

	for (int i = 0; i < MEMBERS; i++)
		CHECK_EQ(pipe(pipes[i]), 0);
	for (int i = 0; i < MEMBERS; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] != 0)
			continue;
		int in = i ? dup(pipes[i - 1][0]) : -1, out = dup(pipes[i][1]);

		for (int j = 0; j < MEMBERS; j++) {
			close(pipes[j][0]);
			close(pipes[j][1]);
		}
		member(in, out);
	}
	for (int i = 0; i < MEMBERS; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	for (int left = MEMBERS; left > 0; left--) {
		int victim = rand_r(&seed) % MEMBERS, status;

		while (pids[victim] == 0)
			victim = (victim + 1) % MEMBERS;
		usleep(rand_r(&seed) % 3000);
		CHECK_EQ(kill(pids[victim], SIGKILL), 0);
		if (rand_r(&seed) % 2)
			usleep(rand_r(&seed) % 500);
		CHECK_EQ(waitpid(pids[victim], &status, 0), pids[victim]);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		pids[victim] = 0;
	}
}

static void killed_pipelines_leave_nothing_behind(void)
{
	one_round(); /* caches are filled before the first look */
	unsigned processes = numbers_in("/proc"), descriptors = numbers_in("/proc/self/fd");
	long before = memory_free_kb();

	for (int i = 0; i < ROUNDS; i++)
		one_round();
	for (int i = 0; i < 1000 && numbers_in("/proc") > processes; i++)
		usleep(10000); /* orphans are process 1's to wait for */
	/* Fewer, if an earlier program's orphans were still there at first. */
	CHECK(numbers_in("/proc") <= processes);
	CHECK_EQ(numbers_in("/proc/self/fd"), descriptors);
	long after = memory_free_kb();

	printf("free: %ld kB before, %ld kB after\n", before, after);
	CHECK(after > before - KEPT_BACK_KB);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seed = (unsigned)strtoul(argv[1], NULL, 0);
	printf("seed %u\n", seed);
	RUN(killed_pipelines_leave_nothing_behind);
	return test_result();
}
