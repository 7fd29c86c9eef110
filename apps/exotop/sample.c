/* SPDX-License-Identifier: MIT */
/* Reading /proc: see sample.h. */
#include "sample.h"
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_MAX 64
#define LINE_SIZE 1024

/* Columns of /proc/exo/cpus, found by their heads: others may come between them. */
static const struct {
	const char *head;
	size_t offset; /* of a long in struct cpu_sample */
} columns[] = {
	{ "queued", offsetof(struct cpu_sample, queued) },
	{ "switches", offsetof(struct cpu_sample, switches) },
	{ "in", offsetof(struct cpu_sample, migrations) },
	{ "won", offsetof(struct cpu_sample, steals) },
	{ "donations", offsetof(struct cpu_sample, donations) },
	{ "ipis", offsetof(struct cpu_sample, ipis) },
	{ "idle-ms", offsetof(struct cpu_sample, idle_ms) },
	{ "task", offsetof(struct cpu_sample, task) },
};

#define WANTED (sizeof(columns) / sizeof(columns[0]))

/* Cuts a line into words. */
static int split(char *line, char *words[COLUMNS_MAX])
{
	int count = 0;
	char *rest;

	for (char *word = strtok_r(line, " \n", &rest); word && count < COLUMNS_MAX;
	     word = strtok_r(NULL, " \n", &rest))
		words[count++] = word;
	return count;
}

static int find(char *const heads[], int count, const char *head)
{
	for (int i = 0; i < count; i++)
		if (strcmp(heads[i], head) == 0)
			return i;
	return -1;
}

static void read_cpu(struct cpu_sample *cpu, char *const words[], int count, const int places[],
		     int name_place)
{
	memset(cpu, 0, sizeof(*cpu));
	for (size_t i = 0; i < WANTED; i++)
		if (places[i] >= 0 && places[i] < count)
			*(long *)((char *)cpu + columns[i].offset) = atol(words[places[i]]);
	if (name_place >= 0 && name_place < count)
		snprintf(cpu->name, sizeof(cpu->name), "%s", words[name_place]);
}

static bool read_cpus(struct sample *s)
{
	FILE *f = fopen("/proc/exo/cpus", "r");
	char head[LINE_SIZE], line[LINE_SIZE], *words[COLUMNS_MAX];
	int places[WANTED], name_place, count;

	if (!f)
		return false;
	s->cpus = 0;
	if (fgets(head, sizeof(head), f)) {
		count = split(head, words);
		for (size_t i = 0; i < WANTED; i++)
			places[i] = find(words, count, columns[i].head);
		name_place = find(words, count, "name");
		while (s->cpus < CPUS_MAX && fgets(line, sizeof(line), f)) {
			count = split(line, words);
			read_cpu(&s->cpu[s->cpus++], words, count, places, name_place);
		}
	}
	fclose(f);
	return s->cpus > 0;
}

/* The one in brackets. */
static void read_scheduler(struct sample *s)
{
	FILE *f = fopen("/proc/exo/sched", "r");
	char line[LINE_SIZE], *open;

	s->scheduler[0] = 0;
	if (!f)
		return;
	if (fgets(line, sizeof(line), f) && (open = strchr(line, '['))) {
		open[strcspn(open, "]")] = 0;
		snprintf(s->scheduler, sizeof(s->scheduler), "%s", open + 1);
	}
	fclose(f);
}

/* /proc/PID/stat as in proc(5).  False: it has ended meanwhile. */
static bool read_process(struct process_sample *p, const char *pid)
{
	char path[64], line[LINE_SIZE], *close;
	unsigned long user, system;
	FILE *f;
	bool whole;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	whole = fgets(line, sizeof(line), f) != NULL;
	fclose(f);
	/* A name may hold anything, also a parenthesis. */
	close = whole ? strrchr(line, ')') : NULL;
	if (!close || sscanf(line, "%d (%16[^\n]", &p->pid, p->name) != 2)
		return false;
	if (close - strchr(line, '(') - 1 < NAME_SIZE)
		p->name[close - strchr(line, '(') - 1] = 0;
	if (sscanf(close + 2,
		   "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %d", &p->state,
		   &user, &system, &p->threads) != 4 ||
	    sscanf(close + 2,
		   "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u"
		   " %*u %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d", &p->cpu) != 1)
		return false;
	p->seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	return true;
}

static int by_pid(const void *a, const void *b)
{
	return ((const struct process_sample *)a)->pid - ((const struct process_sample *)b)->pid;
}

static void read_processes(struct sample *s)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	s->processes = 0;
	while (proc && s->processes < PROCESSES_MAX && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    read_process(&s->process[s->processes], entry->d_name))
			s->processes++;
	if (proc)
		closedir(proc);
	qsort(s->process, (size_t)s->processes, sizeof(s->process[0]), by_pid);
}

bool sample_take(struct sample *s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	s->seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	if (!read_cpus(s))
		return false;
	read_scheduler(s);
	read_processes(s);
	return true;
}
