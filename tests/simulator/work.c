/* SPDX-License-Identifier: MIT */
/* Reading work: see work.h. */
#include "work.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "machine.h"

struct work work;

static const char *source;
static unsigned line;

static _Noreturn void __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", source, line);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static uint64_t read_number(const char *word, const char **rest)
{
	char *end;
	uint64_t n = strtoull(word, &end, 10);

	if (end == word)
		wrong("%s: not a number", word);
	*rest = end;
	return n;
}

/* 3, 3ns, 2us, 2.5ms, 10s */
static uint64_t read_time(const char *word, const char **rest)
{
	static const struct { const char *name; double ns; } units[] = {
		{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
	};
	char *end;
	double n = strtod(word, &end);

	if (end == word || n < 0)
		wrong("%s: not a time", word);
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t length = strlen(units[i].name);

		if (strncmp(end, units[i].name, length) == 0 && !isalpha((unsigned char)end[length])) {
			*rest = end + length;
			return (uint64_t)(n * units[i].ns + 0.5);
		}
	}
	wrong("%s: a time needs a unit: ns, us, ms or s", word);
}

static uint64_t whole_time(const char *word)
{
	const char *rest;
	uint64_t ns = read_time(word, &rest);

	if (*rest)
		wrong("%s: not a time", word);
	return ns;
}

static unsigned whole_number(const char *word)
{
	const char *rest;
	uint64_t n = read_number(word, &rest);

	if (*rest || n > 1000000)
		wrong("%s: not a number", word);
	return (unsigned)n;
}

/* ---- names */

static void copy_name(char *to, const char *from)
{
	if (strlen(from) > 15)
		wrong("%s: a name has at most 15 characters", from);
	strcpy(to, from);
}

static unsigned semaphore(const char *name)
{
	for (unsigned i = 0; i < work.semaphores; i++)
		if (strcmp(work.semaphore[i], name) == 0)
			return i;
	if (work.semaphores == SEMAPHORES_MAX)
		wrong("more than %d semaphores", SEMAPHORES_MAX);
	copy_name(work.semaphore[work.semaphores], name);
	return work.semaphores++;
}

static unsigned program(const char *name)
{
	for (unsigned i = 0; i < work.programs; i++)
		if (strcmp(work.program[i].name, name) == 0)
			return i;
	wrong("%s: there is no such work above, or here", name);
}

/* ---- steps */

static void read_span(struct step *s, const char *word)
{
	const char *rest;

	s->from_ns = s->to_ns = read_time(word, &rest);
	if (strncmp(rest, "..", 2) == 0)
		s->to_ns = whole_time(rest + 2);
	else if (*rest)
		wrong("%s: not a time", word);
	if (s->to_ns < s->from_ns)
		wrong("%s: ends before it begins", word);
}

static const char *word_of(char **at)
{
	char *word;

	do
		word = strsep(at, " \t");
	while (word && !*word);
	return word;
}

static const char *needed_word(char **at, const char *what)
{
	const char *word = word_of(at);

	if (!word)
		wrong("%s: something is missing behind it", what);
	return word;
}

static struct step *new_step(struct program *p)
{
	if (p->steps == p->room) {
		p->room = p->room ? 2 * p->room : 8;
		p->step = realloc(p->step, p->room * sizeof(*p->step));
	}
	return &p->step[p->steps++];
}

static void read_step(struct program *p, char *text)
{
	static const char *const names[] = { "run", "sleep", "next", "yield", "post", "hand", "wait",
					     "spawn", "start", "join", "repeat" };
	const char *name = word_of(&text), *word;
	struct step *s;
	unsigned kind = 0;

	if (!name)
		return;
	while (kind < sizeof(names) / sizeof(names[0]) && strcmp(names[kind], name) != 0)
		kind++;
	if (kind == sizeof(names) / sizeof(names[0]))
		wrong("%s: not a step", name);
	s = new_step(p);
	*s = (struct step){ .kind = (enum step_kind)kind, .below = ~0u };
	if (kind <= NEXT) {
		read_span(s, needed_word(&text, name));
	} else if (kind == POST || kind == HAND || kind == WAIT) {
		s->number = semaphore(needed_word(&text, name));
	} else if (kind == START) {
		s->number = program(needed_word(&text, name));
	} else if (kind == SPAWN) {
		s->number = program(needed_word(&text, name));
		word = word_of(&text);
		if (word && strcmp(word, "below") == 0)
			s->below = whole_number(needed_word(&text, "below"));
		else if (word)
			wrong("%s: only `below N` may stand here", word);
	} else if (kind == REPEAT) {
		word = word_of(&text);
		s->number = word ? whole_number(word) : ROUNDS_ENDLESS;
	}
	word = word_of(&text);
	if (word)
		wrong("%s: one word too many", word);
}

static void read_steps(struct program *p, char *steps)
{
	while (steps)
		read_step(p, strsep(&steps, ";"));
}

/* ---- attributes */

static uint64_t read_cpus(const char *word)
{
	uint64_t mask = 0;

	while (*word) {
		uint64_t from = read_number(word, &word), to = from;

		if (*word == '-')
			to = read_number(word + 1, &word);
		if (from > to || to > 63)
			wrong("CPUs that are named lie between 0 and 63");
		for (; from <= to; from++)
			mask |= 1ul << from;
		if (*word == ',')
			word++;
	}
	return mask;
}

