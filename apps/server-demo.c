/* SPDX-License-Identifier: MIT */
/*
 * A server without any time of its own, called from two domains; and who paid.
 *
 *	server-demo         makes a domain that serves and two that call it, lets both call, and prints
 *	                    how much time each of the three has had meanwhile
 *	server-demo serve   in the first: sums up
 *	server-demo call N  in the others: waits for a line from its channel N, calls, and answers
 *
 * Both callers and the server are on one CPU.  Their maker only watches.
 */
#include <libos/channel.h>
#include <libos/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "program.h"

#define NAME "demo"
#define CALLS 200u
#define WORK 100000u /* steps of each call */

struct party {
	unsigned id, had_us;
	int channel; /* -1: the server */
};

/* ---------------------------------------------------------------- in the domains */

static void sum_up(uint64_t words[SERVER_WORDS], unsigned caller, void *argument)
{
	volatile uint64_t sum = 0;

	(void)caller, (void)argument;
	for (uint64_t i = 0; i < words[0]; i++)
		sum += i;
	words[0] = sum;
}

static int call(const char *channel_name)
{
	int channel = channel_open(channel_name, 0), server = server_open(NAME), r = 0;
	uint64_t words[SERVER_WORDS];
	char line[64];
	unsigned done;

	if (channel < 0 || server < 0 || read(channel, line, sizeof(line)) <= 0)
		return 1;
	for (done = 0; done < CALLS && r == 0; done++) {
		words[0] = WORK;
		r = server_call(server, words, 0);
	}
	dprintf(channel, "%u calls, the last said %lu\n", done, (unsigned long)words[0]);
	return read(channel, line, sizeof(line)) < 0; /* until the maker has looked */
}

/* ---------------------------------------------------------------- their maker */

static struct party parties[3]; /* id 0: not made */

static void end(const struct party *p)
{
	char line[64];

	if (p->channel > 0)
		close(p->channel);
	snprintf(line, sizeof(line), "domainctl kill %u; domainctl wait %u 2>/dev/null", p->id,
		 p->id);
	if (p->id && system(line) < 0)
		perror("server-demo: domainctl");
}

static void end_all(void)
{
	for (int i = 2; i >= 0; i--)
		end(&parties[i]);
}

/* What has been made ends with us. */
static _Noreturn void give_up(const char *why)
{
	fprintf(stderr, "server-demo: %s\n", why);
	end_all();
	exit(1);
}

static unsigned create(const char *options)
{
	char line[256];
	unsigned id = 0;
	FILE *out;

	snprintf(line, sizeof(line), "domainctl create --detach --mem 12M --budget 25/100ms %s", options);
	out = popen(line, "r");
	if (!out || fscanf(out, "%u", &id) != 1)
		give_up("a domain cannot be made");
	pclose(out);
	return id;
}

/* What domainctl lists of it: is it passive, and how long it has run. */
static unsigned look(unsigned id, int *passive)
{
	FILE *list = fopen("/proc/exo/domains", "r");
	char line[256], state[16] = "";
	unsigned number, us, had = 0;
	int there = 0;

	while (list && fgets(line, sizeof(line), list)) {
		if (sscanf(line, "%u %15s %*s %*s %*s %*s %u", &number, state, &us) == 3 && number == id) {
			had = us;
			*passive = strcmp(state, "passive") == 0;
			there = strcmp(state, "dead") != 0 && strcmp(state, "dying") != 0;
		}
	}
	if (list)
		fclose(list);
	if (!there)
		give_up("a domain has ended too early");
	return had;
}

static void show(struct party *p, const char *what)
{
	int passive;
	unsigned had = look(p->id, &passive) - p->had_us;

	printf("%-8s had %u ms of the CPU\n", what, had / 1000);
}

static void make_caller(struct party *p, const char *options, const char *channel)
{
	p->id = create(options);
	p->channel = channel_open(channel, 0);
	if (p->channel < 0)
		give_up("a channel cannot be opened");
}

int main(int count, char **words)
{
	int passive = 0;

	if (count == 2 && strcmp(words[1], "serve") == 0)
		return -server_run(NAME, sum_up, NULL);
	if (count == 3 && strcmp(words[1], "call") == 0)
		return call(words[2]);
	if (count > 1) {
		fputs("usage: server-demo\n", stderr);
		return 2;
	}
	parties[0] = (struct party){ create("--passive --serve demo -- server-demo serve"), 0, -1 };
	while (!passive)
		look(parties[0].id, &passive);
	make_caller(&parties[1], "--use demo --channel one -- server-demo call one", "one");
	make_caller(&parties[2], "--use demo --channel two -- server-demo call two", "two");
	for (int i = 0; i < 3; i++)
		parties[i].had_us = look(parties[i].id, &passive);
	for (int i = 1; i < 3; i++)
		dprintf(parties[i].channel, "go\n");
	for (int i = 1; i < 3; i++) {
		char line[64];
		ssize_t n = read(parties[i].channel, line, sizeof(line));

		printf("domain %u: %.*s", parties[i].id, n > 0 ? (int)n : 0, line);
	}
	show(&parties[0], "server");
	show(&parties[1], "caller 1");
	show(&parties[2], "caller 2");
	end_all();
	return !program_has_printed("server-demo");
}
