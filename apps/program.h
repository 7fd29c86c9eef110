/* SPDX-License-Identifier: MIT */
/* What programs need that are told by their status whether all went well: numbers that are nothing else, and
 * output that has arrived. */
#ifndef APPS_PROGRAM_H
#define APPS_PROGRAM_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number from least to most, and nothing before or behind it. */
static inline bool program_number(const char *text, unsigned long least, unsigned long most,
				  unsigned long *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return !*end && errno == 0 && *number >= least && *number <= most;
}

/* False, and said: what was printed has not all arrived. */
static inline bool program_has_printed(const char *name)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "%s: standard output: %s\n", name, strerror(errno ? errno : EIO));
	return false;
}

#endif
