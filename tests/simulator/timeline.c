/* SPDX-License-Identifier: MIT */
/*
 * What was seen, as text: a lane for each CPU, a letter for the task that had most of a column, and
 * a line of numbers for each task.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "machine.h"

#define LANES_MAX 16  /* of more CPUs the first ones are drawn, and all are counted */
#define COLUMNS_MAX 240
#define TASKS_MAX 40  /* of more tasks the first ones are listed */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

struct cell {
	int letter;      /* who has most of it */
	uint64_t most_ns;
	/* The one that has it now, whose time is not all counted yet. */
	int last_letter;
	uint64_t last_ns;
};

static struct cell lanes[LANES_MAX][COLUMNS_MAX];
static uint64_t column_ns;
static unsigned columns;

/* Tasks that have ended, by letter; those that have not are added at the end. */
static struct seen {
	char name[16];
	struct sim_record record;
	bool there;
} seen[TASKS_MAX];
static struct sim_record all;

void timeline_start(uint64_t column, uint64_t until_ns)
{
	column_ns = column;
	columns = (unsigned)((until_ns + column - 1) / column);
	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	for (int lane = 0; lane < LANES_MAX; lane++)
		for (unsigned i = 0; i < COLUMNS_MAX; i++)
			lanes[lane][i].letter = lanes[lane][i].last_letter = -1;
}

static void add(struct cell *c, int letter, uint64_t ns)
{
	if (c->last_letter != letter)
		c->last_ns = 0;
	c->last_letter = letter;
	c->last_ns += ns;
	if (c->last_ns > c->most_ns) {
		c->most_ns = c->last_ns;
		c->letter = letter;
	}
}

void timeline_ran(int cpu, const struct sim_task *t, uint64_t from_ns, uint64_t to_ns)
{
	if (cpu >= LANES_MAX || !column_ns)
		return;
	while (from_ns < to_ns && from_ns / column_ns < columns) {
		uint64_t column = from_ns / column_ns, end = (column + 1) * column_ns;

		if (end > to_ns)
			end = to_ns;
		add(&lanes[cpu][column], t->letter, end - from_ns);
		from_ns = end;
	}
}

void timeline_task_ended(const struct sim_task *t)
{
	const struct sim_record *r = &t->record;

	all.ran_ns += r->ran_ns;
	all.waited_ns += r->waited_ns;
	all.runs += r->runs;
	all.moves += r->moves;
	all.late += r->late;
	all.jobs += r->jobs;
	if (r->longest_wait_ns > all.longest_wait_ns)
		all.longest_wait_ns = r->longest_wait_ns;
	if (t->letter >= TASKS_MAX)
		return;
	memcpy(seen[t->letter].name, t->t.name, sizeof(t->t.name));
	seen[t->letter].record = *r;
	seen[t->letter].there = true;
}

static char letter_of(int letter)
{
	if (letter < 0)
		return '.';
	return letter < (int)sizeof(letters) - 1 ? letters[letter] : '#';
}

static void print_lanes(void)
{
	for (int cpu = 0; cpu < machine.cpus && cpu < LANES_MAX; cpu++) {
		printf("CPU %-2d ", cpu);
		for (unsigned i = 0; i < columns; i++)
			putchar(letter_of(lanes[cpu][i].letter));
		putchar('\n');
	}
	if (machine.cpus > LANES_MAX)
		printf("... and %d more CPUs\n", machine.cpus - LANES_MAX);
}

static void print_record(const char *letter, const char *name, const struct sim_record *r)
{
	printf("%s %-15s %10.3f %10.3f %10.3f %7u %6u", letter, name, (double)r->ran_ns / 1e6,
	       (double)r->waited_ns / 1e6, (double)r->longest_wait_ns / 1e6, r->runs, r->moves);
	if (r->jobs)
		printf(" %6u of %u", r->late, r->jobs);
	putchar('\n');
}

static void print_tasks(void)
{
	printf("\n  task                 ran ms     waited    longest    runs  moved   late jobs\n");
	for (int i = 0; i < TASKS_MAX; i++) {
		char letter[2] = { letter_of(i), 0 };

		if (seen[i].there)
			print_record(letter, seen[i].name, &seen[i].record);
	}
	if (machine.created > TASKS_MAX)
		printf("... and %u more tasks\n", machine.created - TASKS_MAX);
	print_record(" ", "all", &all);
}

static void print_cpus(void)
{
	uint64_t idle_ns = 0, switches = 0, messages = 0, steals = 0;

	for (int cpu = 0; cpu < machine.cpus; cpu++) {
		idle_ns += machine.cpu[cpu].idle_ns;
		switches += machine.cpu[cpu].switches;
		messages += machine.cpu[cpu].messages;
		steals += machine.cpu[cpu].steals;
	}
	printf("\n%.3f ms, %.2f%% idle; switches %lu, messages %lu, steals %lu; %u tasks, %u not ended\n",
	       (double)machine.now_ns / 1e6,
	       machine.now_ns ? 100.0 * (double)idle_ns / (double)machine.now_ns / machine.cpus : 0,
	       switches, messages, steals, machine.created, machine.live);
}

void timeline_print(void)
{
	printf("%s, %d CPU%s, a column is %g ms\n\n", machine.ops->name, machine.cpus,
	       machine.cpus > 1 ? "s" : "", (double)column_ns / 1e6);
	print_lanes();
	for (struct sim_task *t = sim_first(); t; t = sim_next(t))
		timeline_task_ended(t);
	print_tasks();
	print_cpus();
}
