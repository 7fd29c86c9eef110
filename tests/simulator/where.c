/* SPDX-License-Identifier: MIT */
/* See where.h.  The sanitizers, which are linked, know what lines belong to an address. */
#define _GNU_SOURCE /* REG_RIP */
#include "where.h"
#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32 /* frames that are looked at, the handler's own among them */
#define SHOWN_MAX 6  /* a recursion without end has more */

/* As <sanitizer/common_interface_defs.h> has it, of the instruction before `pc`. */
void __sanitizer_symbolize_pc(void *pc, const char *format, char *to, size_t size);

void where_prepare(void)
{
	void *one[1];

	(void)backtrace(one, 1);
}

/* What is told of what a callback does, and what calls it: nothing of the author's lies further in or out. */
static bool is_ours(const char *place)
{
	static const char *const files[] = { "where.c:", "wrong.c:", "library.c:" };

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strncmp(place, files[i], strlen(files[i])) == 0)
			return true;
	return false;
}

/* "mine.c:12 in mine_pick()" of the instruction before `pc`; false: not in a source that is known, or in a
 * sanitizer's. */
static bool place_of(char *to, size_t size, char *pc)
{
	char file[256], line_and_function[128];
	const char *name;

	__sanitizer_symbolize_pc(pc, "%s", file, sizeof(file));
	__sanitizer_symbolize_pc(pc, "%l in %f()", line_and_function, sizeof(line_and_function));
	name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	if (!*name || *name == '<' || strstr(file, "sanitizer"))
		return false;
	snprintf(to, size, "%s:%s", name, line_and_function);
	return true;
}

void where_was(char *to, size_t size, const ucontext_t *at)
{
	char *stopped = at ? (char *)at->uc_mcontext.gregs[REG_RIP] : NULL, place[384];
	void *frames[DEPTH_MAX];
	int count = backtrace(frames, DEPTH_MAX), i = 0;
	unsigned shown = 0;
	size_t used = 0;

	*to = 0;
	while (stopped && i < count && frames[i] != stopped)
		i++;
	for (; i < count && shown < SHOWN_MAX && used < size; i++) {
		/* Others than the first are return addresses: the instruction before is the call. */
		char *pc = frames[i] == stopped ? stopped + 1 : frames[i];

		if (!place_of(place, sizeof(place), pc))
			continue;
		if (is_ours(place) && shown)
			break;
		if (!is_ours(place))
			used += (size_t)snprintf(to + used, size - used, "%s%s",
						 shown++ ? ", " : "", place);
	}
}
