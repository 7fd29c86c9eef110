/* SPDX-License-Identifier: MIT */
/*
 * Two domains with different schedulers side by side, each on a CPU of its own, with the same work:
 * three tasks that never sleep, at nice 0, 5 and 10.
 *
 *	domains-demo [FILE]          makes the two, prints what each task got, and puts the records of
 *	                             both into FILE, for scripts/trace: a lane for each domain.  Wants
 *	                             CPUs 0 and 1
 *	domains-demo load CHANNEL    in a domain: runs the tasks, traced, and sends what came of it
 *	domains-demo tasks           the three tasks
 */
#include <errno.h>
#include <libos/channel.h>
#include <libos/trace.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "program.h"

#define RUN_MS 300
#define SPINS 100000 /* between two looks at the clock */
#define RECORDS "/tmp/records"
#define TASK_STEP 10000u /* between the ids of one domain's tasks and those of the next's */
#define DOMAINS 2

static const char *const schedulers[DOMAINS] = { "rr", "stride" };
static unsigned ids[DOMAINS]; /* 0: it has not been made, or has ended */

static double ms_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---------------------------------------------------------------- in the domains */

static int tasks(void)
{
	double end = ms_of(CLOCK_MONOTONIC) + RUN_MS;

	for (int n = 0; n <= 10; n += 5) {
		pid_t child = fork();

		if (child < 0)
			return 1;
		if (child > 0)
			continue;
		if (nice(n) < 0)
			return 1;
		while (ms_of(CLOCK_MONOTONIC) < end)
			for (volatile int i = 0; i < SPINS; i++)
				;
		dprintf(STDOUT_FILENO, "nice %d: %.0f ms\n", n, ms_of(CLOCK_PROCESS_CPUTIME_ID));
		return 0;
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

/* Lines, an empty one, and then the records until the end. */
static int load(const char *name)
{
	int channel = channel_open(name, 0);

	if (channel < 0 || dup2(channel, STDOUT_FILENO) < 0)
		return 1;
	if (system("exotrace -s 256 -o " RECORDS " domains-demo tasks") != 0)
		return 1;
	return system("echo; cat " RECORDS);
}

/* ---------------------------------------------------------------- their maker */

/* What has been made ends with us. */
static _Noreturn void give_up(void)
{
	char line[128];

	for (unsigned i = 0; i < DOMAINS; i++) {
		snprintf(line, sizeof(line), "domainctl kill %u; domainctl wait %u 2>/dev/null",
			 ids[i], ids[i]);
		if (ids[i] && system(line) < 0)
			perror("domains-demo: domainctl");
	}
	exit(1);
}

static void create(unsigned number, const char *scheduler)
{
	char line[256];
	FILE *out;

	snprintf(line, sizeof(line), "domainctl create --detach --mem 16M --cpus %u --budget 90/100ms "
		 "--sched %s --channel %s -- domains-demo load %s", number, scheduler, scheduler, scheduler);
	out = popen(line, "r");
	if (!out || fscanf(out, "%u", &ids[number]) != 1 || pclose(out) != 0)
		give_up();
}

/* Its number is somebody else's afterwards. */
static bool ended_well(unsigned number)
{
	char line[64];

	snprintf(line, sizeof(line), "domainctl wait %u", ids[number]);
	ids[number] = 0;
	return system(line) == 0;
}

/* Its tasks get numbers of their own, and what it calls its CPU is the lane of that number. */
static void renumber(struct trace_record *r, unsigned domain)
{
	r->task += r->task ? domain * TASK_STEP : 0;
	switch (r->kind) {
	case TRACE_NAME:
		r->value += r->detail == 0 && r->value ? domain * TASK_STEP : 0;
		break;
	case TRACE_WAKE:
		r->value += r->value ? domain * TASK_STEP : 0;
		break;
	case TRACE_DONATE:
		r->number = (uint16_t)(r->number + domain * TASK_STEP);
		break;
	}
}

static bool put(FILE *records, const struct trace_record *r)
{
	return !records || fwrite(r, sizeof(*r), 1, records) == 1;
}

/* Each domain has one CPU.  What ran when the last record was made is known to have run until then: without
 * an end it would be shown for as long as the other domain's records go on. */
static int collect(unsigned domain, const char *scheduler, FILE *records)
{
	int channel = channel_open(scheduler, 0);
	FILE *in = channel < 0 ? NULL : fdopen(channel, "r");
	struct trace_record r = { 0 };
	uint32_t running = 0;
	char line[128];

	if (!in)
		return 1;
	while (fgets(line, sizeof(line), in) && line[0] != '\n')
		printf("%s %s", scheduler, line);
	while (fread(&r, sizeof(r), 1, in) == 1) {
		renumber(&r, domain);
		if (!put(records, &r))
			return 1;
		if (r.kind == TRACE_RUN || r.kind == TRACE_STOP)
			running = r.kind == TRACE_RUN ? r.task : 0;
	}
	r.kind = TRACE_STOP;
	r.detail = TRACE_STOP_ENDED;
	r.task = running;
	r.number = 0;
	r.value = 0;
	if (running && !put(records, &r))
		return 1;
	return fclose(in);
}

int main(int count, char **words)
{
	FILE *records = NULL;
	int r = 0;

	if (count == 3 && strcmp(words[1], "load") == 0)
		return load(words[2]);
	if (count == 2 && strcmp(words[1], "tasks") == 0)
		return tasks();
	if (count > 2) {
		fputs("usage: domains-demo [FILE]\n", stderr);
		return 2;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < DOMAINS) {
		fputs("domains-demo: this needs two CPUs: exo-run --cpus 2\n", stderr);
		return 1;
	}
	if (count == 2 && !(records = fopen(words[1], "w"))) {
		fprintf(stderr, "domains-demo: %s: %s\n", words[1], strerror(errno));
		return 1;
	}
	for (unsigned i = 0; i < DOMAINS; i++)
		create(i, schedulers[i]);
	for (unsigned i = 0; i < DOMAINS; i++) {
		if (collect(i, schedulers[i], records) != 0) {
			fprintf(stderr, "domains-demo: %s: %s\n", schedulers[i], strerror(errno));
			give_up();
		}
	}
	for (unsigned i = 0; i < DOMAINS; i++)
		r |= !ended_well(i);
	if (records && fclose(records) != 0) {
		fprintf(stderr, "domains-demo: %s: %s\n", words[1], strerror(errno));
		r = 1;
	}
	return r || !program_has_printed("domains-demo");
}
