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

size_t strlen(const char *string)
{
	size_t n = 0;

	while (string[n])
		n++;
	return n;
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
	size_t n = strlen(word), i = 0;

	for (;; line++) {
		for (i = 0; i < n && line[i] == word[i]; i++)
			;
		if (i == n && (line[n] == ' ' || line[n] == '\0'))
			return true;
		while (*line && *line != ' ')
			line++;
		if (!*line)
			return false;
	}
}