static int read_policy(const char *word)
{
	static const char *const names[] = { "other", "fifo", "rr", "batch", "", "idle", "deadline" };

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(names[i], word) == 0)
			return i;
	wrong("%s: not a policy", word);
}

static void read_attribute(struct program *p, char *word)
{
	char *value = word;

	strsep(&value, "=");
	if (!value)
		wrong("%s: not of the form name=value", word);
	if (strcmp(word, "at") == 0)
		p->at_ns = whole_time(value);
	else if (strcmp(word, "every") == 0)
		p->every_ns = whole_time(value);
	else if (strcmp(word, "nice") == 0)
		p->nice = atoi(value);
	else if (strcmp(word, "policy") == 0)
		p->policy = read_policy(value);
	else if (strcmp(word, "priority") == 0)
		p->priority = (int)whole_number(value);
	else if (strcmp(word, "runtime") == 0)
		p->runtime_ns = whole_time(value);
	else if (strcmp(word, "deadline") == 0)
		p->deadline_ns = whole_time(value);
	else if (strcmp(word, "period") == 0)
		p->period_ns = whole_time(value);
	else if (strcmp(word, "process") == 0)
		p->process = (unsigned)whole_number(value);
	else if (strcmp(word, "cpus") == 0)
		p->affinity = read_cpus(value);
	else
		wrong("%s: not an attribute", word);
}

/* task NAME[*COPIES] [attribute=value...]: step; step... */
static void read_program(char *head, char *steps, bool is_task)
{
	const char *name = needed_word(&head, is_task ? "task" : "work");
	char copy[64], *copies = copy, *word;
	struct program *p = &work.program[work.programs];

	if (!steps)
		wrong("%s: a colon and what it does are missing", name);
	if (work.programs++ == PROGRAMS_MAX)
		wrong("more than %d programs", PROGRAMS_MAX);
	snprintf(copy, sizeof(copy), "%s", name);
	strsep(&copies, "*");
	*p = (struct program){ .is_task = is_task, .copies = copies ? whole_number(copies) : 1,
			       .affinity = ~0ul };
	copy_name(p->name, copy);
	while ((word = (char *)word_of(&head)))
		read_attribute(p, word);
	if (p->period_ns == 0)
		p->period_ns = p->deadline_ns;
	read_steps(p, steps);
}

/* then: step; step...   The program above goes on. */
static void read_more(char *steps)
{
	if (!work.programs)
		wrong("then: there is nothing above that could go on");
	read_steps(&work.program[work.programs - 1], steps);
}

static void read_expectation(const char *word)
{
	if (strcmp(word, "priorities") == 0)
		work.expect_priorities = true;
	else if (strcmp(word, "patience") == 0)
		work.expect_patience = true;
	else
		wrong("%s: not known; there are: patience priorities", word);
}

static void read_line(char *text)
{
	char *steps = text;
	const char *name;

	text[strcspn(text, "#")] = 0;
	strsep(&steps, ":");
	name = word_of(&text);
	if (!name)
		return;
	if (strcmp(name, "task") == 0 || strcmp(name, "work") == 0)
		read_program(text, steps, *name == 't');
	else if (strcmp(name, "then") == 0)
		read_more(steps);
	else if (strcmp(name, "cpus") == 0)
		work.cpus = (int)whole_number(needed_word(&text, name));
	else if (strcmp(name, "seed") == 0)
		work.seed = whole_number(needed_word(&text, name));
	else if (strcmp(name, "until") == 0)
		work.until_ns = whole_time(needed_word(&text, name));
	else if (strcmp(name, "column") == 0)
		work.column_ns = whole_time(needed_word(&text, name));
	else if (strcmp(name, "message") == 0)
		work.message_ns = whole_time(needed_word(&text, name));
	else if (strcmp(name, "switch") == 0)
		work.switch_ns = whole_time(needed_word(&text, name));
	else if (strcmp(name, "interrupt") == 0)
		work.interrupt_ns = whole_time(needed_word(&text, name));
	else if (strcmp(name, "expect") == 0)
		read_expectation(needed_word(&text, name));
	else
		wrong("%s: not known", name);
}

void work_read_text(const char *name, const char *text)
{
	char *copy = strdup(text), *rest = copy, *one;

	source = name;
	line = 0;
	for (unsigned i = 0; i < work.programs; i++)
		free(work.program[i].step);
	work = (struct work){ .cpus = 1, .until_ns = SCHED_MS(100), .column_ns = SCHED_MS(1), .seed = 1,
			      .message_ns = SCHED_US(2) };
	while ((one = strsep(&rest, "\n"))) {
		line++;
		read_line(one);
	}
	if (work.cpus < 1 || work.cpus > SIM_CPUS_MAX || work.column_ns == 0)
		wrong("1 to %d CPUs, and columns of some width", SIM_CPUS_MAX);
	free(copy);
}

void work_read(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!f || (getdelim(&text, &size, 0, f) < 0 && ferror(f))) {
		perror(path);
		exit(2);
	}
	work_read_text(path, text ? text : "");
	free(text);
	fclose(f);
}

void work_add_all(void)
{
	int cpu = 0;

	for (unsigned i = 0; i < work.programs; i++)
		for (unsigned n = 0; work.program[i].is_task && n < work.program[i].copies; n++)
			machine_add(&work.program[i],
				    work.program[i].at_ns + n * work.program[i].every_ns,
				    cpu++ % machine.cpus);
}
