/* SPDX-License-Identifier: MIT */
/* See reason.h. */
#include "reason.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "options.h"

#define SHARE_LEAST 256 /* of a CPU: 1 / 256 (exo/sched_context.h) */

/* What both kinds of requests may ask for; 0: not this. */
struct wanted {
	uint64_t cpus, memory, budget_ns, period_ns;
	uint32_t lines;
	uint64_t links_size;
	const char *image; /* NULL: none is read */
};

static _Noreturn void refuse_with(const char *what, const char *why, const char *explained)
{
	fprintf(stderr, "domainctl: %s: %s: %s\n", what, why, explained);
	exit(EXIT_FAILED);
}

static uint64_t cpus_here(void)
{
	FILE *f = fopen("/proc/exo/cpus", "r");
	uint64_t cpus = 0;
	char line[1024];
	unsigned cpu;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%u", &cpu) == 1 && cpu < 64)
			cpus |= 1ul << cpu;
	if (f)
		fclose(f);
	return cpus;
}

static void explain_invalid(const char *what, const char *why, const struct wanted *w)
{
	uint64_t missing = w->cpus & ~cpus_here();
	char text[64];

	if (missing) {
		snprintf(text, sizeof(text), "there is no CPU %d here", __builtin_ctzl(missing));
		refuse_with(what, why, text);
	}
	if (w->budget_ns * SHARE_LEAST <= w->period_ns)
		refuse_with(what, why, "a budget is more than a 256th of its period");
}

static void explain_busy(const char *what, const char *why, const struct wanted *w,
			 const char *other)
{
	char text[256] = "";

	if (w->budget_ns || w->cpus)
		strcat(text, "its CPUs have not as much time left (domainctl list)");
	if (w->links_size)
		strcat(strcat(text, *text ? ", or " : ""),
		       "a channel's end or a server's name is taken");
	if (w->lines)
		strcat(strcat(text, *text ? ", or " : ""),
		       "somebody has one of the interrupt lines");
	if (other)
		strcat(strcat(text, *text ? ", or " : ""), other);
	refuse_with(what, why, text);
}

static _Noreturn void explain(const char *what, int error, const struct wanted *w, const char *busy)
{
	const char *why = strerror(error);

	switch (error) {
	case EINVAL:
		explain_invalid(what, why, w);
		break;
	case EBUSY:
		explain_busy(what, why, w, busy);
		break;
	case ENOMEM:
		refuse_with(what, why,
			    "not as much is free, or its libos and its files do not fit into it");
	case ENOSPC:
		refuse_with(what, why,
			    "8 domains at most have the same CPU as their first, and 62 there are "
			    "in all");
	case ENOENT:
	case ENOEXEC:
		if (w->image)
			refuse_with(what, why, w->image);
	}
	refuse(what, why);
}

void refused_create(const struct domain_create *c)
{
	struct wanted w = { .cpus = c->cpus,
			    .memory = c->memory,
			    .budget_ns = c->budget_ns,
			    .period_ns = c->period_ns,
			    .lines = c->lines,
			    .links_size = c->links_size,
			    .image = c->image ? (const char *)c->image : DOMAIN_IMAGE };

	explain("create", errno, &w, NULL);
}

void refused_resize(const struct domain_resize *r)
{
	struct wanted w = { .cpus = r->cpus,
			    .memory = r->memory,
			    .budget_ns = r->budget_ns,
			    .period_ns = r->period_ns,
			    .lines = r->lines };

	explain("resize", errno, &w,
		r->memory ? "it has memory that cannot be taken (but killed it can be), or another "
			    "resize of it is under way"
			  : "another resize of it is under way");
}
