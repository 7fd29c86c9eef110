/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions of the libos.
 *
 * Copies go eight bytes at a time: the emulator we are measured on charges one instruction for
 * each iteration of a string instruction, whatever its width, and hardware with fast short
 * `rep movs` loses little.
 */
#include "core/string.h"
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	void *start = to;
	size_t words = size / 8, tail = size % 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(tail) : : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

	if (t <= f || t >= f + size)
		return memcpy(to, from, size);
	while (size-- > 0)
		t[size] = f[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	void *start = to;
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101ul;
	size_t words = size / 8, tail = size % 8;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(tail) : "a"(pattern) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

void *memchr(const void *s, int byte, size_t size)
{
	const unsigned char *p = s;

	for (; size-- > 0; p++)
		if (*p == (unsigned char)byte)
			return (void *)p;
	return NULL;
}

/* Eight bytes at a time, from where words begin: no such word lies in two pages.  The lowest byte that is
 * zero is the lowest whose high bit the subtraction sets although it was clear; those before s are made not
 * to be zero. */
size_t strlen(const char *s)
{
	typedef uint64_t __attribute__((may_alias)) word;
	const uint64_t ones = 0x0101010101010101ul, highs = 0x8080808080808080ul;
	unsigned before = (uintptr_t)s % sizeof(word);
	const char *at = s - before;
	uint64_t bytes = *(const word *)at | ((1ul << 8 * before) - 1), zeros;

	while (!(zeros = (bytes - ones) & ~bytes & highs)) {
		at += sizeof(word);
		bytes = *(const word *)at;
	}
	return (size_t)(at - s) + (unsigned)__builtin_ctzl(zeros) / 8;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t max)
{
	for (; max > 0 && *a && *a == *b; max--) {
		a++;
		b++;
	}
	return max == 0 ? 0 : (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (*s == 0)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (*s == 0)
			return (char *)found;
	}
}

char *strstr(const char *s, const char *word)
{
	size_t n = strlen(word);

	for (; *s; s++)
		if (strncmp(s, word, n) == 0)
			return (char *)s;
	return n == 0 ? (char *)s : NULL;
}

size_t string_copy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from), fit = n < size ? n : size - 1;

	memcpy(to, from, fit);
	to[fit] = 0;
	return n;
}
