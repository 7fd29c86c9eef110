/* SPDX-License-Identifier: MIT */
/*
 * hold MIB PID...: once all of these processes wait, has so much memory, says "ready", and then goes on
 * reading and writing all of it.  So what they and their libos have is older: who takes the newest frames
 * takes its.
 * hold threads N: has so many threads at once, and ends with them.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define THREADS_MAX 512
#define LOOKS 50 /* at a process that waits: it may be for a lock, on its way to where it stays */

static pthread_barrier_t all_are_there;

static void *wait_for_all(void *unused)
{
	pthread_barrier_wait(&all_are_there);
	return unused;
}

static int threads(unsigned count)
{
	static pthread_t ids[THREADS_MAX];

	if (count > THREADS_MAX || pthread_barrier_init(&all_are_there, NULL, count))
		return 1;
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&ids[i], NULL, wait_for_all, NULL))
			return 1;
	for (unsigned i = 0; i < count; i++)
		pthread_join(ids[i], NULL);
	return 0;
}

/* The shell for its children, or what is to be a sleep and has executed it by now. */
static int waits(const char *pid)
{
	char path[64], program[32], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d (%31[^)]) %c", program, &state) != 2)
		state = 0;
	if (f)
		fclose(f);
	return state == 'S' &&
	       (strcmp(program, "sleep") == 0 || (pid_t)strtol(pid, NULL, 10) == getppid());
}

int main(int count, char **words)
{
	size_t size = (count > 1 ? strtoul(words[1], NULL, 10) : 1) << 20;
	volatile char *memory;

	if (count > 2 && strcmp(words[1], "threads") == 0)
		return threads((unsigned)strtoul(words[2], NULL, 10));
	for (int i = 2; i < count; i++)
		for (int seen = 0; seen < LOOKS; sched_yield())
			seen = waits(words[i]) ? seen + 1 : 0;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	for (size_t at = 0; at < size; at += PAGE)
		memory[at] = 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		for (size_t at = 0; at < size; at += PAGE)
			memory[at] += memory[at];
}
