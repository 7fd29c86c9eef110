/* SPDX-License-Identifier: MIT */
/* Two samples as text: see screen.h. */
#include "screen.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR 10
#define LINE_SIZE 256

static struct {
	int rows_left, columns;
	const char *end;
} page;

static void line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void line(const char *format, ...)
{
	char text[LINE_SIZE];
	va_list arguments;

	if (page.rows_left-- <= 0)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printf("%.*s%s", page.columns, text, page.end);
}

static double between(double low, double value, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* Percent of the time that it was not idle. */
static double load(const struct cpu_sample *before, const struct cpu_sample *after, double seconds)
{
	double idle = (double)(after->idle_ms - before->idle_ms) / 1000;

	return between(0, 100 * (1 - idle / seconds), 100);
}

static long rate(long before, long after, double seconds)
{
	return (long)((double)(after - before) / seconds + 0.5);
}

static void print_cpu(const struct sample *before, const struct sample *after, int cpu)
{
	const struct cpu_sample *b = &before->cpu[cpu], *a = &after->cpu[cpu];
	double seconds = after->seconds - before->seconds, busy = load(b, a, seconds);
	char bar[BAR + 1], task[LINE_SIZE] = "-";

	memset(bar, '.', BAR);
	memset(bar, '#', (size_t)(busy * BAR / 100 + 0.5));
	bar[BAR] = 0;
	if (a->task)
		snprintf(task, sizeof(task), "%s %ld", a->name, a->task);
	line("%3d %3.0f%% %s %6ld %8ld %7ld %7ld %7ld %7ld  %s", cpu, busy, bar, a->queued,
	     rate(b->switches, a->switches, seconds), rate(b->migrations, a->migrations, seconds),
	     rate(b->steals, a->steals, seconds), rate(b->donations, a->donations, seconds),
	     rate(b->ipis, a->ipis, seconds), task);
}

struct share {
	const struct process_sample *process;
	double percent;
};

static const struct process_sample *find(const struct sample *s, const struct process_sample *p)
{
	for (int i = 0; i < s->processes; i++)
		if (s->process[i].pid == p->pid)
			return &s->process[i];
	return NULL;
}

static int largest_first(const void *left, const void *right)
{
	const struct share *a = left, *b = right;

	if (a->percent != b->percent)
		return a->percent < b->percent ? 1 : -1;
	return a->process->pid - b->process->pid;
}

static void print_processes(const struct sample *before, const struct sample *after)
{
	static struct share shares[PROCESSES_MAX];
	double seconds = after->seconds - before->seconds;

	for (int i = 0; i < after->processes; i++) {
		const struct process_sample *p = &after->process[i], *old = find(before, p);
		double used = p->seconds - (old ? old->seconds : 0);

		shares[i] = (struct share){ p, between(0, 100 * used / seconds, 100.0 * after->cpus) };
	}
	qsort(shares, (size_t)after->processes, sizeof(shares[0]), largest_first);
	line("  PID  CPU%% CPU STATE THREADS NAME");
	for (int i = 0; i < after->processes; i++) {
		const struct process_sample *p = shares[i].process;

		line("%5d %5.1f %3d %-5c %7d %s", p->pid, shares[i].percent, p->cpu, p->state,
		     p->threads, p->name);
	}
}

void screen_print(const struct sample *before, const struct sample *after, int rows, int columns,
		  const char *end)
{
	double seconds = after->seconds - before->seconds, busy = 0;

	page.rows_left = rows > 0 ? rows : CPUS_MAX + PROCESSES_MAX + 8;
	page.columns = columns > 0 ? columns : LINE_SIZE;
	page.end = end;
	for (int cpu = 0; cpu < after->cpus; cpu++)
		busy += load(&before->cpu[cpu], &after->cpu[cpu], seconds);
	line("exotop: %d CPUs, %.0f%% busy, scheduler %s, %d processes; per second over %.1f s",
	     after->cpus, busy / after->cpus, after->scheduler, after->processes, seconds);
	line("CPU LOAD %*s QUEUED SWITCHES MOVED-IN STOLEN DONATED    IPIS  RUNS", BAR, "");
	for (int cpu = 0; cpu < after->cpus; cpu++)
		print_cpu(before, after, cpu);
	line("%s", "");
	print_processes(before, after);
}
