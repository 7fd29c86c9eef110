/* SPDX-License-Identifier: MIT */
/* See options.h.  What is no value of an option is refused with what it could have been. */
#include "options.h"
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../program.h"

/* As the libos has them (libos/domain/device.c, link.h). */
#define WORDS_MAX 3072
#define LINKS_MAX 512
#define NAME_MAX_LENGTH 23
#define MEMORY_LEAST (4ul << 20)
#define MEMORY_MOST (1ul << 40)
#define PATIENCE_MOST_MS 60000
/* As the kernel has them (exo/sched_context.h). */
#define PERIOD_LEAST_US 1000ul
#define PERIOD_MOST_US 10000000ul
#define BUDGET_LEAST_US 100ul

#define COMMAND_LINE_MAX 1024
#define LAST_CPU 63
#define LAST_LINE 23

void refuse(const char *what, const char *why)
{
	fprintf(stderr, "domainctl: %s: %s\n", what, why);
	exit(EXIT_FAILED);
}

static _Noreturn void refuse_value(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "domainctl: %s %s: %s\n", option, value, wanted);
	exit(EXIT_FAILED);
}

/* ---------------------------------------------------------------- values */

/* Digits at *at, which moves behind them. */
static bool take_number(const char **at, unsigned long most, unsigned long *number)
{
	const char *start = *at;

	for (*number = 0; **at >= '0' && **at <= '9'; ++*at) {
		*number = *number * 10 + (unsigned long)(**at - '0');
		if (*number > most)
			return false;
	}
	return *at != start;
}

/* "0,2-3": a bit for each number. */
static bool parse_set(const char *text, unsigned long most, uint64_t *set)
{
	unsigned long first, last;

	*set = 0;
	do {
		if (!take_number(&text, most, &first))
			return false;
		last = first;
		if (*text == '-' && (text++, !take_number(&text, most, &last) || last < first))
			return false;
		for (unsigned long n = first; n <= last; n++)
			*set |= 1ul << n;
	} while (*text == ',' && *++text);
	return !*text && text[-1] != ',';
}

static uint64_t parse_cpus(const char *option, const char *value)
{
	uint64_t cpus;

	if (!parse_set(value, LAST_CPU, &cpus))
		refuse_value(option, value, "numbers of CPUs, such as 0,2-3");
	return cpus;
}

/* "8,12" or "none" */
static uint32_t parse_lines(const char *option, const char *value)
{
	uint64_t lines = 0;

	if (strcmp(value, "none") != 0 && !parse_set(value, LAST_LINE, &lines))
		refuse_value(option, value, "interrupt lines from 0 to 23, such as 8,12, or none");
	return (uint32_t)lines;
}

static uint64_t parse_size(const char *option, const char *value)
{
	const char *at = value;
	unsigned long size;
	unsigned shift = 0;

	if (!take_number(&at, MEMORY_MOST, &size))
		size = 0;
	else if (*at == 'K' || *at == 'M' || *at == 'G')
		shift = *at == 'K' ? 10 : *at == 'M' ? 20 : 30, at++;
	if (*at || size > MEMORY_MOST >> shift || size << shift < MEMORY_LEAST)
		refuse_value(option, value, "a size from 4M to 1024G, such as 32M");
	return size << shift;
}

/* "30/100ms": the unit, ms if there is none, is that of both. */
static void parse_budget(const char *option, const char *value, uint64_t *budget_ns,
			 uint64_t *period_ns)
{
	unsigned long budget, period, unit_us = 1000;
	const char *at = value;
	bool fits = take_number(&at, PERIOD_MOST_US, &budget) && *at++ == '/' &&
		    take_number(&at, PERIOD_MOST_US, &period);

	if (fits && strcmp(at, "us") == 0)
		unit_us = 1;
	else
		fits = fits && (!*at || strcmp(at, "ms") == 0);
	if (!fits || period * unit_us < PERIOD_LEAST_US || period * unit_us > PERIOD_MOST_US ||
	    budget * unit_us < BUDGET_LEAST_US || budget > period)
		refuse_value(option, value,
			     "a budget and a period, such as 30/100ms or 500/2000us: 100us at "
			     "least in every 1ms to 10s");
	*budget_ns = budget * unit_us * 1000;
	*period_ns = period * unit_us * 1000;
}

static uint32_t parse_patience(const char *option, const char *value)
{
	unsigned long ms;

	if (!program_number(value, 0, PATIENCE_MOST_MS, &ms))
		refuse_value(option, value, "a number of milliseconds, up to 60000");
	return (uint32_t)ms;
}

unsigned parse_domain(const char *word)
{
	unsigned long number;

	if (!program_number(word, 1, UINT_MAX, &number))
		refuse(word, "this is no number of a domain: see domainctl list");
	return (unsigned)number;
}

