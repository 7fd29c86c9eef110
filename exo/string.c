/* SPDX-License-Identifier: MIT */
/* Memory and string functions.  The memory ones use the string instructions: every processor that
 * has what the kernel requires runs them at the width of a cache line. */
#include "kernel.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	void *start = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return start;
}

void *memset(void *to, int byte, size_t size)
{
	void *start = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
	return start;
}

void string_copy(char *to, const char *from, size_t size)
{
	size_t i = 0;

	for (; i + 1 < size && from[i]; i++)
		to[i] = from[i];
	to[i] = '\0';
}

bool line_has_word(const char *line, const char *word)
{
	for (; *line; line++) {
		size_t i = 0;

		while (word[i] && line[i] == word[i])
			i++;
		if (!word[i] && (line[i] == ' ' || line[i] == '\0'))
			return true;
	}
	return false;
}
