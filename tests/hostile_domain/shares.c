/* SPDX-License-Identifier: MIT */
/*
 * What domains have of the CPUs, seen by the one that made them.
 *
 *	shares had MS    of so many milliseconds: a line for each domain, its number and what it consumed,
 *	                 in millionths of one CPU; computes meanwhile, so that nobody has time by chance
 *	shares at ID     what that one has consumed, and when that was, in microseconds
 *	shares spin      computes for ever, once on each CPU
 *	shares fork      likewise, with another process for each moment
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DOMAINS_MAX 32
#define GLANCE_US 2000

struct look {
	uint64_t at_us;
	unsigned count, ids[DOMAINS_MAX];
	uint64_t consumed_us[DOMAINS_MAX];
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void read_all(struct look *l)
{
	char line[512];
	FILE *f = fopen("/proc/exo/domains", "r");

	if (!f)
		exit(1);
	l->count = 0;
	while (l->count < DOMAINS_MAX && fgets(line, sizeof(line), f))
		l->count += sscanf(line, "%u %*s %*s %*u %*u %*u %lu", &l->ids[l->count],
				   &l->consumed_us[l->count]) == 2;
	fclose(f);
}

/* All at one time: again, if others ran meanwhile. */
static void look(struct look *l)
{
	do {
		l->at_us = now_us();
		read_all(l);
	} while (now_us() - l->at_us > GLANCE_US);
}

static void had(uint64_t ms)
{
	struct look first, last;

	look(&first);
	while (now_us() < first.at_us + ms * 1000)
		;
	look(&last);
	for (unsigned i = 0; i < first.count && i < last.count; i++)
		printf("%u %lu\n", first.ids[i], (last.consumed_us[i] - first.consumed_us[i]) * 1000000 /
		       (last.at_us - first.at_us));
}

static void at(unsigned id)
{
	struct look now;

	look(&now);
	for (unsigned i = 0; i < now.count; i++)
		if (now.ids[i] == id)
			printf("%lu %lu\n", now.consumed_us[i], now.at_us);
}

static void spin(void)
{
	for (;;)
		;
}

static void fork_for_ever(void)
{
	for (;;) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		if (child > 0)
			waitpid(child, NULL, 0);
	}
}

/* One process for each CPU, bound to it. */
static void on_each_cpu(void (*work)(void))
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all))
		exit(1);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || fork() != 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			exit(1);
		work();
	}
	while (wait(NULL) > 0)
		;
}

int main(int count, char **words)
{
	if (count == 3 && strcmp(words[1], "had") == 0)
		had(strtoul(words[2], NULL, 10));
	else if (count == 3 && strcmp(words[1], "at") == 0)
		at((unsigned)strtoul(words[2], NULL, 10));
	else if (count == 2 && strcmp(words[1], "spin") == 0)
		on_each_cpu(spin);
	else if (count == 2 && strcmp(words[1], "fork") == 0)
		on_each_cpu(fork_for_ever);
	else
		return 2;
	return 0;
}