static void add_words(struct domain_create *c, const char *option, const char *key,
		      const char *words)
{
	static char line[COMMAND_LINE_MAX];
	size_t used = strlen(line);

	c->command_line = (uint64_t)line;
	if ((size_t)snprintf(line + used, sizeof(line) - used, "%s%s%s", used ? " " : "", key,
			     words) >= sizeof(line) - used)
		refuse(option, "the words for its libos are too long");
}

/* What it is to share: a list of strings, each ended by a NUL. */
static void add_link(struct domain_create *c, const char *option, const char *name)
{
	static char links[LINKS_MAX];
	size_t left = sizeof(links) - c->links_size;
	int n = snprintf(links + c->links_size, left, "%s %s", option + 2, name);

	if (!*name || strlen(name) > NAME_MAX_LENGTH || strchr(name, '/') ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		refuse_value(option, name, "a name of at most 23 characters, without /");
	if ((size_t)n >= left)
		refuse(option, "there are too many channels and servers");
	c->links = (uint64_t)links;
	c->links_size += (uint64_t)n + 1;
}

/* ---------------------------------------------------------------- options */

static bool is(const char *option, const char *name)
{
	return strcmp(option + 2, name) == 0;
}

static _Noreturn void no_option(const char *option)
{
	refuse(option, "there is no such option: see domainctl --help");
}

static bool takes_no_value(const char *option, struct domain_create *c, bool *detach)
{
	if (is(option, "detach"))
		*detach = true;
	else if (is(option, "passive"))
		c->flags |= DOMAIN_PASSIVE;
	else
		return false;
	return true;
}

static void take_option(const char *option, const char *value, struct domain_create *c)
{
	static const char *const known[] = {
		"cpus",   "mem",        "budget",   "irq",    "sched",
		"append", KIND_CHANNEL, KIND_SERVE, KIND_USE, "image"
	};
	size_t i = 0;

	while (i < sizeof(known) / sizeof(known[0]) && !is(option, known[i]))
		i++;
	if (i == sizeof(known) / sizeof(known[0]))
		no_option(option);
	if (!value)
		refuse(option, "its value is missing");
	if (is(option, "cpus"))
		c->cpus = parse_cpus(option, value);
	else if (is(option, "mem"))
		c->memory = parse_size(option, value);
	else if (is(option, "budget"))
		parse_budget(option, value, &c->budget_ns, &c->period_ns);
	else if (is(option, "irq"))
		c->lines = parse_lines(option, value);
	else if (is(option, "sched"))
		add_words(c, option, "sched=", value);
	else if (is(option, "append"))
		add_words(c, option, "", value);
	else if (is(option, "image"))
		c->image = (uint64_t)value;
	else
		add_link(c, option, value);
}

static void take_program(char **words, struct domain_create *c)
{
	static char text[WORDS_MAX];

	if (!*words)
		refuse("create", "no program is named: see domainctl --help");
	for (; *words; words++) {
		size_t n = strlen(*words) + 1;

		if (c->words_size + n > sizeof(text))
			refuse("create", "the program's arguments are longer than 3072 bytes");
		memcpy(text + c->words_size, *words, n);
		c->words_size += n;
	}
	c->words = (uint64_t)text;
}

void parse_create(char **words, struct domain_create *c, bool *detach)
{
	const char *at = NULL, *end;
	bool serves = false;

	for (; *words && **words == '-'; words++) {
		const char *option = *words;

		if (strcmp(option, "--") == 0) {
			words++;
			break;
		}
		if (strncmp(option, "--", 2) != 0)
			no_option(option);
		if (!takes_no_value(option, c, detach))
			take_option(option, words[1], c), words++;
	}
	at = (const char *)c->links;
	end = at + c->links_size;
	for (; at < end; at += strlen(at) + 1)
		serves = serves || strncmp(at, KIND_SERVE " ", sizeof(KIND_SERVE)) == 0;
	if ((c->flags & DOMAIN_PASSIVE) && !serves)
		refuse("--passive", "only with --serve");
	take_program(words, c);
}

void parse_resize(char **words, struct domain_resize *r)
{
	for (; *words; words += 2) {
		const char *option = words[0], *value = words[1];
		bool known = strncmp(option, "--", 2) == 0 &&
			     (is(option, "mem") || is(option, "cpus") || is(option, "budget") ||
			      is(option, "irq") || is(option, "patience"));

		if (!known)
			no_option(option);
		if (!value)
			refuse(option, "its value is missing");
		if (is(option, "mem"))
			r->memory = parse_size(option, value);
		else if (is(option, "cpus"))
			r->cpus = parse_cpus(option, value);
		else if (is(option, "budget"))
			parse_budget(option, value, &r->budget_ns, &r->period_ns);
		else if (is(option, "patience"))
			r->patience_ms = parse_patience(option, value);
		else {
			r->lines = parse_lines(option, value);
			r->flags |= DOMAIN_RESIZE_LINES;
		}
	}
}
