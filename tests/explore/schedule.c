/* SPDX-License-Identifier: MIT */
/*
 * What the threads have done in this schedule, to be printed if it fails: each access with the name of
 * what it is to, and the line of the source that made it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine.h"

#define EVENTS_MAX 4096
#define NAMES_MAX 64
#define RECENT 1024     /* a power of two */
#define PLACES_MAX 1024 /* different ones in a schedule; of others nothing is said */
#define PLACE_COLUMN 64

struct event {
	unsigned thread;
	const char *what;
	const volatile void *address;
	uint64_t value;
	bool known; /* the value is */
	const void *place;
};

static struct event events[EVENTS_MAX];
static unsigned event_count;
static struct {
	const volatile char *address;
	size_t size;
	const char *name;
} names[NAMES_MAX];
static unsigned name_count;
static struct {
	const volatile void *address;
	uint64_t of; /* names_version then: else this says nothing */
	bool named;
} recent[RECENT]; /* what engine_has_name() said */
static uint64_t names_version = 1;
static struct {
	const void *place;
	char line[160]; /* "wake.c:120 wake_later()" */
} places[PLACES_MAX];
static unsigned place_count;

void schedule_begin(void)
{
	event_count = name_count = 0;
	names_version++;
}

void schedule_note(unsigned thread, const char *what, const volatile void *address,
		   const uint64_t *value, const void *place)
{
	if (event_count < EVENTS_MAX)
		events[event_count++] = (struct event){
			thread, what, address, value ? *value : 0, value != NULL, place,
		};
}

/* ---- names */

void explore_name(const volatile void *address, size_t size, const char *name)
{
	if (name_count < NAMES_MAX) {
		names[name_count].address = address;
		names[name_count].size = size;
		names[name_count++].name = name;
		names_version++;
	}
}

/* NULL: it has none. */
static const char *name_of(const volatile char *address, size_t *offset)
{
	for (unsigned i = 0; i < name_count; i++) {
		*offset = (size_t)(address - names[i].address);
		if (address >= names[i].address && *offset < names[i].size)
			return names[i].name;
	}
	return NULL;
}

bool engine_has_name(const volatile void *address)
{
	unsigned slot = (unsigned)((uint64_t)address * 0x9e3779b97f4a7c15ul >> 32) % RECENT;
	size_t offset;

	if (recent[slot].address != address || recent[slot].of != names_version) {
		recent[slot].address = address;
		recent[slot].of = names_version;
		recent[slot].named = name_of(address, &offset) != NULL;
	}
	return recent[slot].named;
}

/* ---- places in the source */

static unsigned place_index(const void *place)
{
	unsigned i = 0;

	while (i < place_count && places[i].place != place)
		i++;
	return i;
}

/* What is called at an address returns behind the call: the line is that of the byte before. */
static char *addr2line_command(void)
{
	char program[512] = "", *command = malloc(sizeof(program) + 32ul * PLACES_MAX);
	size_t used;

	if (!command || readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return command;
	used = (size_t)sprintf(command, "addr2line -f -s -e '%s'", program);
	for (unsigned i = 0; i < place_count; i++)
		used += (size_t)sprintf(command + used, " %p",
					(const void *)((const char *)places[i].place - 1));
	strcpy(command + used, " 2>/dev/null");
	return command;
}

/* addr2line has two lines for each address: the function, and the file with the number of the line. */
static void find_lines(void)
{
	char function[64], line[64], *command;
	FILE *out;

	place_count = 0;
	for (unsigned i = 0; i < event_count && place_count < PLACES_MAX; i++)
		if (events[i].place && place_index(events[i].place) == place_count)
			places[place_count++].place = events[i].place;
	command = addr2line_command();
	out = command ? popen(command, "r") : NULL;
	for (unsigned i = 0; i < place_count; i++) {
		places[i].line[0] = 0;
		if (out && fscanf(out, "%63s %63s%*[^\n]", function, line) == 2 && line[0] != '?')
			snprintf(places[i].line, sizeof(places[i].line), "%s %s()", line, function);
	}
	if (out)
		pclose(out);
	free(command);
}

/* ---- the whole */

static size_t describe(char *to, size_t size, const struct event *e)
{
	size_t used = (size_t)snprintf(to, size, "#   %*sthread %u: %s", (int)e->thread * 4, "",
				       e->thread, e->what);
	const char *name;
	size_t offset;

	if (!e->address)
		return used;
	name = name_of(e->address, &offset);
	if (!name)
		used += (size_t)snprintf(to + used, size - used, " %p", (const void *)e->address);
	else if (offset)
		used += (size_t)snprintf(to + used, size - used, " %s+%zu", name, offset);
	else
		used += (size_t)snprintf(to + used, size - used, " %s", name);
	if (e->known)
		used += (size_t)snprintf(to + used, size - used, " = 0x%lx", e->value);
	return used;
}

void schedule_print(void)
{
	char text[256];

	find_lines();
	for (unsigned i = 0; i < event_count; i++) {
		unsigned place = place_index(events[i].place);
		int used = (int)describe(text, sizeof(text), &events[i]);

		if (events[i].place && place < place_count && places[place].line[0])
			printf("%s%*s  %s\n", text, used < PLACE_COLUMN ? PLACE_COLUMN - used : 0,
			       "", places[place].line);
		else
			printf("%s\n", text);
	}
}
